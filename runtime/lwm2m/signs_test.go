package lwm2m_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// The first refusal by the network shows at once, and the second ends the attempt.
func TestRefusalShowsAtOnce(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Servers = []lwm2m.Server{{URI: "coap://nobody", Lifetime: time.Hour}}
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		w.net.NewHost("nobody")
		w.start(cfg)
		s := w.wantState(1, lwm2m.StateRegistering)
		if !errors.Is(s.Err, socket.ErrRefused) || s.Err.Error() != "no response yet: 198.18.0.2:5683 refuses datagrams" {
			t.Errorf("status %v", s)
		}
		<-time.After(4 * time.Second) // the first retransmission
		s = w.wantState(1, lwm2m.StateError)
		if !errors.Is(s.Err, socket.ErrRefused) || s.Attempts != 1 || s.Plan != "next attempt" {
			t.Errorf("status %v", s)
		}
		w.shutdown()
		if text := "refuses datagrams"; !strings.Contains(log.String(), text) {
			t.Errorf("the log lacks %q:\n%s", text, log.String())
		}
	})
}

// A server that is silent shows when the first transmission is lost, not when the last one is.
func TestSilenceShowsSoon(t *testing.T) {
	for _, uri := range []string{"coap://s1", "coap+tcp://s1"} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].URI = uri
			w.servers[0].silent()
			w.start(cfg)
			w.servers[0].next()
			<-time.After(3 * time.Second)
			if s := w.wantState(1, lwm2m.StateRegistering); s.Err == nil || !strings.HasPrefix(s.Err.Error(), "no response yet from 198.18.0.1:5683") {
				t.Errorf("status %v", s)
			}
			w.servers[0].answers(nil)
			if uri == "coap://s1" {
				w.servers[0].next()
				if s := w.wantState(1, lwm2m.StateRegistered); s.Err != nil {
					t.Errorf("status %v", s)
				}
			}
		})
	}
}

// What a De-register was slow in does not show as the reason of what follows it.
func TestReasonAfterSlowDeregister(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.must(c.Disable(1, 0))
		srv.next()
		<-time.After(30 * time.Minute)
		w.wantState(1, lwm2m.StateDeregistered)
		srv.silent()
		w.must(c.Enable(1))
		if s := w.wantState(1, lwm2m.StateReregistering); s.Err != nil {
			t.Errorf("status %v", s)
		}
	})
}

// A refusal is an answer: "no response yet" does not outlive it.
func TestReasonAfterSlowRefusal(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(2 * time.Second)
		w.servers[0].answers(func(r request) answer {
			if r.has("lwm2m=1.2") {
				return answer{code: coap.PreconditionFailed}
			}
			return answer{}
		})
		w.start(w.config())
		for r := w.servers[0].next(); !r.has("lwm2m=1.1"); r = w.servers[0].next() {
		}
		if s := w.wantState(1, lwm2m.StateRegistering); s.Err != nil && strings.Contains(s.Err.Error(), "no answer") {
			t.Errorf("status %v", s)
		}
	})
}
