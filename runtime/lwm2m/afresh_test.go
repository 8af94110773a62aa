package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A registration begins without observations, also over the connection of the one before.
func TestRegistrationEndsObservations(t *testing.T) {
	onBench(t, func(b *bench) {
		b.start()
		dev := b.server.WaitRegistered("dev")
		o, a, err := dev.Observe(context.Background(), "/1/0/1", content.Text)
		if err != nil || o == nil {
			t.Fatalf("Observe is answered %v (%v)", a, err)
		}
		if err := b.client.Register(1); err != nil {
			t.Fatal(err)
		}
		b.server.WaitEvent(1, "registered", "dev")
		b.write(dm.ResourcePath(1, 0, 1), 7200)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if a, err := o.Next(ctx); err == nil {
			t.Errorf("notified of %v", a)
		}
	})
}

// write sets a whole number, as the application.
func (b *bench) write(p dm.Path, v int64) {
	b.t.Helper()
	tx, err := b.client.Model().Begin(context.Background(), dm.Application)
	if err != nil {
		b.t.Fatal(err)
	}
	defer tx.Rollback()
	if err := tx.Write(p, dm.Update, []dm.Entry{{Path: p, Value: dm.IntegerValue(v)}}); err != nil {
		b.t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.t.Fatal(err)
	}
}

// An Update that was asked for while there was nothing to update is not made up for.
func TestUpdateBeforeRegistration(t *testing.T) {
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

// An Update that was asked for is sent also where something else has changed since, to no effect.
func TestUpdateIsNotForgotten(t *testing.T) {
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
		w.update(dm.ResourcePath(1, 0, 2), dm.IntegerValue(5)) // of which the registration says nothing
		srv.within(5 * time.Second)
		srv.within(5 * time.Second)
		srv.quiet(10 * time.Minute)
	})
}

// A registration without end is still known however long the device was away; one with an end is not, and the status forgets it.
func TestRegistrationAfterLongAbsence(t *testing.T) {
	for _, endless := range []bool{true, false} {
		inWorld(t, 1, func(w *world) {
			cfg := w.config()
			if endless {
				cfg.Servers[0].Lifetime = -1 * time.Second
			}
			c := w.start(cfg)
			srv := w.servers[0]
			srv.next()
			w.wantState(1, lwm2m.StateRegistered)
			c.Suspend()
			srv.quiet(1000 * time.Hour)
			srv.answers(refuse)
			c.Resume()
			want := "/rd"
			if endless {
				want = "/rd/5a3f"
			}
			if r := srv.within(time.Second); r.path != want {
				t.Errorf("endless %v: got %v, want %s", endless, r, want)
			}
			if endless {
				srv.within(time.Second) // the Register that follows
			}
			if s := w.wantState(1, lwm2m.StateError); s.Location != "" || s.Lifetime != 0 || !s.Expires.IsZero() {
				t.Errorf("endless %v: status %+v", endless, s)
			}
		})
	}
}

// A location may be anywhere.
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

// Whatever else happens while the server is being told, it is told once, and the status says why.
func TestDeregistersOnce(t *testing.T) {
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
		if err := errors.Join(c.Disable(1, 0), c.Register(1), c.Update(1)); err != nil {
			t.Fatal(err)
		}
		srv.quiet(4 * time.Second)
		<-c.Done()
	})
}
