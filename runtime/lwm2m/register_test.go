package lwm2m_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

const links12 = `</>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543",</1/0>,</3/0>`

func TestRegister(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.start(w.config())
		r := w.servers[0].next()
		if r.code != coap.POST || r.path != "/rd" || r.format != 40 {
			t.Errorf("got %v with format %d, want POST /rd with 40", r, r.format)
		}
		if want := []string{"ep=dev", "lt=3600", "lwm2m=1.2", "b=UT"}; !slices.Equal(r.query, want) {
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
		if got := w.sockets(); len(got) != 1 || got[0].ServerID() != 1 || got[0].URI() != "coap://s1" ||
			got[0].QueueMode() {
			t.Errorf("sockets %v", got)
		}
		w.shutdown()
		if r := w.servers[0].next(); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("at the end %v, want the de-registration", r)
		}
		w.servers[0].quiet(time.Hour)
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
			want := []lwm2m.State{lwm2m.StateConnecting, lwm2m.StateRegistering, lwm2m.StateRegistered,
				lwm2m.StateUpdating, lwm2m.StateReregistering, lwm2m.StateRegistered}
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
		// The Update has timed out; the Register after it is being retransmitted.
		if r := srv.within(10 * time.Minute); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestRegisterParameters(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.SMSNumber, cfg.QueueMode, cfg.AlternatePath = "+4912345", &lwm2m.QueueMode{}, "/lwm2m"
		w.start(cfg)
		r := w.servers[0].next()
		want := []string{"ep=dev", "lt=3600", "lwm2m=1.2", "b=UT", "Q", "sms=+4912345"}
		if !slices.Equal(r.query, want) {
			t.Errorf("query %q, want %q", r.query, want)
		}
		links := `</lwm2m>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543",</lwm2m/1/0>,</lwm2m/3/0>`
		if r.body != links {
			t.Errorf("links %s, want %s", r.body, links)
		}
	})
}

func TestRegisterWithoutLocation(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(request) answer { return answer{code: coap.Created} })
		w.start(w.config())
		w.servers[0].next()
		if s := w.wantState(1, lwm2m.StateError); !errors.Is(s.Err, lwm2m.ErrNoLocation) {
			t.Errorf("error %v", s.Err)
		}
	})
}

// A location may have any path.
func TestLocationOfOneSegment(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(r request) answer {
			switch {
			case r.path == "/rd":
				return answer{code: coap.Created, location: "/7"}
			case r.code == coap.DELETE:
				return answer{code: coap.Deleted}
			}
			return answer{code: coap.Changed}
		})
		c := w.start(w.config())
		w.servers[0].next()
		if s := w.wantState(1, lwm2m.StateRegistered); s.Location != "/7" {
			t.Errorf("status %v", s)
		}
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.String() != "POST /7" {
			t.Errorf("got %v", r)
		}
		w.shutdown()
		if r := w.servers[0].next(); r.String() != "DELETE /7" {
			t.Errorf("got %v", r)
		}
	})
}

// Register does not register a disabled or offline account, and waits for a de-registration in
// flight.
func TestRegisterRespectsDisableAndSuspend(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		register := func() {
			t.Helper()
			if err := c.Register(1); err != nil {
				t.Fatal(err)
			}
		}
		c.Suspend()
		register()
		srv.quiet(time.Minute)
		w.wantState(1, lwm2m.StateSuspended)
		c.Resume()
		srv.within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.slowLink(time.Second)
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		w.wantState(1, lwm2m.StateDeregistering)
		if err := c.Enable(1); err != nil {
			t.Fatal(err)
		}
		register()
		if r := srv.within(2 * time.Second); r.code != coap.DELETE {
			t.Errorf("got %v", r)
		}
		if r := srv.within(3 * time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		<-time.After(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		srv.within(2 * time.Second)
		register()
		srv.quiet(time.Minute)
		w.wantState(1, lwm2m.StateDeregistered)
	})
}

// Register sends a Register, even over a new connection after which an Update would be enough.
func TestRegisterWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		w.net.SetLookupDelay(time.Second)
		c.Resume()
		w.wantState(1, lwm2m.StateConnecting)
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(2 * time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
	})
}
