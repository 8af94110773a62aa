package lwm2m_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// The tests here are OMA's enabler test cases (ETS) for the bootstrap interface, named by their
// ids.

// bootBench is one device that knows its bootstrap server alone, in Security instance 1, as the
// cases have it, and a management server.
type bootBench struct {
	t      *testing.T
	net    *simnet.Network
	boot   *lwm2mtest.Server
	server *lwm2mtest.Server

	bootHost, serverHost *simnet.Host
	cfg                  lwm2m.Config
	sec                  *security.Object
	srv                  *server.Object
	client               *lwm2m.Client
	stop                 func()
}

// onBoot runs a test in virtual time. It starts the device itself.
func onBoot(t *testing.T, fn func(b *bootBench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(newBootBench(t, 1)) })
}

func newBootBench(t *testing.T, seed uint64) *bootBench {
	t.Helper()
	return newBootBenchOn(t, seed, lwm2m.Server{URI: "coap://boot"}, plainListener(t), plainListener(t))
}

// newBootBenchOn is newBootBench with other listeners. account is that of the bootstrap server.
func newBootBenchOn(t *testing.T, seed uint64, account lwm2m.Server, boot, server func(*simnet.Host) socket.Listener) *bootBench {
	t.Helper()
	b := &bootBench{t: t, net: simnet.New(seed)}
	b.bootHost = b.net.NewHost("boot")
	b.boot = lwm2mtest.NewServer(t, boot(b.bootHost))
	b.serverHost = b.net.NewHost("server")
	b.net.SetName("server.example.com", b.serverHost.Addrs()...)
	b.net.SetName("server-fail.example.com", b.serverHost.Addrs()...)
	b.server = lwm2mtest.NewServer(t, server(b.serverHost))
	b.addObjects(account)
	host := b.net.NewHost("device")
	b.cfg.Endpoint, b.cfg.Logger = "dev", quiet()
	b.cfg.Dialers = []socket.Dialer{host.Dialer(), host.StreamDialer(), dtls.Dialer{}, tls.Dialer{}}
	return b
}

// addObjects makes the objects of the device, with the account of its bootstrap server alone.
func (b *bootBench) addObjects(account lwm2m.Server) {
	b.t.Helper()
	var err error
	b.sec, err = security.New(security.Config{})
	must(b.t, err)
	b.srv, err = server.New(server.Config{})
	must(b.t, err)
	account.Bootstrap = true
	instance, _, err := account.Instances()
	must(b.t, err)
	must(b.t, b.sec.Add(1, instance))
	b.cfg.Objects = []dm.Object{b.sec, b.srv, newDevice(b.t)}
}

// start runs the device until stop is called or the test ends.
func (b *bootBench) start() {
	b.t.Helper()
	var err error
	b.client, err = lwm2m.New(b.cfg)
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	client := b.client
	go func() { ended <- client.Run(ctx) }()
	done := false
	b.stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("Run: %v", err)
		}
		if n := client.Sched().Len(); n != 0 {
			b.t.Errorf("%d jobs are left", n)
		}
	}
	b.t.Cleanup(b.stop)
}

// securityOf and serverOf are the accounts that the bootstrap server writes, in SenML JSON.
func securityOf(uri string, id int) string {
	return fmt.Sprintf(`{"n":"0","vs":%q},{"n":"1","vb":false},{"n":"2","v":3},{"n":"3","vd":""},{"n":"4","vd":""},{"n":"5","vd":""},{"n":"10","v":%d}`, uri, id)
}

func serverOf(id, lifetime int) string {
	return fmt.Sprintf(`{"n":"0","v":%d},{"n":"1","v":%d},{"n":"6","vb":false},{"n":"7","vs":"U"}`, id, lifetime)
}

// in puts records into one pack or payload of an instance.
func in(instance, records string) string {
	return strings.Replace(records, `{`, `{"bn":"`+instance+`/",`, 1)
}

// write returns the step that writes records to an instance, or to the object that it belongs to.
func write(path, instance, records string) lwm2mtest.BootstrapStep {
	return lwm2mtest.BootstrapWrite(path, content.SenMLJSON, []byte("["+in(instance, records)+"]"))
}

// account returns the steps that write an account, at object level as the cases have it.
func accountSteps(uri string) []lwm2mtest.BootstrapStep {
	return []lwm2mtest.BootstrapStep{write("/0", "/0/0", securityOf(uri, 1)), write("/1", "/1/0", serverOf(1, 86400))}
}

// script appends steps.
func script(first []lwm2mtest.BootstrapStep, more ...lwm2mtest.BootstrapStep) []lwm2mtest.BootstrapStep {
	return append(first, more...)
}

// answers returns the answers of a sequence that has ended.
func (b *bootBench) answers(s *lwm2mtest.Bootstrap) []lwm2mtest.Answer {
	b.t.Helper()
	if err := s.Wait(context.Background()); err != nil {
		b.t.Error(err)
	}
	var all []lwm2mtest.Answer
	for _, r := range s.Results() {
		all = append(all, r.Answer)
	}
	return all
}

// wantCodes fails unless the answers of a sequence have these codes.
func (b *bootBench) wantCodes(s *lwm2mtest.Bootstrap, codes ...coap.Code) []lwm2mtest.Answer {
	b.t.Helper()
	all := b.answers(s)
	for i, a := range all {
		if i >= len(codes) || a.Code != codes[i] {
			b.t.Fatalf("%v, want %v", s, codes)
		}
	}
	if len(all) != len(codes) {
		b.t.Fatalf("%v, want %v", s, codes)
	}
	return all
}

func TestETS_1_1_int_0_ClientInitiatedBootstrap(t *testing.T) {
	for _, v := range since11 {
		t.Run("LwM2M "+v.String(), func(t *testing.T) {
			onBoot(t, func(b *bootBench) {
				b.cfg.MaxVersion = v
				b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"),
					lwm2mtest.BootstrapDiscover("/"), lwm2mtest.BootstrapFinish())...)
				b.start()
				s := b.boot.RequireBootstrapped("dev")
				all := b.wantCodes(s, coap.Changed, coap.Changed, coap.Content, coap.Changed)
				if r := s.Request(); r.String() != "POST /bs?ep=dev&pct=112" {
					t.Errorf("the device sent %v", r)
				}
				text := all[2].Text()
				for _, part := range []string{"</>;lwm2m=" + v.String() + ",", "</0/0>;ssid=1", "</0/1>", "</1/0>;ssid=1", "</3/0>"} {
					if !strings.Contains(text, part) {
						t.Errorf("Discover: %s, want %s in it", text, part)
					}
				}
				b.server.WaitRegistered("dev")
				synctest.Wait()
				if st := b.client.Status().Bootstrap; st.State != lwm2m.BootstrapFinished || st.Err != nil || st.Finished.IsZero() || st.Reason != nil {
					t.Errorf("status %+v", st)
				}
				<-time.After(2 * time.Minute)
				if st := b.client.Status().Bootstrap; st.State != lwm2m.BootstrapIdle {
					t.Errorf("status %+v", st)
				}
			})
		})
	}
}

func TestETS_1_1_int_4_BootstrapDelete(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.cfg.MaxVersion = registry.V(1, 1)
		read := lwm2mtest.BootstrapRead("/1", content.SenMLJSON)
		discover := lwm2mtest.BootstrapDiscover("/")
		steps := script(accountSteps("coap://server"), discover, read, lwm2mtest.BootstrapDelete("/0"), lwm2mtest.BootstrapDelete("/1"),
			discover, read)
		b.boot.ScriptBootstrap("dev", script(script(steps, accountSteps("coap://server")...), lwm2mtest.BootstrapFinish())...)
		b.start()
		all := b.wantCodes(b.boot.RequireBootstrapped("dev"), coap.Changed, coap.Changed, coap.Content, coap.Content, coap.Deleted, coap.Deleted,
			coap.Content, coap.Content, coap.Changed, coap.Changed, coap.Changed)
		for i, want := range map[int]string{2: "</1/0>", 3: `86400`} {
			if !strings.Contains(all[i].Text(), want) {
				t.Errorf("before: %s, want %s in it", all[i].Text(), want)
			}
		}
		if after := all[6].Text(); !strings.Contains(after, "</0/1>") || strings.Contains(after, "</0/0>") || strings.Contains(after, "</1/0>") {
			t.Errorf("after Delete: %s", after)
		}
		if after := all[7].Text(); strings.Contains(after, "86400") {
			t.Errorf("after Delete: %s", after)
		}
		b.server.WaitRegistered("dev")
	})
}

func TestETS_1_1_int_5_ServerInitiatedBootstrap(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.boot.RequireBootstrapped("dev")
		dev := b.server.WaitRegistered("dev")
		<-time.After(2 * time.Minute)
		if a, err := dev.Execute(context.Background(), "/1/0/9", ""); err != nil || a.Code != coap.Changed {
			t.Errorf("the trigger: %v (%v)", a, err)
		}
		s, _ := b.boot.WaitBootstrap(1, "dev")
		if err := s.Wait(context.Background()); err != nil || !s.Finished() {
			t.Errorf("%v: %v", s, err)
		}
	})
}

func TestETS_1_1_int_7_FallbackToBootstrap(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.addServer(lwm2m.Server{URI: "coap://nobody"})
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
		b.start()
		for len(b.server.Endpoints()) == 0 {
			<-time.After(10 * time.Second)
		}
		b.boot.RequireBootstrapped("dev")
		if st, _ := b.client.Status().Server(1); st.URI != "coap://server" || !st.State.Registered() {
			t.Errorf("status %v", st)
		}
	})
}

func TestETS_1_1_int_9_BootstrapConsistency(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.boot.ScriptBootstrap("dev",
			lwm2mtest.BootstrapWrite("/1/0/5", content.Text, []byte("86400")), lwm2mtest.BootstrapFinish())
		b.start()
		s, _ := b.boot.WaitBootstrap(0, "dev")
		_ = s.Wait(context.Background())
		results := s.Results()
		if last := results[len(results)-1].Answer; last.Code != coap.NotAcceptable || last.Text() == "" {
			t.Errorf("%v, want Finish to be 4.06 with a reason", s)
		}
	})
}

func TestETS_1_1_int_8_BootstrapRead(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		o, err := accesscontrol.New(accesscontrol.Config{})
		must(t, err)
		b.cfg.Objects = append(b.cfg.Objects, o)
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"),
			write("/2/0", "/2/0", `{"n":"0","v":3},{"n":"1","v":0},{"n":"2/0","v":31},{"n":"3","v":65535}`),
			lwm2mtest.BootstrapRead("/1", content.SenMLJSON), lwm2mtest.BootstrapRead("/2", content.SenMLJSON), lwm2mtest.BootstrapFinish())...)
		b.start()
		all := b.wantCodes(b.boot.RequireBootstrapped("dev"), coap.Changed, coap.Changed, coap.Changed, coap.Content, coap.Content, coap.Changed)
		for i, want := range map[int]string{3: "86400", 4: "65535"} {
			if !strings.Contains(all[i].Text(), want) {
				t.Errorf("Read: %s, want %s in it", all[i].Text(), want)
			}
		}
		b.server.WaitRegistered("dev")
	})
}

func TestETS_1_2_int_12_BootstrapPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coaps://boot", PSK: psk}, pskListener(t, "bootstrap key"), pskListener(t, "server key"))
		b.cfg.BootstrapPack = true
		account := securedOf("coaps://server.example.com", 0, []byte("dev"), nil, []byte("server key"), "")
		b.boot.ScriptPack("dev", lwm2mtest.BootstrapPack{
			Payload: []byte("[" + in("/0/0", account) + "," + in("/1/0", serverOf(1, 86400)) + "]"), Format: content.SenMLJSON,
		})
		b.start()
		b.server.WaitRegistered("dev")
		if all := b.boot.Requests(); len(all) != 1 || all[0].String() != "GET /bspack?ep=dev" || all[0].Accept != content.SenMLCBOR {
			t.Errorf("the device sent %v", b.boot.Requests())
		}
	})
}
