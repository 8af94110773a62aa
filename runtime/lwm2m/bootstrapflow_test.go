package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// bootstrapConfig is the configuration of a device whose last server is the bootstrap server, and
// the others are management servers.
func (w *world) bootstrapConfig() lwm2m.Config {
	cfg := w.config()
	last := len(cfg.Servers) - 1
	cfg.Servers[last] = lwm2m.Server{URI: cfg.Servers[last].URI, Bootstrap: true}
	return cfg
}

// bootstrap returns what the client does about its bootstrap.
func (w *world) bootstrap() lwm2m.BootstrapStatus {
	w.t.Helper()
	synctest.Wait()
	return w.client.Status().Bootstrap
}

// wantBootstrap fails unless the bootstrap is in state want.
func (w *world) wantBootstrap(want lwm2m.BootstrapState) lwm2m.BootstrapStatus {
	w.t.Helper()
	s := w.bootstrap()
	if s.State != want {
		w.t.Fatalf("the bootstrap is %v, want %v (%v)", s.State, want, s)
	}
	return s
}

// accept makes a bootstrap server accept every request and then do nothing.
func accept(request) answer { return answer{code: coap.Changed} }

// A device without a management server sends a Bootstrap-Request with its name and, from LwM2M 1.1
// on, its preferred Content-Format.
func TestBootstrapRequestParameters(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*lwm2m.Config)
	}{
		{"LwM2M 1.2", "POST /bs?ep=dev&pct=112", func(*lwm2m.Config) {}},
		{"LwM2M 1.1", "POST /bs?ep=dev&pct=112", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 1) }},
		{"LwM2M 1.0", "POST /bs?ep=dev", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 0) }},
		{"TLV", "POST /bs?ep=dev&pct=11542", func(c *lwm2m.Config) { c.Format = content.TLV }},
		{"LwM2M CBOR", "POST /bs?ep=dev&pct=11544", func(c *lwm2m.Config) { c.Format = content.LwM2MCBOR }},
		{"LwM2M CBOR before it existed", "POST /bs?ep=dev&pct=112", func(c *lwm2m.Config) {
			c.Format, c.MaxVersion = content.LwM2MCBOR, registry.V(1, 1)
		}},
		{"a format that no bootstrap has", "POST /bs?ep=dev&pct=112", func(c *lwm2m.Config) { c.Format = content.LwM2MJSON }},
		{"a name that the session has", "POST /bs?pct=112", func(c *lwm2m.Config) { c.Endpoint = "" }},
		{"pack", "GET /bspack?ep=dev", func(c *lwm2m.Config) { c.BootstrapPack = true }},
		{"pack before it existed", "POST /bs?ep=dev&pct=112", func(c *lwm2m.Config) {
			c.BootstrapPack, c.MaxVersion = true, registry.V(1, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg := w.bootstrapConfig()
				c.change(&cfg)
				w.start(cfg)
				if r := w.servers[0].next(); r.String() != c.want {
					t.Errorf("the device sent %v, want %s", r, c.want)
				}
			})
		})
	}
}

// A bootstrap server of LwM2M 1.0 does not know pct. The client sends the request without it at
// once, and does not count a failure.
func TestBootstrapRequestWithoutFormat(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(r request) answer {
			if r.has("pct=112") {
				return answer{code: coap.BadRequest}
			}
			return answer{code: coap.Changed}
		})
		w.start(w.bootstrapConfig())
		w.servers[0].next()
		if r := w.servers[0].within(time.Second); r.String() != "POST /bs?ep=dev" {
			t.Errorf("the device sent %v", r)
		}
		if s := w.wantBootstrap(lwm2m.BootstrapServing); s.Attempts != 0 || s.Err != nil {
			t.Errorf("status %v", s)
		}
	})
}

// A Bootstrap-Request follows at once when a Bootstrap-Pack-Request fails (Core 1.2.2 §6.1.3).
func TestBootstrapPackFallsBack(t *testing.T) {
	for _, code := range []coap.Code{coap.NotFound, coap.BadRequest, coap.MethodNotAllowed, coap.NotImplemented, coap.Content, 0} {
		t.Run(code.String(), func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.servers[0].answers(func(r request) answer {
					if r.path == "/bspack" {
						return answer{code: code}
					}
					return answer{code: coap.Changed}
				})
				cfg := w.bootstrapConfig()
				cfg.BootstrapPack = true
				w.start(cfg)
				w.servers[0].next()
				limit := time.Second
				if code == 0 {
					limit = 250 * time.Second // the request is acknowledged and not answered
				}
				if r := w.servers[0].within(limit); r.String() != "POST /bs?ep=dev&pct=112" {
					t.Errorf("the device sent %v", r)
				}
				if s := w.wantBootstrap(lwm2m.BootstrapServing); s.Attempts != 0 {
					t.Errorf("status %v", s)
				}
			})
		})
	}
}

// Before a bootstrap that the device decides on it waits for the Client Hold Off Time. The
// application does not wait.
func TestClientHoldOffTime(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(accept)
		cfg := w.bootstrapConfig()
		cfg.Servers[0].HoldOff = time.Minute
		c := w.start(cfg)
		w.servers[0].quiet(59 * time.Second)
		if s := w.wantBootstrap(lwm2m.BootstrapWaiting); time.Until(s.Next) != time.Second || s.Awaits != "the end of the Client Hold Off Time" {
			t.Errorf("status %+v", s)
		}
		w.servers[0].within(2 * time.Second)
		w.servers[0].quiet(247 * time.Second) // until the procedure ends
		if err := c.RequestBootstrap(); err != nil {
			t.Fatal(err)
		}
		w.servers[0].within(time.Second)
	})
}

// Attempts follow each other after pauses that grow to an hour, with a random part of up to a half,
// whatever the server does.
func TestBootstrapPauses(t *testing.T) {
	for _, c := range []struct {
		name string
		fn   func(request) answer
		each time.Duration // how long an attempt takes
		err  string
	}{
		{"refusal", refuse, 0, `the server answered Bootstrap-Request with 4.03 ("not you")`},
		{"silence", func(request) answer { return answer{} }, 247 * time.Second, "Bootstrap-Request: "},
		{"no Finish", accept, 247 * time.Second, "has not sent Bootstrap-Finish in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				w.servers[0].answers(c.fn)
				cfg := w.bootstrapConfig()
				var seen []lwm2m.BootstrapState
				cfg.OnBootstrap = func(s lwm2m.BootstrapStatus) { seen = append(seen, s.State) }
				w.start(cfg)
				base := 15 * time.Second
				for i, d := range w.servers[0].intervals(12) {
					if pause := d - c.each; pause < base || pause > base*3/2+time.Second {
						t.Errorf("pause %d is %v, want %v and up to a half", i+1, pause, base)
					}
					base = min(2*base, time.Hour)
				}
				<-time.After(c.each + time.Second)
				s := w.wantBootstrap(lwm2m.BootstrapWaiting)
				if s.Err == nil || !strings.Contains(s.Err.Error(), c.err) || s.Attempts != 13 || s.Next.IsZero() || s.Awaits != "the next attempt" {
					t.Errorf("status %+v", s)
				}
				if !slices.Contains(seen, lwm2m.BootstrapRequesting) || !slices.Contains(seen, lwm2m.BootstrapWaiting) {
					t.Errorf("OnBootstrap: %v", seen)
				}
			})
		})
	}
}

// A server may ask for a longer pause, up to Config.MaxServerPause.
func TestBootstrapMaxAge(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(request) answer { return answer{code: coap.ServiceUnavailable, maxAge: 600} })
		w.start(w.bootstrapConfig())
		if d := w.servers[0].intervals(1)[0]; d < 10*time.Minute || d > 15*time.Minute {
			t.Errorf("the next attempt follows after %v, want 10 min and up to a half", d)
		}
	})
}

// While a bootstrap only waits for its next attempt, registrations go on: with a bootstrap server
// that is down the device still registers with the server that has come back.
func TestRegistrationsGoOnBetweenBootstraps(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.bootstrapConfig()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
		w.servers[0].answers(refuse)
		w.servers[1].silent()
		w.start(cfg)
		w.servers[0].next()
		w.servers[1].next()
		if s := w.bootstrap(); s.State != lwm2m.BootstrapRequesting || s.Reason == nil {
			t.Errorf("status %v", s)
		}
		<-time.After(250 * time.Second)
		w.wantBootstrap(lwm2m.BootstrapWaiting)
		w.servers[0].next() // the failed bootstrap restarts the account
		w.servers[0].answers(nil)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if s := w.wantBootstrap(lwm2m.BootstrapIdle); s.Reason != nil {
			t.Errorf("status %v", s)
		}
	})
}

// Several servers that refuse the device at once, with a bootstrap server that does nothing about
// it, make no storm.
func TestNoBootstrapStorm(t *testing.T) {
	for _, accepts := range []bool{false, true} {
		inWorld(t, 4, func(w *world) {
			cfg := w.bootstrapConfig()
			for i := range 3 {
				w.servers[i].answers(refuse)
				cfg.Servers[i].Instance = func(i *lwm2m.ServerInstance) {
					i.CommunicationRetryCount, i.CommunicationRetryTimer = dm.Uint(1), dm.Uint(1)
				}
			}
			if accepts {
				w.servers[3].answers(accept)
			}
			w.start(cfg)
			const day = 24 * time.Hour
			<-time.After(day)
			for i, s := range w.servers {
				if n := len(s.requests); n < 10 || n > 60 {
					t.Errorf("server %d has got %d requests within a day (accepts %v)", i+1, n, accepts)
				}
			}
		})
	}
}

// A device bootstraps after its last account is removed.
func TestBootstrapAfterRemoveServer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		c := w.start(w.bootstrapConfig())
		w.servers[0].next()
		w.servers[1].quiet(time.Minute)
		w.must(c.RemoveServer(context.Background(), 1))
		if r := w.servers[1].next(); r.path != "/bs" {
			t.Errorf("the device sent %v", r)
		}
		if s := w.bootstrap(); s.Reason == nil || !strings.Contains(s.Reason.Error(), "no management server") {
			t.Errorf("status %v", s)
		}
	})
}

// An account that cannot be used is none: the device bootstraps.
func TestBootstrapWithoutUsableAccount(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		w.must(sec.Update(context.Background(), 1, func(i *lwm2m.SecurityInstance) error {
			i.ServerURI = dm.Str("sip://s1")
			return nil
		}))
		boot, _, err := lwm2m.Server{URI: "coap://s1", Bootstrap: true}.Instances()
		w.must(err)
		w.must(sec.Add(9, boot))
		w.start(cfg)
		w.wantState(1, lwm2m.StateInvalid)
		if r := w.servers[0].next(); r.path != "/bs" {
			t.Errorf("the device sent %v", r)
		}
	})
}

// Offline there is no bootstrap; it follows when the client is online again. Suspend ends an
// attempt without counting it as a failure.
func TestBootstrapOffline(t *testing.T) {
	for _, scheme := range [][]string{nil, {"coap"}} {
		inWorld(t, 1, func(w *world) {
			w.servers[0].answers(accept)
			c := w.start(w.bootstrapConfig())
			w.servers[0].next()
			w.wantBootstrap(lwm2m.BootstrapServing)
			if n := len(w.sockets()); n != 1 {
				t.Errorf("%d sockets during a bootstrap", n)
			}
			c.Suspend(scheme...)
			if s := w.wantBootstrap(lwm2m.BootstrapIdle); s.Awaits != "Resume" || s.Attempts != 0 {
				t.Errorf("status %+v", s)
			}
			if n := len(w.sockets()); n != 0 {
				t.Errorf("%d sockets offline", n)
			}
			w.servers[0].quiet(time.Hour)
			c.Resume(scheme...)
			w.servers[0].within(time.Minute)
			if sent, received := c.Traffic(); sent == 0 || received == 0 {
				t.Errorf("traffic %d, %d", sent, received)
			}
		})
	}
}

// A client shuts down in every phase of a bootstrap. inWorld checks that nothing is left.
func TestShutdownDuringBootstrap(t *testing.T) {
	for _, end := range []func(*lwm2m.Client){(*lwm2m.Client).Shutdown, (*lwm2m.Client).Detach} {
		for name, fn := range map[string]func(request) answer{"silence": func(request) answer { return answer{} }, "refusal": refuse, "acceptance": accept} {
			inWorld(t, 1, func(w *world) {
				w.servers[0].answers(fn)
				c := w.start(w.bootstrapConfig())
				w.servers[0].next()
				<-time.After(time.Second)
				end(c)
				<-c.Done()
				if s := c.Status().Bootstrap; s.State != lwm2m.BootstrapIdle || s.Reason != nil {
					t.Errorf("%s: status %v", name, s)
				}
				w.servers[0].quiet(time.Hour)
			})
		}
	}
}

// A request of the bootstrap server outside of a bootstrap is ignored, unless
// Config.ServerBootstrap lets the server begin.
func TestUnsolicitedBootstrap(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		inWorld(t, 2, func(w *world) {
			cfg := w.bootstrapConfig()
			cfg.ServerBootstrap = allowed
			w.start(cfg)
			w.servers[0].next()
			<-time.After(time.Minute)
			if n, want := len(w.sockets()), map[bool]int{false: 1, true: 2}[allowed]; n != want {
				t.Errorf("%d sockets, want %d", n, want)
			}
			w.wantBootstrap(lwm2m.BootstrapIdle)
		})
	}
}

// The account of the bootstrap server changes: the next attempt uses the new one, without the pause
// after a failure of the old one.
func TestBootstrapAccountChanges(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.bootstrapConfig()
		cfg.Servers = cfg.Servers[1:]
		cfg.Servers[0].URI = "coap://s1"
		w.servers[0].answers(refuse)
		w.servers[1].answers(accept)
		c := w.start(cfg)
		w.servers[0].intervals(5)
		w.update(dm.ResourcePath(0, 0, 0), dm.StringValue("coap://s2"))
		w.servers[1].within(time.Second)
		w.update(dm.ResourcePath(0, 0, 0), dm.StringValue("sip://nonsense"))
		if s := w.wantBootstrap(lwm2m.BootstrapWaiting); s.Err == nil {
			t.Errorf("status %v", s)
		}
		t1, err := c.Model().Begin(context.Background(), dm.Application)
		w.must(err)
		w.must(t1.Delete(dm.InstancePath(0, 0)))
		w.must(t1.Commit())
		if s := w.wantBootstrap(lwm2m.BootstrapIdle); s.URI != "" || s.Reason != nil {
			t.Errorf("status %v", s)
		}
		if err := c.RequestBootstrap(); !errors.Is(err, lwm2m.ErrNoBootstrap) {
			t.Errorf("RequestBootstrap: %v", err)
		}
	})
}
