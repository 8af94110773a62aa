package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

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

func TestSuspendResume(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.status(1)
		c.Suspend()
		if s := w.wantState(1, lwm2m.StateSuspended); !errors.Is(s.Err, lwm2m.ErrOffline) || s.Location == "" || !c.Status().Offline {
			t.Errorf("status %v", s)
		}
		srv.quiet(time.Minute)
		c.Resume()
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" {
			t.Errorf("got %v, want an Update", r)
		}
		w.wantState(1, lwm2m.StateRegistered)

		c.Suspend()
		srv.quiet(2 * time.Hour) // the registration ends meanwhile
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

// Offline and back while the name is still being resolved: nothing of the first attempt disturbs the second.
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

func TestShutdownWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.net.SetLookupDelay(10 * time.Second)
		w.start(w.config())
		w.wantState(1, lwm2m.StateConnecting)
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 0 {
			t.Errorf("the shut-down took %v", d)
		}
	})
}

// A server that does not answer holds up the shut-down for the stated time and no longer.
func TestShutdownTimeout(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.ShutdownTimeout = 3 * time.Second
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].silent()
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 3*time.Second {
			t.Errorf("the shut-down took %v, want 3s", d)
		}
		if r := w.servers[0].next(); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v", r)
		}
	})
}

// Register leaves alone who is disabled or offline, and waits for a de-registration that is on its way.
func TestRegisterDuringOther(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		register := func() {
			t.Helper()
			if err := c.Register(1); err != nil {
				t.Fatal(err)
			}
		}
		c.Suspend()
		register()
		srv.quiet(time.Minute)
		w.wantState(1, lwm2m.StateSuspended)
		c.Resume()
		srv.within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.slowLink(time.Second)
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		w.wantState(1, lwm2m.StateDeregistering)
		if err := c.Enable(1); err != nil {
			t.Fatal(err)
		}
		register()
		if r := srv.within(2 * time.Second); r.code != coap.DELETE {
			t.Errorf("got %v", r)
		}
		if r := srv.within(3 * time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		<-time.After(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		srv.within(2 * time.Second)
		register()
		srv.quiet(time.Minute)
		w.wantState(1, lwm2m.StateDeregistered)
	})
}

// Register means a Register, also where a connection is being made that an Update would have followed.
func TestRegisterWhileConnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		w.net.SetLookupDelay(time.Second)
		c.Resume()
		w.wantState(1, lwm2m.StateConnecting)
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(2 * time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
	})
}

// A server that hangs up instead of answering the de-registration is not waited for.
func TestServerHangsUp(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.answers(func(request) answer {
			_ = srv.conn.Socket().Close() // within its own loop
			return answer{}
		})
		at := time.Now()
		if w.shutdown(); time.Since(at) != 0 {
			t.Errorf("the shut-down took %v", time.Since(at))
		}
		if r := srv.next(); r.code != coap.DELETE {
			t.Errorf("got %v", r)
		}
	})
}

// A Register that is on its way is waited for, so that the server does not keep what nobody wants any more.
func TestLeaveWhileRegistering(t *testing.T) {
	for name, answers := range map[string]func(request) answer{"accepted": nil, "refused": refuse} {
		for _, disable := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, disable %v", name, disable), func(t *testing.T) {
				inWorld(t, 1, func(w *world) {
					if err := w.net.SetDefaultLink(linkDelay(time.Second)); err != nil {
						t.Fatal(err)
					}
					c := w.start(w.config())
					srv := w.servers[0]
					srv.answers(answers)
					srv.next()
					if disable {
						if err := c.Disable(1, 0); err != nil {
							t.Fatal(err)
						}
					} else {
						w.stop()
					}
					w.wantState(1, lwm2m.StateDeregistering)
					if answers == nil {
						if r := srv.within(3 * time.Second); r.String() != "DELETE /rd/5a3f" {
							t.Errorf("got %v", r)
						}
					}
					srv.quiet(10 * time.Second)
					if disable {
						w.wantState(1, lwm2m.StateDeregistered)
					} else {
						<-c.Done()
					}
				})
			})
		}
	}
}

func TestShutdownFromCallback(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.OnStatus = func(s lwm2m.ServerStatus) {
			if s.State == lwm2m.StateRegistered {
				w.client.Shutdown()
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		if r := w.servers[0].within(time.Second); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("got %v", r)
		}
		<-c.Done()
		if err := c.Run(context.Background()); !errors.Is(err, lwm2m.ErrClosed) {
			t.Errorf("a second Run: %v", err)
		}
	})
}

// Functions find the client in their context.
func TestFromContext(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		got := make(chan *lwm2m.Client, 1)
		cfg := w.config()
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.Disable = func(ctx context.Context, _ dm.Args) error {
				got <- lwm2m.FromContext(ctx)
				return nil
			}
		}
		c := w.start(cfg)
		w.servers[0].next()
		w.status(1)
		w.execute(dm.ResourcePath(1, 0, 4))
		if found := <-got; found != c {
			t.Errorf("the client in the context is %p, want %p", found, c)
		}
		if lwm2m.FromContext(context.Background()) != nil {
			t.Error("there is a client in an empty context")
		}
	})
}

// Offline is offline: a server that does not answer the de-registration is not asked again.
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
