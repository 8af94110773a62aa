package lwm2m_test

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// estBench is a bootBench whose bootstrap server is an EST server, and whose management server
// accepts the certificates of the EST server's authority alone.
type estBench struct {
	*bootBench
	certs *enrolment.Object
	cert  stdtls.Certificate // of the management server
}

// withEST runs a test in virtual time. It starts the device itself.
func withEST(t *testing.T, validity time.Duration, fn func(b *estBench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		authority, err := lwm2mserver.NewAuthority("EST")
		must(t, err)
		cert := newCA(t).named("server.example.com")
		b := &estBench{cert: cert}
		b.bootBench = newBootBenchOn(t, 1, lwm2m.Server{URI: "coaps://boot", PSK: psk}, pskListener(t, "bootstrap key"),
			func(h *simnet.Host) socket.Listener {
				below, err := h.Listen(5684)
				must(t, err)
				l, err := dtls.Listen(below, dtls.ServerConfig{Certificate: cert, ClientCAs: authority.Pool()})
				must(t, err)
				return l
			})
		b.certs, err = enrolment.New()
		must(t, err)
		b.cfg.Objects = append(b.cfg.Objects, b.certs)
		must(t, b.boot.ServeEST(lwm2mserver.EST{Authority: authority, Validity: validity}))
		fn(b)
	})
}

// account returns the steps that write an account with Security Mode 4, without /0/x/3 and /0/x/5.
func (b *estBench) account() []lwm2mtest.BootstrapStep {
	return []lwm2mtest.BootstrapStep{
		write("/0", "/0/0", securedOf("coaps://server.example.com", 4, nil, b.cert.Certificate[0], nil, "")),
		write("/1", "/1/0", serverOf(1, 86400)),
	}
}

func TestETS_1_1_int_10_BootstrapFullEST(t *testing.T) {
	withEST(t, 0, func(b *estBench) {
		var records []dm.Committed
		b.cfg.Persist = func(_ context.Context, c dm.Committed) error { records = append(records, c); return nil }
		b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.boot.RequireBootstrapped("dev")
		b.server.WaitRegistered("dev")
		issued := b.boot.Enrolled("dev")
		inst, ok := b.certs.Get(0)
		if len(issued) != 1 || !ok {
			t.Fatalf("%d certificates, stored: %v", len(issued), ok)
		}
		if chain, _ := inst.Certificates.Get(); string(chain.Reveal()) != string(issued[0].Raw) {
			t.Error("the stored certificate is another one")
		}
		if key, _ := inst.PrivateKey.Get(); key.Len() == 0 {
			t.Error("the private key is not stored")
		}
		// The certificate is in the record of the bootstrap.
		record := slices.IndexFunc(records, func(c dm.Committed) bool { return c.After.Has(dm.InstancePath(0, 0)) })
		if record < 0 || !records[record].After.Has(dm.InstancePath(enrolment.ObjectID, 0)) {
			t.Errorf("the record of the bootstrap, %d of %d, is without the certificate", record, len(records))
		}

		// No server sees the object.
		reg := b.server.WaitRegistered("dev")
		if strings.Contains(fmt.Sprint(reg.Registration()), "65500") {
			t.Errorf("Register lists the certificates: %v", reg.Registration())
		}
		if ans, err := reg.Read(context.Background(), "/65500", content.SenMLJSON); err != nil || ans.Code != coap.Unauthorized {
			t.Errorf("Read: %v, %v", ans, err)
		}

		// A restart with the same objects enrols no second time.
		b.stop()
		b.restore()
		registered := len(b.server.Requests())
		b.start()
		<-time.After(time.Minute)
		if len(b.server.Requests()) == registered {
			t.Error("the device does not register after a restart")
		}
		if n := len(b.boot.Enrolled("dev")); n != 1 {
			t.Errorf("%d certificates after a restart", n)
		}
	})
}

// restore gives the next device what the last one has stored.
func (b *estBench) restore() {
	b.t.Helper()
	sec, err := security.New(security.Config{})
	must(b.t, err)
	srv, err := server.New(server.Config{})
	must(b.t, err)
	certs, err := enrolment.New()
	must(b.t, err)
	for id, inst := range b.sec.All() {
		must(b.t, sec.Add(id, inst))
	}
	for id, inst := range b.srv.All() {
		must(b.t, srv.Add(id, inst))
	}
	for id, inst := range b.certs.All() {
		must(b.t, certs.Add(id, inst))
	}
	b.sec, b.srv, b.certs = sec, srv, certs
	b.cfg.Objects = []dm.Object{sec, srv, certs, newDevice(b.t)}
}

// An EST server that takes its time, or fails, leaves the device as it was, or enrolled.
func TestEnrolmentFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault lwm2mserver.ESTFault
		drop  string
		want  string // of the answer to Finish
	}{
		{name: "delayed", fault: lwm2mserver.ESTFault{Wait: 30}},
		{name: "delayed for too long", fault: lwm2mserver.ESTFault{Wait: 3600}, want: "more than the"},
		{name: "wrong key", fault: lwm2mserver.ESTFault{WrongKey: true}, want: "another public key"},
		{name: "wrong issuer", fault: lwm2mserver.ESTFault{WrongIssuer: true}, want: "does not lead to the certificates of /crts"},
		{name: "expired", fault: lwm2mserver.ESTFault{Expired: true}, want: "not valid after"},
		{name: "garbage", fault: lwm2mserver.ESTFault{Payload: []byte("garbage")}, want: "certs-only container"},
		{name: "no answer", drop: "sen", want: "/sen"},
		{name: "no answer to crts", drop: "crts", want: "/crts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			withEST(t, 0, func(b *estBench) {
				if c.drop != "" {
					b.boot.Disturb(20, lwm2mserver.Fault{Drop: true}, func(r lwm2mserver.Request) bool { return strings.HasSuffix(r.Path, c.drop) })
				} else {
					b.boot.DisturbEST(1, c.fault)
				}
				steps := b.account()
				for range 2 { // the second is the correction
					finish := lwm2mtest.BootstrapFinish()
					finish.IgnoreError = true
					steps = append(steps, finish)
				}
				if c.want == "" {
					steps = steps[:len(steps)-1]
				}
				b.boot.ScriptBootstrap("dev", steps...)
				b.start()
				s, _ := b.boot.WaitBootstrap(0, "dev")
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
				defer cancel()
				must(t, s.Wait(ctx))
				synctest.Wait()
				all := s.Results()
				finish := all[2].Answer
				switch {
				case c.want == "" && finish.Code != coap.Changed:
					t.Errorf("Finish: %v", finish)
				case c.want != "" && (finish.Code != coap.NotAcceptable || !strings.Contains(finish.Text(), c.want)):
					t.Errorf("Finish: %v, want 4.06 with %q", finish, c.want)
				}
				if c.want == "" || c.drop == "" && all[3].Answer.Code == coap.Changed {
					b.server.WaitRegistered("dev")
					return
				}
				if b.sec.Len() != 1 || b.certs.Len() != 0 {
					t.Errorf("%d accounts and %d certificates, want 1 and 0", b.sec.Len(), b.certs.Len())
				}
			})
		})
	}
}

// A device is refused if it is not who it says, and over a connection without security.
func TestEnrolmentIsRefused(t *testing.T) {
	withEST(t, 0, func(b *estBench) {
		b.cfg.Endpoint = "another"
		b.boot.ScriptBootstrap("another", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		s, _ := b.boot.WaitBootstrap(0, "another")
		<-time.After(time.Minute)
		all := s.Results()
		if len(all) != 3 || !strings.Contains(all[2].Answer.Text(), "/sen: the server answered 4.03") {
			t.Errorf("%v", s)
		}
	})
	onBoot(t, func(b *bootBench) {
		cert := newCA(t).named("server.example.com")
		b.boot.ScriptBootstrap("dev", write("/0", "/0/0", securedOf("coaps://server.example.com", 4, nil, cert.Certificate[0], nil, "")),
			write("/1", "/1/0", serverOf(1, 86400)), lwm2mtest.BootstrapFinish())
		b.start()
		s, _ := b.boot.WaitBootstrap(0, "dev")
		<-time.After(time.Minute)
		if all := s.Results(); len(all) != 3 || !strings.Contains(all[2].Answer.Text(), "EST needs a bootstrap server with coaps") {
			t.Errorf("%v", s)
		}
	})
}

// Security Mode 4 needs the certificate of the server (Transport 1.2.2 §5.2.4).
func TestEnrolmentNeedsServerPublicKey(t *testing.T) {
	withEST(t, 0, func(b *estBench) {
		b.boot.ScriptBootstrap("dev", write("/0", "/0/0", securedOf("coaps://server.example.com", 4, nil, nil, nil, "")),
			write("/1", "/1/0", serverOf(1, 86400)), lwm2mtest.BootstrapFinish())
		b.start()
		s, _ := b.boot.WaitBootstrap(0, "dev")
		<-time.After(time.Minute)
		if all := s.Results(); len(all) != 3 || all[2].Answer.Code != coap.NotAcceptable {
			t.Errorf("%v", s)
		}
		if n := len(b.boot.Enrolled("dev")); n != 0 {
			t.Errorf("%d certificates", n)
		}
	})
}

// The bootstrap server cannot see or change the certificates.
func TestBootstrapServerDoesNotReachCertificates(t *testing.T) {
	withEST(t, 0, func(b *estBench) {
		must(t, b.certs.Add(9, enrolment.Instance{Certificates: dm.Key([]byte("x"))}))
		steps := []lwm2mtest.BootstrapStep{
			lwm2mtest.BootstrapDiscover("/"), lwm2mtest.BootstrapDiscover("/65500"), lwm2mtest.BootstrapRead("/65500", content.SenMLJSON),
			lwm2mtest.BootstrapWrite("/65500/9/0", content.Opaque, []byte("y")), lwm2mtest.BootstrapDelete("/65500"), lwm2mtest.BootstrapDelete("/"),
		}
		for i := range steps {
			steps[i].IgnoreError = true
		}
		b.boot.ScriptBootstrap("dev", script(steps, script(b.account(), lwm2mtest.BootstrapFinish())...)...)
		b.start()
		s := b.boot.RequireBootstrapped("dev")
		all := s.Results()
		if strings.Contains(all[0].Answer.Text(), "65500") {
			t.Errorf("Discover: %v", all[0])
		}
		for _, r := range all[1:5] {
			if r.Answer.Code != coap.NotFound {
				t.Errorf("%v", r)
			}
		}
		if inst, ok := b.certs.Get(9); !ok || string(must1(inst.Certificates.Get()).Reveal()) != "x" {
			t.Error("the certificate has changed")
		}
	})
}

func must1[T any](v T, _ bool) T { return v }

// The certificate goes with its account.
func TestCertificateGoesWithAccount(t *testing.T) {
	withEST(t, 0, func(b *estBench) {
		b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.server.WaitRegistered("dev")
		must(t, b.client.RemoveServer(context.Background(), 1))
		if n := b.certs.Len(); n != 0 {
			t.Errorf("%d certificates are left", n)
		}
	})
}

// A certificate is renewed before it ends, and the device registers with the new one. Where the
// server knows no renewal, the device enrols again.
func TestCertificateIsRenewed(t *testing.T) {
	const validity = 10 * 24 * time.Hour
	for _, known := range []bool{true, false} {
		withEST(t, validity, func(b *estBench) {
			b.boot.ScriptBootstrap("dev", script(b.account(), lwm2mtest.BootstrapFinish())...)
			b.boot.Intercept(func(r lwm2mserver.Request) (lwm2mserver.Reply, bool) {
				return lwm2mserver.Reply{Code: coap.NotFound}, !known && strings.HasSuffix(r.Path, "/sren")
			})
			b.start()
			b.server.WaitRegistered("dev")
			time.Sleep(validity*4/5 - 2*time.Hour)
			synctest.Wait()
			if n := len(b.boot.Enrolled("dev")); n != 1 {
				t.Fatalf("%d certificates before the renewal", n)
			}
			registered := len(b.server.Requests())
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			issued := b.boot.Enrolled("dev")
			if len(issued) != 2 {
				t.Fatalf("%d certificates after the renewal", len(issued))
			}
			inst, _ := b.certs.Get(0)
			if chain, _ := inst.Certificates.Get(); string(chain.Reveal()) != string(issued[1].Raw) {
				t.Error("the device does not store the new certificate")
			}
			asked := 0
			for _, r := range b.boot.Requests() {
				if strings.HasSuffix(r.Path, "/sren") {
					asked++
				}
			}
			if asked != 1 {
				t.Errorf("%d requests for a renewal", asked)
			}
			all := b.server.Requests()[registered:]
			if !slices.ContainsFunc(all, func(r lwm2mtest.Request) bool { return r.Path == "/rd" }) {
				t.Errorf("the device does not register with the new certificate: %v", all)
			}
			time.Sleep(3 * validity)
			if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered {
				t.Errorf("after further renewals: %v", s)
			}
		})
	}
}
