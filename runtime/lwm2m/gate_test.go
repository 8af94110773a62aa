package lwm2m_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// whileRegistering has the server send a Read of /3/0/16 before it answers each Register with a.
// The channel gets the outcomes.
func (s *rdServer) whileRegistering(a func(request) answer) <-chan coap.Result {
	outcomes := make(chan coap.Result, 10)
	s.answers(func(r request) answer {
		if r.path == "/rd" {
			read := &coap.Call{Code: coap.GET, Done: func(r coap.Result) { outcomes <- coap.Result{Code: r.Code, Err: r.Err} }}
			read.Options.AddPath("/3/0/16")
			if err := s.conn.Do(read); err != nil {
				s.t.Error(err)
			}
		}
		return a(r)
	})
	return outcomes
}

// A request that overtakes the response to Register is answered when that is there, over datagrams
// and over streams.
func TestRequestOvertakesRegistration(t *testing.T) {
	for _, uri := range []string{"coap://s1", "coap+tcp://s1"} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			cfg.Servers[0].URI = uri
			outcomes := w.servers[0].whileRegistering(registrar)
			w.start(cfg)
			w.servers[0].next()
			select {
			case r := <-outcomes:
				if r.Err != nil || r.Code != coap.Content {
					t.Errorf("%s: the Read is answered %v (%v), want 2.05", uri, r.Code, r.Err)
				}
			case <-time.After(5 * time.Second):
				t.Errorf("%s: the Read is not answered", uri)
			}
			w.wantState(1, lwm2m.StateRegistered)
		})
	}
}

// A server that has refused the registration is ignored, and served once it has accepted one.
func TestServerWithoutRegistrationIsIgnored(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		outcomes := srv.whileRegistering(refuse)
		c := w.start(w.config())
		srv.next()
		w.wantState(1, lwm2m.StateError)
		srv.answers(nil)
		select {
		case r := <-outcomes:
			t.Errorf("the Read is answered %v (%v), want no answer", r.Code, r.Err)
		case <-time.After(50 * time.Second):
		}
		c.RegisterAll()
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		if code := srv.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
			t.Errorf("after the registration the Read is %v", code)
		}
		if r := <-outcomes; r.Err == nil && r.Code != coap.Content || r.Err != nil && !errors.Is(r.Err, coap.ErrTimeout) {
			t.Errorf("the early Read ends with %v, %v", r.Code, r.Err)
		}
	})
}

// Not more than a few early requests are held; the others are sent again.
func TestManyRequestsOvertakeRegistration(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		srv := w.servers[0]
		var outcomes []<-chan coap.Result
		one := registrar
		for range 20 {
			outcome := srv.whileRegistering(one)
			srv.mu.Lock()
			one = srv.answer
			srv.mu.Unlock()
			outcomes = append(outcomes, outcome)
		}
		w.start(w.config())
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		for i, outcome := range outcomes {
			if r := <-outcome; r.Err != nil || r.Code != coap.Content {
				t.Errorf("Read %d is answered %v (%v)", i, r.Code, r.Err)
			}
		}
	})
}

// De-register does not wait behind a confirmable notification that is not acknowledged yet.
func TestDeregisterGoesFirst(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Transmission = coap.Params{AckTimeout: time.Minute}
		cfg.ShutdownTimeout = 10 * time.Second
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.DefaultNotificationMode, i.DisableTimeout = dm.Int(1), dm.Int(60)
		}
		srv := w.servers[0]
		w.start(cfg)
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		observed := make(chan coap.Code, 10)
		srv.sched.Post(func() {
			call := &coap.Call{Code: coap.GET, Observe: func(coap.Result) {}, Done: func(r coap.Result) { observed <- r.Code }}
			call.Options.AddPath("/1/0/5")
			if err := srv.conn.Do(call); err != nil {
				t.Error(err)
			}
		})
		if code := <-observed; code != coap.Content {
			t.Fatalf("Observe is answered %v", code)
		}
		if err := w.net.SetDefaultLink(linkDelay(4 * time.Second)); err != nil {
			t.Fatal(err)
		}
		// The notification is acknowledged 8 s later.
		w.update(dm.ResourcePath(1, 0, 5), dm.IntegerValue(5))
		<-time.After(time.Second)
		begun := time.Now()
		w.stop()
		if r := srv.next(); r.code != coap.DELETE || time.Since(begun) > 5*time.Second {
			t.Errorf("%v after %v, want De-register without waiting", r, time.Since(begun))
		}
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		w.client = nil
	})
}
