package lwm2m_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// Detach ends Run without a De-register and keeps the security session, so that the next client
// registers with it.
func TestDetach(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		c := w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		d.ends()
		c.Detach()
		c.Detach()
		if err := <-w.ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
		w.ended <- nil // for the end of the test
		srv.quiet(time.Hour)
		if how := d.ends(); !strings.HasPrefix(how, "shutdown") {
			t.Errorf("the connection ended by %q, want a shutdown that keeps the session first", how)
		}
		select {
		case <-c.Done():
		default:
			t.Error("the client is not done")
		}
		if err := c.Run(t.Context()); !errors.Is(err, lwm2m.ErrClosed) {
			t.Errorf("running it again: %v", err)
		}
		cfg.Objects = []dm.Object{newDevice(t)}
		w.start(cfg)
		if r := srv.within(time.Second); r.path != "/rd" {
			t.Errorf("the next client sends %v, want a Register", r)
		}
	})
}

// Detach has no effect once the client de-registers, and it also ends a client that is connecting.
func TestDetachInOtherStates(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Shutdown()
		c.Detach()
		if r := srv.within(time.Second); r.path != "/rd/5a3f" {
			t.Errorf("after Shutdown and Detach: %v, want a De-register", r)
		}
	})
	inWorld(t, 1, func(w *world) {
		w.slowLink(10 * time.Second)
		c := w.start(w.config())
		<-time.After(time.Second)
		w.wantState(1, lwm2m.StateRegistering)
		began := time.Now()
		c.Detach()
		if err := <-w.ended; err != nil || time.Since(began) > time.Second {
			t.Errorf("Run returned %v after %v", err, time.Since(began))
		}
		w.ended <- nil
	})
}
