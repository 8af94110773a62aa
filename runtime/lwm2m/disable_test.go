package lwm2m_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A Disable Timeout of 0 counts as one second: the server asked for a pause, not for the end.
func TestDisableTimeoutOfZero(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.DisableTimeout = dm.Int(0) }
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		if code := srv.do(coap.POST, "/1/0/4", "", -1); code != coap.Changed {
			t.Errorf("Disable: %v", code)
		}
		left := srv.next()
		if r := srv.within(2 * time.Second); left.code != coap.DELETE || r.path != "/rd" ||
			r.at.Sub(left.at) != time.Second {
			t.Errorf("got %v and %v after it %v", left, r.at.Sub(left.at), r)
		}
	})
}

// A Disable replaces an earlier one. After Enable or Register all attempts are available again.
func TestDisableReplacesDisable(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		for _, d := range []time.Duration{time.Minute, 0} {
			if err := c.Disable(1, d); err != nil {
				t.Fatal(err)
			}
		}
		srv.next()
		srv.quiet(time.Hour)
		srv.answers(refuse)
		for what, again := range map[string]func() error{
			"Enable":   func() error { return errors.Join(c.Disable(1, 0), c.Enable(1)) },
			"Register": func() error { return errors.Join(c.Enable(1), c.Register(1)) },
		} {
			if err := c.Enable(1); err != nil {
				t.Fatal(err)
			}
			srv.within(time.Second)
			srv.intervals(1)
			if s := w.wantState(1, lwm2m.StateError); s.Attempts < 2 {
				t.Errorf("status %v", s)
			}
			if err := again(); err != nil {
				t.Fatal(err)
			}
			srv.within(time.Second)
			if s := w.wantState(1, lwm2m.StateError); s.Attempts != 1 || time.Until(s.Next) != time.Minute {
				t.Errorf("after %s: status %v", what, s)
			}
			if err := c.Disable(1, 0); err != nil {
				t.Fatal(err)
			}
			w.wantState(1, lwm2m.StateDeregistered)
		}
	})
}

// De-register is sent once, whatever else happens before its response, and the status gives the
// reason.
func TestDeregisterIsSentOnce(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		srv.next()
		if s := w.wantState(1, lwm2m.StateDeregistering); !errors.Is(s.Err, lwm2m.ErrDisabled) {
			t.Errorf("status %v", s)
		}
		c.Suspend("coap+tcp")
		c.Resume("coap+tcp")
		if err := errors.Join(c.Enable(1), c.Disable(1, 0), c.Register(1), c.Update(1)); err != nil {
			t.Fatal(err)
		}
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(60))
		srv.quiet(time.Minute)
		w.wantState(1, lwm2m.StateDeregistering)
		c.Shutdown()
		srv.quiet(2 * time.Second)
		<-c.Done()
	})
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		c.Shutdown()
		srv.next()
		if s := w.wantState(1, lwm2m.StateDeregistering); !errors.Is(s.Err, lwm2m.ErrClosed) {
			t.Errorf("status %v", s)
		}
		c.Shutdown()
		_, _, _ = c.Disable(1, 0), c.Register(1), c.Update(1) // they are refused
		srv.quiet(4 * time.Second)
		<-c.Done()
	})
}

// Enable restarts the count of attempts.
func TestEnableResetsAttempts(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		c := w.start(w.config())
		w.servers[0].intervals(2)
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 3 {
			t.Errorf("status %+v", s)
		}
		if err := errors.Join(c.Disable(1, 0), c.Enable(1)); err != nil {
			t.Fatal(err)
		}
		w.servers[0].within(time.Second)
		if s := w.wantState(1, lwm2m.StateError); s.Attempts != 1 || time.Until(s.Next) != time.Minute ||
			time.Since(s.Since) != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestDisableEnable(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.status(1)
		if err := c.Disable(1, time.Hour); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v", r)
		}
		if s := w.wantState(1, lwm2m.StateDeregistered); !errors.Is(s.Err, lwm2m.ErrDisabled) {
			t.Errorf("status %v", s)
		}
		srv.quiet(59 * time.Minute)
		srv.within(2 * time.Minute)
		w.wantState(1, lwm2m.StateRegistered)

		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		srv.next()
		srv.quiet(200 * time.Hour)
		if err := c.Enable(1); err != nil {
			t.Fatal(err)
		}
		srv.within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Disable(7, 0); !errors.Is(err, lwm2m.ErrUnknownServer) {
			t.Errorf("Disable of a server that does not exist: %v", err)
		}
	})
}

// The trigger of an Update for a disabled account, by another server, is refused: it would have no
// effect.
func TestUpdateTriggerOfDisabledAccount(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.servers[1].next()
		w.wantState(2, lwm2m.StateRegistered)
		if err := c.Disable(1, time.Hour); err != nil {
			t.Fatal(err)
		}
		w.servers[0].next()
		w.wantState(1, lwm2m.StateDeregistered)
		if code := w.servers[1].do(coap.POST, "/1/0/8", "", -1); code != coap.MethodNotAllowed {
			t.Errorf("/1/0/8 of the disabled account: %v, want 4.05", code)
		}
		if code := w.servers[1].do(coap.POST, "/1/1/8", "", -1); code != coap.Changed {
			t.Errorf("/1/1/8 of the server's own account: %v, want 2.04", code)
		}
		w.servers[1].next()
	})
}
