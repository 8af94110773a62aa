package lwm2m_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// slowLink makes every datagram take d.
func (w *world) slowLink(d time.Duration) {
	w.t.Helper()
	if err := w.net.SetDefaultLink(linkDelay(d)); err != nil {
		w.t.Fatal(err)
	}
}

// A lifetime counts from when the device has sent the Register, since the server's counts from later.
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
		if s := w.wantState(1, lwm2m.StateRegistered); s.Expires.Sub(begin) != 100*time.Second || s.Next.Sub(begin) != 50*time.Second {
			t.Errorf("expires after %v, with an update after %v", s.Expires.Sub(begin), s.Next.Sub(begin))
		}
		if r := srv.next(); r.at.Sub(begin) != 50700*time.Millisecond {
			t.Errorf("the Update arrived after %v", r.at.Sub(begin))
		}
	})
}

// An Update takes the place of the one that was planned.
func TestUpdateReplacesPlan(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(700 * time.Millisecond)
		cfg := w.config()
		cfg.Servers[0].Lifetime = 100 * time.Second
		c := w.start(cfg)
		srv := w.servers[0]
		begin := srv.next().at
		<-time.After(48900 * time.Millisecond) // the planned one is due while this one is on its way
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

// An Update that is asked for while another is on its way follows it.
func TestUpdateAskedForDuringUpdate(t *testing.T) {
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

// An Update that is not answered is followed by a new connection, to another address where there is one.
func TestSilentServerHasAnotherAddress(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers = cfg.Servers[:1]
		cfg.Servers[0].URI = "coap://both"
		w.net.SetName("both", w.servers[0].host.Addrs()[0], w.servers[1].host.Addrs()[0])
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].host.SetDown(true)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[1].within(2 * time.Minute); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// A server that asks to be left alone is, for that long or for the pause that is due anyway.
func TestBusyServers(t *testing.T) {
	for _, c := range []struct {
		code   coap.Code
		maxAge uint32
		want   time.Duration
	}{
		{coap.ServiceUnavailable, 10, 60 * time.Second},
		{coap.TooManyRequests, 900, 900 * time.Second},
		{coap.Forbidden, 900, 60 * time.Second},
	} {
		inWorld(t, 1, func(w *world) {
			w.servers[0].answers(func(request) answer { return answer{code: c.code, maxAge: c.maxAge} })
			w.start(w.config())
			if got := w.servers[0].intervals(1); !equalDurations(got, c.want) {
				t.Errorf("%v with Max-Age %d: tried again after %v, want %v", c.code, c.maxAge, got, c.want)
			}
		})
	}
}

// What a server says for itself is kept as far as it is worth reading, and is text.
func TestDiagnosticIsBounded(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("é", 150): strings.Repeat("é", 100), "x" + strings.Repeat("é", 150): "x" + strings.Repeat("é", 99), "\xff\xfe": "",
	} {
		inWorld(t, 1, func(w *world) {
			w.servers[0].answers(func(request) answer { return answer{code: coap.BadRequest, text: text} })
			w.start(w.config())
			w.servers[0].next()
			var refused *lwm2m.ResponseError
			if s := w.wantState(1, lwm2m.StateError); !errors.As(s.Err, &refused) || refused.Diagnostic != want {
				t.Errorf("error %v, want the text %q", s.Err, want)
			}
		})
	}
}

// A timer of no time is one of a second: nothing makes the device do nothing but try.
func TestRetryTimerIsNotZero(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount, i.CommunicationRetryTimer = dm.Uint(2), dm.Uint(0)
			i.CommunicationSequenceDelayTimer, i.CommunicationSequenceRetryCount = dm.Uint(0), dm.Uint(0)
		}
		w.servers[0].answers(refuse)
		w.start(cfg)
		if got := w.servers[0].intervals(3); !equalDurations(got, time.Second, time.Second, time.Second) {
			t.Errorf("attempts at intervals %v", got)
		}
		if s := w.status(1); s.Attempts != 4 {
			t.Errorf("status %v", s)
		}
	})
}
