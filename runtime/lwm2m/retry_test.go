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

func refuse(request) answer { return answer{code: coap.Forbidden, text: "not you"} }

// Without a bootstrap server the specification's sequence restarts an hour after its last attempt.
func TestRetryDefaults(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		w.start(w.config())
		got := w.servers[0].intervals(6)
		if !equalDurations(got, 60*time.Second, 120*time.Second, 240*time.Second, 480*time.Second, time.Hour,
			60*time.Second) {
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
		if text := s.String(); !strings.Contains(text, "4.03") || !strings.Contains(text, "not you") ||
			!strings.Contains(text, "next attempt at") {
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

// With the largest delay no sequence follows the first one.
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

func TestMaxAgeDelaysRegister(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(func(request) answer { return answer{code: coap.ServiceUnavailable, maxAge: 900} })
		w.start(w.config())
		if got := w.servers[0].intervals(1); !equalDurations(got, 900*time.Second) {
			t.Errorf("tried again after %v, want the Max-Age of 900 s", got)
		}
	})
}

// After a refusal with Max-Age the client pauses that long, or for the pause of the retry sequence
// if that is longer.
func TestMaxAgeOfRefusals(t *testing.T) {
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

// A diagnostic payload is kept if it is UTF-8, and cut to 200 bytes.
func TestDiagnosticIsBounded(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("é", 150):       strings.Repeat("é", 100),
		"x" + strings.Repeat("é", 150): "x" + strings.Repeat("é", 99),
		"\xff\xfe":                     "",
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

// A retry timer of 0 counts as one second, so that the device pauses between attempts.
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
