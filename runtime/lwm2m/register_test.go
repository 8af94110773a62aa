package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func socketRefused(err error) bool { return errors.Is(err, socket.ErrRefused) }

func clientContext(c *lwm2m.Client) context.Context { return lwm2m.ContextOf(c) }

const links12 = `</>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543",</1/0>,</3/0>`

func TestRegister(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		r := w.servers[0].next()
		if r.code != coap.POST || r.path != "/rd" || r.format != 40 {
			t.Errorf("got %v with format %d, want POST /rd with 40", r, r.format)
		}
		if want := []string{"ep=dev", "lt=3600", "lwm2m=1.2", "b=U"}; !slices.Equal(r.query, want) {
			t.Errorf("query %q, want %q", r.query, want)
		}
		if r.body != links12 {
			t.Errorf("links %s, want %s", r.body, links12)
		}
		s := w.wantState(1, lwm2m.StateRegistered)
		if s.Version != registry.V(1, 2) || s.Location != "/rd/5a3f" || s.Lifetime != time.Hour || s.Err != nil {
			t.Errorf("status %+v", s)
		}
		if left := time.Until(s.Expires); left != time.Hour {
			t.Errorf("the registration expires in %v, want 1h", left)
		}
		if got := w.sockets(); len(got) != 1 || got[0].ServerID() != 1 || got[0].URI() != "coap://s1" || got[0].QueueMode() {
			t.Errorf("sockets %v", got)
		}
		w.shutdown()
		if r := w.servers[0].next(); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("at the end %v, want the de-registration", r)
		}
		w.servers[0].quiet(time.Hour)
	})
}

// The update comes MAX_TRANSMIT_WAIT (93 s) before the end of a long lifetime, and after half of a short one.
func TestUpdateTiming(t *testing.T) {
	for _, c := range []struct{ lifetime, want time.Duration }{
		{time.Hour, time.Hour - 93*time.Second},
		{186 * time.Second, 93 * time.Second},
		{100 * time.Second, 50 * time.Second},
		{time.Second, time.Second / 2},
	} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].Lifetime = c.lifetime
			w.start(cfg)
			first := w.servers[0].next()
			for range 3 {
				r := w.servers[0].next()
				if got := r.at.Sub(first.at); got != c.want || r.String() != "POST /rd/5a3f" || r.format != -1 {
					t.Errorf("lifetime %v: %v with format %d after %v, want a bare update after %v", c.lifetime, r, r.format, got, c.want)
				}
				first = r
			}
			if s := w.wantState(1, lwm2m.StateRegistered); s.Plan != "update" || time.Until(s.Next) != c.want {
				t.Errorf("plan %q in %v", s.Plan, time.Until(s.Next))
			}
		})
	}
}

func TestInfiniteLifetime(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Lifetime = -1 * time.Second
		w.start(cfg)
		if r := w.servers[0].next(); !r.has("lt=0") {
			t.Errorf("got %v, want lt=0", r)
		}
		w.servers[0].quiet(200 * time.Hour)
		if s := w.wantState(1, lwm2m.StateRegistered); !s.Expires.IsZero() || !s.Next.IsZero() {
			t.Errorf("status %+v", s)
		}
	})
}

func TestUpdateSendsWhatChanged(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.status(1)

		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(7200))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=7200" || r.body != "" {
			t.Errorf("after a change of the lifetime %v with %q", r, r.body)
		}
		w.update(dm.ResourcePath(1, 0, 7), dm.StringValue("UT"))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?b=UT" || r.body != "" {
			t.Errorf("after a change of the binding %v with %q", r, r.body)
		}
		if err := c.Model().Register(context.Background(), newSensor(t, 1, 5)); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" || r.body != links12+",</3303>;ver=1.1,</3303/1>,</3303/5>" || r.format != 40 {
			t.Errorf("after a new object %v with %q", r, r.body)
		}
		w.update(dm.ResourcePath(1, 0, 2), dm.IntegerValue(5))
		srv.quiet(time.Minute)
		if s := w.wantState(1, lwm2m.StateRegistered); s.Lifetime != 2*time.Hour {
			t.Errorf("status %+v", s)
		}
	})
}

// Changes while an update is under way are told of with the next.
func TestUpdateDuringUpdate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		if err := w.net.SetDefaultLink(linkDelay(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		w.start(w.config())
		srv := w.servers[0]
		srv.next()
		<-time.After(time.Second)
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(7200))
		srv.next()
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(7201))
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(7202))
		if r := srv.within(2 * time.Second); r.String() != "POST /rd/5a3f?lt=7202" {
			t.Errorf("got %v, want one update with the last lifetime", r)
		}
		srv.quiet(time.Minute)
	})
}

func TestTrigger(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		w.servers[0].next()
		w.status(1)
		w.execute(dm.ResourcePath(1, 0, 8))
		if r := w.servers[0].within(time.Second); r.String() != "POST /rd/5a3f" || r.body != "" {
			t.Errorf("got %v, want an update without parameters", r)
		}
	})
}

func TestRegisterAgainAfterUpdateFailed(t *testing.T) {
	for _, code := range []coap.Code{coap.NotFound, coap.BadRequest, coap.Forbidden} {
		inWorld(t, 1, func(w *world) {
			c := w.start(w.config())
			srv := w.servers[0]
			srv.next()
			w.status(1)
			srv.answers(func(r request) answer {
				if r.path == "/rd" {
					return answer{code: coap.Created, location: "/rd/next"}
				}
				return answer{code: code}
			})
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			srv.next()
			if r := srv.within(time.Second); r.path != "/rd" || !r.has("ep=dev") || r.body != links12 {
				t.Errorf("after %v: %v, want a Register", code, r)
			}
			if s := w.wantState(1, lwm2m.StateRegistered); s.Location != "/rd/next" || s.Attempts != 0 {
				t.Errorf("status %+v", s)
			}
			var seen []lwm2m.State
			for len(w.states) > 0 {
				seen = append(seen, (<-w.states).State)
			}
			want := []lwm2m.State{lwm2m.StateConnecting, lwm2m.StateRegistering, lwm2m.StateRegistered, lwm2m.StateUpdating,
				lwm2m.StateReregistering, lwm2m.StateRegistered}
			if !slices.Equal(seen, want) {
				t.Errorf("states %v, want %v", seen, want)
			}
		})
	}
}

func TestRegisterAgainAfterSilence(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.status(1)
		w.net.Cut(w.host, srv.host)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		<-time.After(94 * time.Second)
		w.net.Heal(w.host, srv.host)
		// The update has timed out; the Register after it is being sent again and again.
		if r := srv.within(10 * time.Minute); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestVersionFallBack(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.QueueMode = true
		srv := w.servers[0]
		srv.answers(func(r request) answer {
			if r.path == "/rd" && !r.has("lwm2m=1.0") {
				return answer{code: coap.PreconditionFailed}
			}
			return registrar(r)
		})
		c := w.start(cfg)
		if r := srv.next(); !r.has("lwm2m=1.2") {
			t.Errorf("first %v", r)
		}
		want := `</>;rt="oma.lwm2m";ct="112 110 60 11542 11543",</1>;ver=1.2,</1/0>,</3>;ver=1.2,</3/0>`
		if r := srv.next(); !r.has("lwm2m=1.1") || !r.has("Q") || !r.has("b=U") || r.body != want {
			t.Errorf("then %v with %s, want version 1.1 with Q and %s", r, r.body, want)
		}
		want = `</>;rt="oma.lwm2m";ct=11543,</1>;ver="1.2",</1/0>,</3>;ver="1.2",</3/0>`
		if r := srv.next(); !r.has("lwm2m=1.0") || r.has("Q") || !r.has("b=UQ") || r.body != want {
			t.Errorf("at last %v with %s, want version 1.0 with b=UQ and %s", r, r.body, want)
		}
		w.wantState(1, lwm2m.StateRegistered)
		// It is remembered.
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		if r := srv.next(); !r.has("lwm2m=1.0") {
			t.Errorf("registering again begins with %v", r)
		}
	})
}

func TestVersionExhausted(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.MinVersion, cfg.MaxVersion = registry.V(1, 1), registry.V(1, 1)
		srv := w.servers[0]
		srv.answers(func(request) answer { return answer{code: coap.PreconditionFailed, text: "only 1.0"} })
		w.start(cfg)
		if r := srv.next(); !r.has("lwm2m=1.1") {
			t.Errorf("got %v", r)
		}
		s := w.wantState(1, lwm2m.StateError)
		var refused *lwm2m.ResponseError
		if !errors.Is(s.Err, lwm2m.ErrVersion) || !errors.As(s.Err, &refused) || refused.Diagnostic != "only 1.0" {
			t.Errorf("error %v", s.Err)
		}
	})
}

func TestServerVersions(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.SupportedServerVersions = dm.List("1.0", "1.1.1", "2.0") }
		w.start(cfg)
		if r := w.servers[0].next(); !r.has("lwm2m=1.1") {
			t.Errorf("got %v, want the highest common version 1.1", r)
		}
	})
}

func TestParameters(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.SMSNumber, cfg.QueueMode, cfg.AlternatePath = "+4912345", true, "/lwm2m"
		w.start(cfg)
		r := w.servers[0].next()
		if want := []string{"ep=dev", "lt=3600", "lwm2m=1.2", "b=U", "Q", "sms=+4912345"}; !slices.Equal(r.query, want) {
			t.Errorf("query %q, want %q", r.query, want)
		}
		want := `</lwm2m>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543",</lwm2m/1/0>,</lwm2m/3/0>`
		if r.body != want {
			t.Errorf("links %s, want %s", r.body, want)
		}
	})
}

func TestNoLocation(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(request) answer { return answer{code: coap.Created} })
		w.start(w.config())
		w.servers[0].next()
		if s := w.wantState(1, lwm2m.StateError); !errors.Is(s.Err, lwm2m.ErrNoLocation) {
			t.Errorf("error %v", s.Err)
		}
	})
}

func TestStream(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		if r := srv.next(); !r.has("b=T") {
			t.Errorf("got %v, want binding T", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		<-time.After(time.Minute)
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		if r := srv.within(time.Minute); r.path != "/rd" {
			t.Errorf("after the connection ended %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		// At once again: the server may have restarted. The client tries once more after a short pause
		// and is in no hurry after that.
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		srv.quiet(time.Second - time.Nanosecond)
		srv.within(time.Second + time.Nanosecond)
		w.wantState(1, lwm2m.StateRegistered)
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		srv.quiet(59 * time.Second)
		w.wantState(1, lwm2m.StateError)
		srv.within(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}
