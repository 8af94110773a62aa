package lwm2m_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// intervals are the times between n requests.
func (s *rdServer) intervals(n int) []time.Duration {
	s.t.Helper()
	last := s.within(200 * time.Hour).at
	var d []time.Duration
	for range n {
		at := s.within(200 * time.Hour).at
		d = append(d, at.Sub(last))
		last = at
	}
	return d
}

func equalDurations(a []time.Duration, b ...time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func refuse(request) answer { return answer{code: coap.Forbidden, text: "not you"} }

// Without a bootstrap server the specification's sequence restarts an hour after its last attempt.
func TestRetryDefaults(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		w.start(w.config())
		got := w.servers[0].intervals(6)
		if !equalDurations(got, 60*time.Second, 120*time.Second, 240*time.Second, 480*time.Second, time.Hour, 60*time.Second) {
			t.Errorf("attempts at intervals %v", got)
		}
	})
}

func TestRetryConfigured(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount = dm.Uint(3)
			i.CommunicationRetryTimer = dm.Uint(10)
			i.CommunicationSequenceDelayTimer = dm.Uint(1000)
			i.CommunicationSequenceRetryCount = dm.Uint(2)
			i.BootstrapOnRegistrationFailure = dm.Bool(false)
		}
		srv := w.servers[0]
		srv.answers(refuse)
		w.start(cfg)
		srv.next()
		s := w.wantState(1, lwm2m.StateError)
		var refused *lwm2m.ResponseError
		if !errors.As(s.Err, &refused) || refused.Code != coap.Forbidden || refused.Diagnostic != "not you" {
			t.Errorf("error %v", s.Err)
		}
		if s.Attempts != 1 || s.Plan != "next attempt" || time.Until(s.Next) != 10*time.Second {
			t.Errorf("status %+v", s)
		}
		if text := s.String(); !strings.Contains(text, "4.03") || !strings.Contains(text, "not you") || !strings.Contains(text, "next attempt at") {
			t.Errorf("the status reads %q", text)
		}
		srv.intervals(4)
		if s := w.wantState(1, lwm2m.StateFailed); s.Attempts != 6 {
			t.Errorf("status %+v", s)
		}
		srv.answers(nil)
		srv.next()
		if s := w.wantState(1, lwm2m.StateRegistered); s.Attempts != 0 || s.Err != nil {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRetryIntervals(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount = dm.Uint(3)
			i.CommunicationRetryTimer = dm.Uint(10)
			i.CommunicationSequenceDelayTimer = dm.Uint(1000)
			i.CommunicationSequenceRetryCount = dm.Uint(2)
		}
		w.servers[0].answers(refuse)
		w.start(cfg)
		got := w.servers[0].intervals(6)
		const s = time.Second
		if !equalDurations(got, 10*s, 20*s, 1000*s, 10*s, 20*s, 1000*s) {
			t.Errorf("attempts at intervals %v", got)
		}
	})
}

// The largest delay means that there is no sequence after the first.
func TestRetryNever(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount = dm.Uint(1)
			i.CommunicationSequenceDelayTimer = dm.Uint(1<<32 - 1)
		}
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[0].quiet(300 * time.Hour)
		if s := w.wantState(1, lwm2m.StateFailed); !s.Next.IsZero() {
			t.Errorf("status %+v", s)
		}
		if err := c.Register(1); err != nil { // the application may still want it
			t.Fatal(err)
		}
		w.servers[0].next()
	})
}

func TestBusyServer(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(request) answer { return answer{code: coap.ServiceUnavailable, maxAge: 900} })
		w.start(w.config())
		if got := w.servers[0].intervals(1); !equalDurations(got, 900*time.Second) {
			t.Errorf("tried again after %v, want the Max-Age of 900 s", got)
		}
	})
}

func TestBootstrapWanted(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.CommunicationRetryCount = dm.Uint(1) }
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[0].quiet(200 * time.Hour)
		w.wantState(1, lwm2m.StateFailed)
		var refused *lwm2m.ResponseError
		if err := c.Status().BootstrapWanted; !errors.As(err, &refused) {
			t.Errorf("a bootstrap is wanted because of %v", err)
		}
		if len(c.Status().Servers) != 1 {
			t.Errorf("the bootstrap server is taken for a management server: %v", c.Status().Servers)
		}
	})
}

func TestRequestBootstrap(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.RequestBootstrap(); !errors.Is(err, lwm2m.ErrNoBootstrap) {
			t.Errorf("without a bootstrap server: %v", err)
		}
		if code := w.servers[0].do(coap.POST, "/1/0/9", "", -1); code != coap.MethodNotAllowed {
			t.Errorf("the server's trigger: %v, want 4.05", code)
		}
	})
}

// A host name that cannot be resolved, a dead server, and one that nobody listens at: each says why.
func TestWhyNotRegistered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://nowhere"})
		w.servers[0].host.SetDown(true)
		w.start(cfg)
		if s := w.wantState(2, lwm2m.StateError); !errors.Is(s.Err, socket.ErrAddressNotFound) {
			t.Errorf("status %v", s)
		}
		if s := w.wantState(1, lwm2m.StateRegistering); s.Err != nil {
			t.Errorf("status %v", s)
		}
		<-time.After(94 * time.Second)
		if s := w.wantState(1, lwm2m.StateError); !errors.Is(s.Err, coap.ErrTimeout) {
			t.Errorf("status %v", s)
		}
	})
}

// A second address of a host is tried when the first is silent.
func TestOtherAddress(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers = cfg.Servers[:1]
		cfg.Servers[0].URI = "coap://both"
		w.net.SetName("both", w.servers[0].host.Addrs()[0], w.servers[1].host.Addrs()[0])
		w.servers[0].host.SetDown(true)
		w.start(cfg)
		w.servers[1].next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}
