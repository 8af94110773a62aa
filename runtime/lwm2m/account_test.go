package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"strings"
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

// New credentials or a new URI lead to a new registration, and failed attempts are counted from the
// start.
func TestChangedAccountRegistersAgain(t *testing.T) {
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
				if got := w.seen(); !slices.Contains(got, lwm2m.StateRegistering) ||
					slices.Contains(got, lwm2m.StateReregistering) {
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

// An account that is removed and added again during the de-registration is registered afterwards.
func TestAccountIsAddedAgainWhileLeaving(t *testing.T) {
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

// Removing an account cancels everything that was planned for it.
func TestRemovedAccountLeavesNoJobs(t *testing.T) {
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
		<-time.After(5 * time.Minute) // CoAP has forgotten its messages
		c.Sched().Post(func() { left <- c.Sched().Len() })
		if n := <-left; n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

// A bootstrap server with a Short Server ID (some bootstrap servers write one) is not a management
// server.
func TestBootstrapServerIsNoManagementServer(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, sec, _ := own(w)
		if err := sec.Update(context.Background(), 1, func(i *security.Instance) error {
			i.BootstrapServer = dm.Bool(true)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		c := w.start(cfg)
		if r := w.servers[0].next(); r.path != "/bs" {
			t.Errorf("the device sent %v", r)
		}
		if n := len(c.Status().Servers); n != 0 {
			t.Errorf("%d management servers", n)
		}
	})
}

// Objects without the checks of this toolkit may contain a Short Server ID twice: the first
// instance counts.
func TestDuplicateShortServerID(t *testing.T) {
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

// An account that cannot be used does not block other accounts, and is tried again when the
// application calls Register.
func TestInvalidAccountIsTriedAgain(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		var locked atomic.Bool
		cfg.Secure = func(a lwm2m.Account, _ *socket.Security) error {
			if locked.Load() && a.URI == "coap://s1" {
				return errors.New("the secure element is locked")
			}
			return nil
		}
		c, err := lwm2m.New(cfg) // New checks the credentials, too
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

// An account that changes during the de-registration can still be registered later.
func TestAccountChangesWhileLeaving(t *testing.T) {
	for name, later := range map[string]struct {
		off, on func(*lwm2m.Client) error
		state   lwm2m.State
	}{
		"disabled": {func(c *lwm2m.Client) error { return c.Disable(1, 0) },
			func(c *lwm2m.Client) error { return c.Enable(1) }, lwm2m.StateDeregistering},
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

// An account whose URI changes during name resolution does not wait for the old name.
func TestURIChangesWhileConnecting(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg, _, _ := own(w)
		w.net.SetLookupDelay(30 * time.Second)
		w.start(cfg)
		w.wantState(1, lwm2m.StateConnecting)
		w.net.SetLookupDelay(0)
		w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s2"))
		w.servers[1].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.servers[0].quiet(time.Minute)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

func TestServersAtRunTime(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		sec, srv := accounts(t, 1)
		cfg.Servers = nil
		cfg.Objects = append(cfg.Objects, sec, srv)
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)

		addAccount(t, sec, srv, 2, "coap://s2")
		if r := w.servers[1].within(time.Second); r.path != "/rd" || !strings.Contains(r.body, "</1/2>") {
			t.Errorf("the new server got %v with %s", r, r.body)
		}
		w.wantState(2, lwm2m.StateRegistered)
		for len(w.servers[0].requests) > 0 {
			if r := w.servers[0].next(); r.code != coap.POST || r.path != "/rd/5a3f" {
				t.Errorf("the other server got %v", r)
			}
		}
		w.wantState(2, lwm2m.StateRegistered)

		if err := srv.Remove(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[0].within(time.Second); r.String() != "DELETE /rd/5a3f" {
			t.Errorf("the removed server got %v", r)
		}
		if r := w.servers[1].within(time.Second); strings.Contains(r.body, "</1/1>") || r.path != "/rd/5a3f" {
			t.Errorf("the remaining server got %v with %s", r, r.body)
		}
		w.wantState(2, lwm2m.StateRegistered)
		if n := len(w.client.Status().Servers); n != 1 {
			t.Errorf("%d servers in the status, want 1", n)
		}
	})
}

// A server with a new URI gets a Register at its new address.
func TestServerURIChanges(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := w.config()
		sec, srv := accounts(t, 1)
		cfg.Servers = nil
		cfg.Objects = append(cfg.Objects, sec, srv)
		w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.update(dm.ResourcePath(0, 1, 0), dm.StringValue("coap://s2"))
		if r := w.servers[1].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		if s := w.wantState(1, lwm2m.StateRegistered); s.URI != "coap://s2" {
			t.Errorf("status %v", s)
		}
	})
}

// A lifetime that cannot be sent, in a Server object that does not refuse it, makes the account
// invalid, at the start and later.
func TestLifetimeThatCannotBeSent(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		sec, _ := accounts(t, 1)
		srv, err := genserver.New(genserver.Config{})
		must(t, err)
		i := server.Template()
		i.ShortServerID, i.Lifetime, i.Binding = dm.Int(1), dm.Int(1<<40), dm.Str("U")
		i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
		must(t, srv.Add(1, i))
		cfg := w.config()
		cfg.Servers, cfg.Objects = nil, append(cfg.Objects, sec, srv)
		w.start(cfg)
		for _, lifetime := range []int64{1 << 40, -5} {
			w.update(dm.ResourcePath(1, 1, 1), dm.IntegerValue(lifetime))
			if s := w.wantState(1, lwm2m.StateInvalid); !strings.Contains(s.Err.Error(), "/1/1: Lifetime must be from 0") {
				t.Errorf("status %v", s)
			}
			w.update(dm.ResourcePath(1, 1, 1), dm.IntegerValue(3600))
			if r := w.servers[0].within(time.Second); !r.has("lt=3600") {
				t.Errorf("got %v, want the Register", r)
			}
			w.wantState(1, lwm2m.StateRegistered)
		}
	})
}
