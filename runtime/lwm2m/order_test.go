package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func TestSeveralServers(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		w.start(w.config())
		for i, srv := range w.servers {
			srv.next()
			w.wantState(lwm2m.ShortServerID(i+1), lwm2m.StateRegistered)
		}
		if n := len(w.sockets()); n != 3 {
			t.Errorf("%d sockets, want 3", n)
		}
		w.update(dm.ResourcePath(1, 1, 1), dm.IntegerValue(50))
		if r := w.servers[1].within(time.Second); !r.has("lt=50") {
			t.Errorf("got %v", r)
		}
		if len(w.servers[0].requests)+len(w.servers[2].requests) != 0 {
			t.Error("a change of one account was sent to other servers")
		}
	})
}

// ordered returns a configuration in which server i has the place places[i] in the order (/1/x/13).
func ordered(w *world, places ...uint64) lwm2m.Config {
	cfg := w.config()
	for i, place := range places {
		cfg.Servers[i].Instance = func(inst *lwm2m.ServerInstance) {
			inst.RegistrationPriorityOrder = dm.Uint(place)
			inst.CommunicationRetryCount = dm.Uint(2)
			inst.CommunicationRetryTimer = dm.Uint(100)
		}
	}
	return cfg
}

func TestOrder(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		if err := w.net.SetDefaultLink(linkDelay(time.Second)); err != nil {
			t.Fatal(err)
		}
		cfg := ordered(w, 30, 10, 20)
		with := cfg.Servers[2].Instance
		cfg.Servers[2].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.InitialRegistrationDelayTimer = dm.Uint(60)
		}
		w.start(cfg)
		begin := time.Now()
		second := w.servers[1].next()
		if s := w.wantState(1, lwm2m.StateInitial); s.Err == nil ||
			!strings.Contains(s.Err.Error(), "server 2 comes first") {
			t.Errorf("status %v", s)
		}
		third := w.servers[2].next()
		first := w.servers[0].next()
		got := []time.Duration{second.at.Sub(begin), third.at.Sub(begin), first.at.Sub(begin)}
		// Each Register takes two seconds. One account has an initial delay of a minute.
		if !equalDurations(got, time.Second, 63*time.Second, 65*time.Second) {
			t.Errorf("servers 2, 3, 1 registered with after %v", got)
		}
	})
}

func TestFailureBlocks(t *testing.T) {
	for _, block := range []bool{true, false} {
		inWorld(t, 2, func(w *world) {
			cfg := ordered(w, 1, 2)
			with := cfg.Servers[0].Instance
			cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
				with(i)
				i.RegistrationFailureBlock = dm.Bool(block)
			}
			w.servers[0].answers(refuse)
			c := w.start(cfg)
			w.servers[0].intervals(1) // both attempts
			if !block {
				w.servers[1].within(time.Second)
				w.wantState(2, lwm2m.StateRegistered)
				return
			}
			w.servers[1].quiet(time.Hour)
			if s := w.wantState(2, lwm2m.StateInitial); s.Err == nil || !strings.Contains(s.Err.Error(), "holds back") {
				t.Errorf("status %v", s)
			}
			if err := c.Disable(1, 0); err != nil { // a disabled account blocks no other
				t.Fatal(err)
			}
			w.servers[1].within(time.Second)
			w.wantState(2, lwm2m.StateRegistered)
		})
	}
}

// A server that is registered does not block others, even if its failure would.
func TestSuccessDoesNotBlock(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[0].Instance
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.RegistrationFailureBlock = dm.Bool(true)
		}
		w.start(cfg)
		w.servers[0].within(time.Second)
		w.servers[1].within(time.Second)
		w.wantState(2, lwm2m.StateRegistered)
	})
}

// No event lets a server start before its turn.
func TestOrderIsKept(t *testing.T) {
	for name, happens := range map[string]func(w *world, c *lwm2m.Client) error{
		"an account changes": func(w *world, _ *lwm2m.Client) error {
			w.update(dm.ResourcePath(1, 1, 1), dm.IntegerValue(60))
			return nil
		},
		"offline and back": func(w *world, c *lwm2m.Client) error {
			c.Suspend("coap+tcp")
			c.Resume("coap+tcp")
			return nil
		},
		"disabled and enabled": func(w *world, c *lwm2m.Client) error {
			return errors.Join(c.Disable(2, 0), c.Enable(2))
		},
		"an Update":  func(w *world, c *lwm2m.Client) error { c.UpdateAll(); return nil },
		"a Register": func(w *world, c *lwm2m.Client) error { return c.Register(2) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				cfg := ordered(w, 1, 2)
				cfg.Servers[1].URI = "coap+tcp://s2"
				w.servers[0].silent()
				c := w.start(cfg)
				w.servers[0].next()
				if err := happens(w, c); err != nil {
					t.Fatal(err)
				}
				w.servers[1].quiet(10 * time.Second)
				if s := w.status(2); s.State == lwm2m.StateConnecting || s.State == lwm2m.StateRegistering {
					t.Errorf("status %v", s)
				}
				w.servers[0].answers(nil)
				w.servers[1].next() // after the first Register has timed out
				w.wantState(2, lwm2m.StateRegistered)
			})
		})
	}
}

// The order of registrations skips accounts that are offline, also if they go offline later.
func TestOrderSkipsOfflineServers(t *testing.T) {
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

// An account that loses its place in the order (/1/x/13) no longer waits for its turn.
func TestAccountLosesPlaceInOrder(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[0].Instance
		cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.RegistrationFailureBlock = dm.Bool(true)
		}
		w.servers[0].answers(refuse)
		w.start(cfg)
		w.servers[0].intervals(1)
		w.wantState(2, lwm2m.StateInitial)
		tx, err := w.client.Model().Begin(context.Background(), dm.Application)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		instance := dm.InstancePath(1, 1)
		entries := []dm.Entry{
			{Path: dm.ResourcePath(1, 1, 1), Value: dm.IntegerValue(3600)},
			{Path: dm.ResourcePath(1, 1, 6), Value: dm.BooleanValue(true)},
			{Path: dm.ResourcePath(1, 1, 7), Value: dm.StringValue("U")},
			{Path: dm.ResourcePath(1, 1, 0), Value: dm.IntegerValue(2)},
		}
		if err := tx.Write(instance, dm.Replace, entries); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r := w.servers[1].within(time.Second); r.path != "/rd" {
			t.Errorf("got %v, want a Register", r)
		}
		w.wantState(2, lwm2m.StateRegistered)
	})
}
