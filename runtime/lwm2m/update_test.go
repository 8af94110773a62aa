package lwm2m_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An Update that is requested while the device is not registered has no effect later.
func TestUpdateBeforeRegistrationHasNoEffect(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateError)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		w.servers[0].answers(nil)
		if r := w.servers[0].next(); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.servers[0].quiet(10 * time.Minute)
	})
}

// A requested Update is sent even if something else changes in the meantime that needs no Update.
func TestRequestedUpdateIsSentAfterOtherChanges(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(time.Second)
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		<-time.After(2 * time.Second)
		for range 2 {
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			w.wantState(1, lwm2m.StateUpdating)
		}
		w.update(dm.ResourcePath(1, 0, 2), dm.IntegerValue(5)) // not part of a registration
		srv.within(5 * time.Second)
		srv.within(5 * time.Second)
		srv.quiet(10 * time.Minute)
	})
}

// A lifetime counts from when the device has sent the Register. The server counts from later.
func TestLifetimeCountsFromSending(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(700 * time.Millisecond)
		cfg := w.config()
		cfg.Servers[0].Lifetime = 100 * time.Second
		begin := time.Now()
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		<-time.After(time.Second)
		if s := w.wantState(1, lwm2m.StateRegistered); s.Expires.Sub(begin) != 100*time.Second ||
			s.Next.Sub(begin) != 50*time.Second {
			t.Errorf("expires after %v, with an update after %v", s.Expires.Sub(begin), s.Next.Sub(begin))
		}
		if r := srv.next(); r.at.Sub(begin) != 50700*time.Millisecond {
			t.Errorf("the Update arrived after %v", r.at.Sub(begin))
		}
	})
}

// A requested Update replaces the planned one.
func TestUpdateReplacesPlannedUpdate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(700 * time.Millisecond)
		cfg := w.config()
		cfg.Servers[0].Lifetime = 100 * time.Second
		c := w.start(cfg)
		srv := w.servers[0]
		begin := srv.next().at
		<-time.After(48900 * time.Millisecond) // the planned Update is due during this one
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if s := w.wantState(1, lwm2m.StateUpdating); s.Plan != "" {
			t.Errorf("there is still a plan: %v", s)
		}
		srv.next()
		srv.quiet(48 * time.Second)
		if r := srv.next(); r.at.Sub(begin) < 98*time.Second {
			t.Errorf("the next Update arrived after %v", r.at.Sub(begin))
		}
	})
}

// An Update that is requested during another one follows it.
func TestUpdateRequestedDuringUpdate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(100 * time.Millisecond)
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		<-time.After(time.Second)
		for range 3 {
			if err := c.Update(1); err != nil {
				t.Fatal(err)
			}
			w.wantState(1, lwm2m.StateUpdating)
		}
		srv.within(time.Second)
		srv.within(time.Second)
		srv.quiet(10 * time.Minute)
	})
}

// An Update is sent MAX_TRANSMIT_WAIT (93 s) before the end of a long lifetime, and after half of a
// short one.
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
					t.Errorf("lifetime %v: %v with format %d after %v, want a bare update after %v", c.lifetime,
						r, r.format, got, c.want)
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
		w.update(dm.ResourcePath(1, 0, 7), dm.StringValue("T"))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?b=T" || r.body != "" {
			t.Errorf("after a change of the binding %v with %q", r, r.body)
		}
		if err := c.Model().Register(context.Background(), newSensor(t, 1, 5)); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" ||
			r.body != links12+",</3303>;ver=1.1,</3303/1>,</3303/5>" || r.format != 40 {
			t.Errorf("after a new object %v with %q", r, r.body)
		}
		w.update(dm.ResourcePath(1, 0, 2), dm.IntegerValue(5))
		srv.quiet(time.Minute)
		if s := w.wantState(1, lwm2m.StateRegistered); s.Lifetime != 2*time.Hour {
			t.Errorf("status %+v", s)
		}
	})
}

// Changes during an Update are sent with the next one.
func TestChangeDuringUpdate(t *testing.T) {
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

func TestUpdateTrigger(t *testing.T) {
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

// A server may have applied an Update that it answers with an error of its own, such as 5.04, or
// with a success that is not defined for Update. The next Update says everything, as after a lost
// response. One that the server has not looked at, which 5.03 says, changes nothing.
func TestUpdateOfUnknownOutcomeSaysEverythingAgain(t *testing.T) {
	for code, want := range map[coap.Code]string{
		coap.GatewayTimeout: "POST /rd/5a3f?lt=3600&b=UT", coap.InternalServerError: "POST /rd/5a3f?lt=3600&b=UT",
		coap.Created: "POST /rd/5a3f?lt=3600&b=UT", coap.ServiceUnavailable: "POST /rd/5a3f", coap.TooManyRequests: "POST /rd/5a3f",
	} {
		inWorld(t, 1, func(w *world) {
			w.start(w.config())
			srv := w.servers[0]
			srv.next()
			w.wantState(1, lwm2m.StateRegistered)
			srv.answers(func(request) answer { return answer{code: code} })
			w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(200))
			if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=200" {
				t.Fatalf("got %v, want the Update", r)
			}
			srv.answers(nil)
			w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(3600))
			if r := srv.next(); r.String() != want || (r.body == links12) != strings.Contains(want, "lt") {
				t.Errorf("after %v: got %v with %q, want %s", code, r, r.body, want)
			}
			w.wantState(1, lwm2m.StateRegistered)
		})
	}
}

// A server that sends the response to an Update in small and slow pieces does not keep the device
// from registering again when the lifetime ends, nor one that does so with the response to Register
// from trying again after Config.MaxServerPause.
func TestResponseInSlowPieces(t *testing.T) {
	for _, path := range []string{"/rd/5a3f", "/rd"} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].Lifetime = 10 * time.Minute
			cfg.BlockSize, cfg.MaxServerPause = 16, 2*time.Hour
			srv := w.servers[0]
			srv.answers(func(r request) answer {
				if r.path == path {
					return answer{code: coap.Changed, text: strings.Repeat("x", 60_000)}
				}
				return registrar(r)
			})
			w.slowLink(10 * time.Second)
			w.start(cfg)
			first := srv.next()
			limit := cfg.MaxServerPause
			if path != "/rd" {
				first, limit = srv.next(), 10*time.Minute
			}
			if first.path != path {
				t.Fatalf("got %v, want a request to %s", first, path)
			}
			if r := srv.within(limit + 5*time.Minute); r.path != "/rd" {
				t.Errorf("got %v, want a Register", r)
			}
			srv.answers(nil)
			w.slowLink(0)
		})
	}
}
