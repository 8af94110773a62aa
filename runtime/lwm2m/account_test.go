package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	genserver "github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// own is a configuration whose account 1 the application has made itself.
func own(w *world) (lwm2m.Config, *security.Object, *server.Object) {
	cfg := w.config()
	sec, srv := accounts(w.t, 1)
	cfg.Servers = nil
	cfg.Objects = append(cfg.Objects, sec, srv)
	return cfg, sec, srv
}

// seen are the states since the last call.
func (w *world) seen() []lwm2m.State {
	var all []lwm2m.State
	for len(w.states) > 0 {
		all = append(all, (<-w.states).State)
	}
	return all
}

// Other credentials, or another place, mean another registration, with its attempts counted anew.
func TestAccountChanges(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"credentials": func(w *world) { w.update(dm.ResourcePath(0, 1, 5), dm.OpaqueValue([]byte("key"))) },
		"place":       func(w *world) { w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s1:5683/")) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg, _, _ := own(w)
				w.start(cfg)
				w.servers[0].next()
				w.wantState(1, lwm2m.StateRegistered)
				w.seen()
				w.servers[0].answers(refuse)
				change(w)
				if r := w.servers[0].within(time.Second); r.path != "/rd" {
					t.Errorf("got %v, want a Register", r)
				}
				if s := w.wantState(1, lwm2m.StateError); s.Attempts != 1 || s.Location != "" {
					t.Errorf("status %+v", s)
				}
				if got := w.seen(); !slices.Contains(got, lwm2m.StateRegistering) || slices.Contains(got, lwm2m.StateReregistering) {
					t.Errorf("the states were %v, want the first registration of a new account", got)
				}
				change2 := dm.StringValue("coap://s1:5683")
				w.update(dm.ResourcePath(0, 1, 0), change2)
				w.servers[0].within(time.Second)
				if s := w.wantState(1, lwm2m.StateError); s.Attempts != 1 {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

// An account that is removed and made again while the device still leaves is registered with again.
func TestAccountComesBack(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.slowLink(time.Second)
		cfg, sec, srv := own(w)
		w.start(cfg)
		w.servers[0].next()
		<-time.After(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		for _, remove := range []func(context.Context, dm.InstanceID) error{srv.Remove, sec.Remove} {
			if err := remove(context.Background(), 1); err != nil {
				t.Fatal(err)
			}
		}
		w.wantState(1, lwm2m.StateDeregistering)
		addAccount(t, sec, srv, 1, "coap://s1")
		if r := w.servers[0].next(); r.code != coap.DELETE {
			t.Errorf("got %v, want the de-registration", r)
		}
		if r := w.servers[0].within(5 * time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		<-time.After(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// With an account goes all that was planned for it.
func TestRemovedAccountLeavesNothing(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, _, srv := own(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Disable(1, time.Hour); err != nil {
			t.Fatal(err)
		}
		w.wantState(1, lwm2m.StateDeregistered)
		if err := srv.Remove(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		left := make(chan int, 1)
		<-time.After(5 * time.Minute) // the exchange layer has forgotten its messages
		c.Sched().Post(func() { left <- c.Sched().Len() })
		if n := <-left; n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

// A bootstrap server with a Short Server ID (some bootstrap servers write one) is no management server.
func TestBootstrapAccountIsNone(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		if err := sec.Update(context.Background(), 1, func(i *security.Instance) error {
			i.BootstrapServer = dm.Bool(true)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c := w.start(cfg)
		w.servers[0].quiet(time.Hour)
		if n := len(c.Status().Servers); n != 0 {
			t.Errorf("%d management servers", n)
		}
	})
}

// Objects without this toolkit's checks may hold a Short Server ID twice: the first counts.
func TestUncheckedAccounts(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		sec, err := gensecurity.New(gensecurity.Config{})
		if err != nil {
			t.Fatal(err)
		}
		srv, err := genserver.New(genserver.Config{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			s := security.Template()
			s.ServerURI, s.BootstrapServer, s.SecurityMode = dm.Str("coap://s1"), dm.Bool(false), dm.Int(3)
			s.ShortServerID = dm.Int(1)
			inst := server.Template()
			inst.ShortServerID, inst.Lifetime, inst.Binding = dm.Int(1), dm.Int(int64(100+i)), dm.Str("U")
			inst.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
			id := dm.InstanceID(i)
			if err := errors.Join(sec.Add(id, s), srv.Add(id, inst)); err != nil {
				t.Fatal(err)
			}
		}
		cfg := w.config()
		cfg.Servers = nil
		cfg.Objects = append(cfg.Objects, sec, srv)
		c := w.start(cfg)
		if r := w.servers[0].next(); !r.has("lt=100") {
			t.Errorf("got %v", r)
		}
		w.servers[0].quiet(10 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		if n := len(c.Status().Servers); n != 1 {
			t.Errorf("%d servers: %v", n, c.Status())
		}
	})
}

// An account that cannot be used holds nobody back that it is not to, and is tried again when the application asks.
func TestInvalidAccount(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		var locked atomic.Bool
		cfg.Secure = func(uri string, _ *socket.Security) error {
			if locked.Load() && uri == "coap://s1" {
				return errors.New("the secure element is locked")
			}
			return nil
		}
		c, err := lwm2m.New(cfg) // which looks at the credentials, too
		if err != nil {
			t.Fatal(err)
		}
		locked.Store(true)
		w.run(c)
		w.servers[1].next()
		w.wantState(2, lwm2m.StateRegistered)
		w.wantState(1, lwm2m.StateInvalid)
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		w.wantState(1, lwm2m.StateInvalid)
		locked.Store(false)
		if err := c.Register(1); err != nil {
			t.Fatal(err)
		}
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// The order passes over who is offline, also when that comes about later.
func TestOrderPassesOverOffline(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.servers[0].host.SetDown(true)
		c := w.start(cfg)
		w.servers[1].quiet(10 * time.Second)
		w.wantState(1, lwm2m.StateConnecting)
		c.Suspend("coap+tcp")
		w.servers[1].within(time.Second)
		w.wantState(2, lwm2m.StateRegistered)
		w.wantState(1, lwm2m.StateSuspended)
	})
}

// An account that is added offline waits for Resume, whatever its initial delay.
func TestAddedOffline(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, sec, srv := own(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		s := security.Template()
		s.ServerURI, s.BootstrapServer, s.SecurityMode, s.ShortServerID = dm.Str("coap://s2"), dm.Bool(false), dm.Int(3), dm.Int(2)
		if err := sec.Add(2, s); err != nil {
			t.Fatal(err)
		}
		i := server.Template()
		i.ShortServerID, i.Lifetime, i.Binding, i.InitialRegistrationDelayTimer = dm.Int(2), dm.Int(3600), dm.Str("U"), dm.Uint(10)
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

// A Disable Timeout of 0 is one of a second: the server asked for a pause and not for an end.
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
		if r := srv.within(2 * time.Second); left.code != coap.DELETE || r.path != "/rd" || r.at.Sub(left.at) != time.Second {
			t.Errorf("got %v and %v after it %v", left, r.at.Sub(left.at), r)
		}
	})
}

// A Disable takes the place of the one before, and Enable and Register begin with all attempts.
func TestLastWordCounts(t *testing.T) {
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

// An account that was given up keeps no connection, and the first reason for a bootstrap is the one that is kept.
func TestGivenUp(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		cfg.Servers[1] = lwm2m.Server{URI: "coap://s2", Bootstrap: true}
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount, i.CommunicationSequenceRetryCount = dm.Uint(1), dm.Uint(3)
			i.CommunicationSequenceDelayTimer = dm.Uint(1<<32 - 1)
		}
		w.servers[0].answers(refuse)
		c := w.start(cfg)
		w.servers[0].next()
		w.servers[0].quiet(300 * time.Hour) // the delay without end leaves one sequence
		w.wantState(1, lwm2m.StateFailed)
		if n := len(w.sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
		why := c.Status().BootstrapWanted
		if err := c.RequestBootstrap(); err != nil {
			t.Fatal(err)
		}
		w.status(1)
		if now := c.Status().BootstrapWanted; why == nil || !errors.Is(now, why) {
			t.Errorf("a bootstrap is wanted because of %v, before because of %v", now, why)
		}
	})
}

// An account that changes while the device leaves its server is one to register with later all the same.
func TestAccountChangesWhileLeaving(t *testing.T) {
	for name, later := range map[string]struct {
		off, on func(*lwm2m.Client) error
		state   lwm2m.State
	}{
		"disabled": {func(c *lwm2m.Client) error { return c.Disable(1, 0) }, func(c *lwm2m.Client) error { return c.Enable(1) }, lwm2m.StateDeregistering},
		"disabled and offline": {
			func(c *lwm2m.Client) error { err := c.Disable(1, 0); c.Suspend(); return err },
			func(c *lwm2m.Client) error { c.Resume(); return c.Enable(1) },
			lwm2m.StateDeregistered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				cfg, _, _ := own(w)
				w.slowLink(time.Second)
				c := w.start(cfg)
				w.servers[0].next()
				<-time.After(2 * time.Second)
				w.wantState(1, lwm2m.StateRegistered)
				if err := later.off(c); err != nil {
					t.Fatal(err)
				}
				w.wantState(1, later.state)
				w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s2"))
				w.wantState(1, lwm2m.StateDeregistered)
				w.servers[1].quiet(time.Hour)
				if err := later.on(c); err != nil {
					t.Fatal(err)
				}
				w.servers[1].within(5 * time.Second)
				<-time.After(2 * time.Second)
				w.wantState(1, lwm2m.StateRegistered)
			})
		})
	}
}
