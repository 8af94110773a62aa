package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// An account that is added while the client is offline waits for Resume, whatever its initial
// delay.
func TestAccountAddedWhileOffline(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, sec, srv := own(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		s := security.Template()
		s.ServerURI, s.BootstrapServer, s.SecurityMode, s.ShortServerID = dm.Str("coap://s2"), dm.Bool(false),
			dm.Int(3), dm.Int(2)
		if err := sec.Add(2, s); err != nil {
			t.Fatal(err)
		}
		i := server.Template()
		i.ShortServerID, i.Lifetime, i.Binding, i.InitialRegistrationDelayTimer = dm.Int(2), dm.Int(3600),
			dm.Str("U"), dm.Uint(10)
		i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
		if err := srv.Add(2, i); err != nil {
			t.Fatal(err)
		}
		w.servers[1].quiet(time.Minute)
		w.wantState(2, lwm2m.StateSuspended)
		c.Resume()
		w.servers[1].within(time.Second)
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// After a long time offline a registration without an end is still valid. One with a lifetime is
// not, and the status no longer shows it.
func TestRegistrationAfterLongSuspend(t *testing.T) {
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
				srv.within(time.Second) // the Register after the Update
			}
			if s := w.wantState(1, lwm2m.StateError); s.Location != "" || s.Lifetime != 0 || !s.Expires.IsZero() {
				t.Errorf("endless %v: status %+v", endless, s)
			}
		})
	}
}

// Suspend cancels the next attempt, and Resume makes it at once.
func TestSuspendCancelsNextAttempt(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers[0].answers(refuse)
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateError)
		schemes := []string{"coap"}
		c.Suspend(schemes...)
		schemes[0] = "coaps"
		if s := w.wantState(1, lwm2m.StateSuspended); !s.Next.IsZero() || s.Plan != "" {
			t.Errorf("status %v", s)
		}
		w.servers[0].quiet(time.Hour)
		w.servers[0].answers(nil)
		c.Resume()
		w.servers[0].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// An account that is disabled while offline sends a Register when it is enabled, not an Update: the
// server may no longer have the registration.
func TestDisableWhileSuspended(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Location != "" {
			t.Errorf("status %+v", s)
		}
		c.Resume()
		w.servers[0].quiet(time.Minute)
		if err := c.Enable(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
	})
}

// A request that waits for a transaction when the device goes offline is not executed, because its
// response could not be sent.
func TestWaitingRequestEndsWithConnection(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		tx, err := c.Model().Begin(context.Background(), dm.Application)
		if err != nil {
			t.Fatal(err)
		}
		srv.send(coap.PUT, "/1/0/2", "7")
		synctest.Wait()
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		tx.Rollback()
		synctest.Wait()
		v, err := c.Model().Snapshot().Value(context.Background(), dm.Application, dm.ResourcePath(1, 0, 2))
		if err == nil {
			t.Errorf("now it is %v", v)
		}
	})
}

func TestSuspendResume(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.status(1)
		c.Suspend()
		if s := w.wantState(1, lwm2m.StateSuspended); !errors.Is(s.Err, lwm2m.ErrOffline) || s.Location == "" ||
			!c.Status().Offline {
			t.Errorf("status %v", s)
		}
		srv.quiet(time.Minute)
		c.Resume()
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" {
			t.Errorf("got %v, want an Update", r)
		}
		w.wantState(1, lwm2m.StateRegistered)

		c.Suspend()
		srv.quiet(2 * time.Hour) // the registration expires in the meantime
		c.Resume()
		if r := srv.within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestSuspendByScheme(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1].URI = "coap+tcp://s2"
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[1].next()
		c.Suspend("coap+TCP")
		w.wantState(1, lwm2m.StateRegistered)
		w.wantState(2, lwm2m.StateSuspended)
		c.Resume("COAP+tcp")
		if r := w.servers[1].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register over the new connection", r)
		}
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// After Suspend and Resume during name resolution, the first attempt does not disturb the second.
func TestSuspendWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.net.SetLookupDelay(10 * time.Second)
		c := w.start(w.config())
		w.wantState(1, lwm2m.StateConnecting)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		c.Resume()
		w.wantState(1, lwm2m.StateConnecting)
		w.servers[0].within(11 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
	})
}

// A De-register without a response is not repeated while the client is offline.
func TestSuspendWhileLeaving(t *testing.T) {
	for _, end := range []bool{false, true} {
		inWorld(t, 1, func(w *world) {
			c := w.start(w.config())
			w.servers[0].next()
			w.wantState(1, lwm2m.StateRegistered)
			w.servers[0].host.SetDown(true)
			if end {
				c.Shutdown()
			} else if err := c.Disable(1, 0); err != nil {
				t.Fatal(err)
			}
			w.wantState(1, lwm2m.StateDeregistering)
			at := time.Now()
			c.Suspend()
			if end {
				if <-c.Done(); time.Since(at) != 0 {
					t.Errorf("the shut-down took %v", time.Since(at))
				}
				return
			}
			if s := w.wantState(1, lwm2m.StateDeregistered); s.Location != "" {
				t.Errorf("status %+v", s)
			}
			if n := len(w.sockets()); n != 0 {
				t.Errorf("%d sockets", n)
			}
			w.servers[0].host.SetDown(false)
			w.servers[0].quiet(10 * time.Minute)
		})
	}
}

// deaf is a dialer whose sockets never connect. Connect returns when its context ends, but not when
// the socket is closed.
type deaf struct {
	socket.Dialer
	returned chan error
}

func (d deaf) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return deafSocket{s, d.returned}, err
}

type deafSocket struct {
	socket.Socket
	returned chan error
}

func (s deafSocket) Connect(ctx context.Context, _ socket.Endpoint) error {
	<-ctx.Done()
	s.returned <- ctx.Err()
	return ctx.Err()
}

// Suspend cancels Connect at once and does not wait for its timeout.
func TestSuspendCancelsConnect(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		d := deaf{w.host.Dialer(), make(chan error, 10)}
		cfg := w.config()
		cfg.Dialers = []socket.Dialer{d}
		c := w.start(cfg)
		w.wantState(1, lwm2m.StateConnecting)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		if n := len(d.returned); n != 1 {
			t.Errorf("%d connections have been given up", n)
		}
	})
}
