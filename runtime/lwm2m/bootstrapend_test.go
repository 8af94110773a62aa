package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// withTimeout gives the account of the bootstrap server a Bootstrap-Server Account Timeout.
func (b *bootBench) withTimeout(seconds int64) {
	must(b.t, b.sec.Update(context.Background(), 1, func(i *lwm2m.SecurityInstance) error {
		i.BootstrapServerAccountTimeout = dm.Int(seconds)
		return nil
	}))
}

// has reports whether the device has a node.
func (b *bootBench) has(p dm.Path) bool {
	synctest.Wait()
	return b.client.Model().Snapshot().Has(p)
}

// The account of the bootstrap server is deleted after the Bootstrap-Server Account Timeout that
// follows a bootstrap. A timeout of 0 keeps it.
func TestBootstrapAccountTimeout(t *testing.T) {
	for _, timeout := range []int64{0, 600} {
		onBoot(t, func(b *bootBench) {
			b.withTimeout(timeout)
			b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
			b.start()
			b.boot.RequireBootstrapped("dev")
			<-time.After(9 * time.Minute)
			must(t, b.srv.Update(context.Background(), 0, func(i *lwm2m.ServerInstance) error {
				i.Lifetime = dm.Int(3600) // the accounts are read again, and the time goes on
				return nil
			}))
			if !b.has(dm.InstancePath(0, 1)) {
				t.Error("the account is deleted too early")
			}
			<-time.After(2 * time.Minute)
			if keeps := b.has(dm.InstancePath(0, 1)); keeps != (timeout == 0) {
				t.Errorf("timeout %d: the account is there: %v", timeout, keeps)
			}
			st := b.client.Status()
			if s, _ := st.Server(1); !s.State.Registered() || (st.Bootstrap.URI == "") != (timeout != 0) {
				t.Errorf("status %v", st)
			}
			if timeout != 0 {
				if err := b.client.RequestBootstrap(); !errors.Is(err, lwm2m.ErrNoBootstrap) {
					t.Errorf("RequestBootstrap: %v", err)
				}
			}
		})
	}
}

// After a restart the timeout begins with the first registration: a device that has no server that
// works keeps its bootstrap server.
func TestBootstrapAccountTimeoutAfterRestart(t *testing.T) {
	for _, uri := range []string{"coap://server", "coap://nobody"} {
		onBoot(t, func(b *bootBench) {
			b.withTimeout(600)
			account, srv, err := lwm2m.Server{URI: uri, ShortID: 1}.Instances()
			must(t, err)
			must(t, b.sec.Add(0, account))
			must(t, b.srv.Add(0, srv))
			b.start()
			<-time.After(11 * time.Minute)
			if keeps := b.has(dm.InstancePath(0, 1)); keeps != (uri == "coap://nobody") {
				t.Errorf("%s: the account is there: %v", uri, keeps)
			}
		})
	}
}

// The answer to Bootstrap-Finish is lost. The server repeats the request and gets the answer,
// although the device has moved on and registered.
func TestLostAnswerToFinish(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		finish := lwm2mtest.BootstrapFinish()
		finish.Pause = time.Second
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), finish)...)
		b.start()
		s, _ := b.boot.WaitBootstrap(0, "dev")
		for len(s.Results()) < 2 {
			<-time.After(100 * time.Millisecond)
		}
		answered := 0
		b.net.SetFilter(func(p simnet.Packet) bool {
			var m coap.Message
			if m.ParseUDP(p.Data) == nil && m.Code == coap.Changed && len(s.Results()) == 2 {
				answered++
			}
			return answered != 1 || m.Code != coap.Changed
		})
		must(t, s.Wait(context.Background()))
		if !s.Finished() || answered < 1 {
			t.Errorf("%v", s)
		}
		b.server.WaitRegistered("dev")
	})
}

// With Config.ServerBootstrap the bootstrap server begins by itself, over the connection that the
// device keeps. Otherwise its requests are ignored.
func TestServerBegins(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		onBoot(t, func(b *bootBench) {
			b.cfg.ServerBootstrap = allowed
			b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
			b.start()
			s := b.boot.RequireBootstrapped("dev")
			b.server.WaitRegistered("dev")
			<-time.After(time.Hour)
			for _, step := range script([]lwm2mtest.BootstrapStep{write("/1", "/1/0", serverOf(1, 7777))}, lwm2mtest.BootstrapFinish()) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				a, err := s.Client().Do(ctx, step.Operation)
				cancel()
				if allowed != (err == nil && a.Code == coap.Changed) {
					t.Errorf("%v: %v (%v)", step, a, err)
				}
			}
			synctest.Wait()
			v, err := b.client.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(1, 0, 1))
			must(t, err)
			if (v.Integer() == 7777) != allowed {
				t.Errorf("the lifetime is %v", v)
			}
		})
	}
}

// A bootstrap server replaces its own account: the next bootstrap goes to the new one.
func TestBootstrapServerReplacesItself(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		account := `{"n":"0","vs":"coap://boot2"},{"n":"1","vb":true},{"n":"2","v":3},{"n":"3","vd":""},{"n":"4","vd":""},{"n":"5","vd":""}`
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), write("/0/7", "/0/7", account), lwm2mtest.BootstrapFinish())...)
		l, err := b.net.NewHost("boot2").Listen(5683)
		must(t, err)
		second := lwm2mtest.NewServer(b.t, l)
		second.ScriptBootstrap("dev", lwm2mtest.BootstrapDiscover("/0"), lwm2mtest.BootstrapFinish())
		b.start()
		b.boot.RequireBootstrapped("dev")
		b.server.WaitRegistered("dev")
		if b.has(dm.InstancePath(0, 1)) || !b.has(dm.InstancePath(0, 7)) {
			t.Error("the old account is there, or the new one is not")
		}
		must(t, b.client.RequestBootstrap())
		second.RequireBootstrapped("dev")
	})
}

// A Bootstrap-Pack replaces the instances of its objects. Any other answer has no effect, and a
// Bootstrap-Request follows.
func TestBootstrapPack(t *testing.T) {
	pack := func(uri string, id int) []byte {
		return []byte("[" + in("/0/0", securityOf(uri, id)) + "," + in("/1/0", serverOf(1, 4321)) + "]")
	}
	good := lwm2mtest.BootstrapPack{Payload: pack("coap://server", 1), Format: content.SenMLJSON}
	cut, wrong, slow := good, good, good
	cut.Cut, wrong.Format, slow.Delay = 5, content.TLV, time.Minute
	for name, c := range map[string]struct {
		pack   lwm2mtest.BootstrapPack
		effect bool
	}{
		"good":              {good, true},
		"slow":              {slow, true},
		"cut":               {cut, false},
		"another format":    {wrong, false},
		"garbage":           {lwm2mtest.BootstrapPack{Payload: []byte("garbage")}, false},
		"no pair":           {lwm2mtest.BootstrapPack{Payload: pack("coap://server", 2), Format: content.SenMLJSON}, false},
		"unusable account":  {lwm2mtest.BootstrapPack{Payload: pack("sip://server", 1), Format: content.SenMLJSON}, false},
		"not allowed":       {lwm2mtest.BootstrapPack{Code: coap.MethodNotAllowed}, false},
		"silence":           {lwm2mtest.BootstrapPack{Silent: true}, false},
		"success with 2.04": {lwm2mtest.BootstrapPack{Code: coap.Changed}, false},
	} {
		t.Run(name, func(t *testing.T) {
			onBoot(t, func(b *bootBench) {
				b.addServer(lwm2m.Server{URI: "coap://nobody"})
				b.cfg.BootstrapPack = true
				b.boot.ScriptPack("dev", c.pack)
				b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
				b.start()
				must(t, b.client.RequestBootstrap())
				<-time.After(10 * time.Minute)
				reg := b.server.WaitRegistered("dev").Registration()
				if lt := reg.Params["lt"]; lt != map[bool]string{true: "4321", false: "86400"}[c.effect] {
					t.Errorf("registered with lt=%s", lt)
				}
				if !b.has(dm.InstancePath(0, 1)) || b.client.Status().Bootstrap.Err != nil {
					t.Errorf("status %v", b.client.Status())
				}
			})
		})
	}
}

// A store that takes longer than the procedure time-out does not fail a bootstrap that the server
// has finished, nor does the end of the connection in the meantime.
func TestSlowStoreAtFinish(t *testing.T) {
	for _, pack := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBootBenchOn(t, 1, lwm2m.Server{URI: "coap+tcp://boot"}, streamListener(t), plainListener(t))
			b.cfg.BootstrapPack = pack
			b.cfg.Persist = func(context.Context, dm.Committed) error {
				<-time.After(10 * time.Minute)
				return nil
			}
			b.boot.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
				body := "[" + in("/0/0", securityOf("coap://server", 1)) + "," + in("/1/0", serverOf(1, 4321)) + "]"
				return lwm2mtest.Reply{Code: coap.Content, Format: content.SenMLJSON, Payload: []byte(body)}, r.Path == "/bspack"
			})
			b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
			b.start()
			<-time.After(5 * time.Minute)
			if st := b.client.Status().Bootstrap; st.State != lwm2m.BootstrapServing && st.State != lwm2m.BootstrapApplying || st.Attempts != 0 {
				t.Errorf("status %v", st)
			}
			b.boot.Close()
			<-time.After(6 * time.Minute)
			if st := b.client.Status().Bootstrap; st.Err != nil || st.Finished.IsZero() {
				t.Errorf("status %v", st)
			}
			b.server.WaitRegistered("dev")
		})
	}
}

// A bootstrap server that finishes again and again with an account that does not work makes no
// storm.
func TestNoStormOfFinishedBootstraps(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		account := strings.TrimSuffix(serverOf(1, 86400), "}") + `},{"n":"17","v":1},{"n":"18","v":1}`
		b.server.Intercept(func(lwm2mtest.Request) (lwm2mtest.Reply, bool) { return lwm2mtest.Reply{Code: coap.Forbidden}, true })
		b.boot.ScriptBootstrap("dev", write("/0", "/0/0", securityOf("coap://server", 1)), write("/1", "/1/0", account), lwm2mtest.BootstrapFinish())
		b.start()
		<-time.After(24 * time.Hour)
		if n := len(b.boot.Requests()); n < 10 || n > 40 {
			t.Errorf("%d bootstraps within a day", n)
		}
		if n := len(b.server.Requests()); n < 10 || n > 40 {
			t.Errorf("%d registrations within a day", n)
		}
	})
}

// A registered device is bootstrapped: in the meantime its server is still answered, and learns
// what has changed afterwards.
func TestServerIsAnsweredDuringBootstrap(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.addServer(lwm2m.Server{URI: "coap://server", Lifetime: time.Hour})
		b.boot.ScriptBootstrap("dev", write("/1", "/1/0", serverOf(1, 7200)), lwm2mtest.BootstrapStep{Pause: time.Minute}, lwm2mtest.BootstrapFinish())
		b.start()
		dev := b.server.WaitRegistered("dev")
		must(t, b.client.RequestBootstrap())
		<-time.After(30 * time.Second)
		if st := b.client.Status().Bootstrap; st.State != lwm2m.BootstrapServing {
			t.Errorf("status %v", st)
		}
		for _, want := range []string{"3600", "7200"} {
			if a, err := dev.Read(context.Background(), "/1/0/1", content.Text); err != nil || a.Text() != want {
				t.Errorf("Read: %v (%v), want %s", a, err, want)
			}
			<-time.After(time.Minute)
		}
		if lt := b.server.WaitRegistered("dev").Registration().Params["lt"]; lt != "7200" {
			t.Errorf("the server knows the lifetime %s", lt)
		}
	})
}

// A bootstrap server that goes on for ever with its sequence does not keep the device from
// registering.
func TestEndlessSequence(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		steps := []lwm2mtest.BootstrapStep{write("/0", "/0/0", securityOf("coap://nobody", 1))}
		for range 200 {
			step := lwm2mtest.BootstrapDiscover("/")
			step.Pause = time.Minute
			steps = append(steps, step)
		}
		b.boot.ScriptBootstrap("dev", steps...)
		b.addServer(lwm2m.Server{URI: "coap://server", Lifetime: time.Hour})
		b.start()
		b.server.WaitRegistered("dev")
		must(t, b.client.RequestBootstrap())
		<-time.After(55 * time.Minute)
		if st := b.client.Status().Bootstrap; st.State != lwm2m.BootstrapServing {
			t.Errorf("status %v", st)
		}
		<-time.After(10*time.Minute + 10*time.Second)
		if st := b.client.Status(); st.Bootstrap.Attempts != 1 || !st.Servers[0].State.Registered() {
			t.Errorf("status %v", st)
		}
	})
}

// OnBootstrap that panics does not keep the device from being bootstrapped, if Config.RecoverPanics
// says so.
func TestPanicInOnBootstrap(t *testing.T) {
	onBoot(t, func(b *bootBench) {
		b.cfg.RecoverPanics = true
		b.cfg.OnBootstrap = func(s lwm2m.BootstrapStatus) { panic(s.String()) }
		b.boot.ScriptBootstrap("dev", script(accountSteps("coap://server"), lwm2mtest.BootstrapFinish())...)
		b.start()
		b.boot.RequireBootstrapped("dev")
		b.server.WaitRegistered("dev")
	})
}
