package lwm2m_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A client without servers can be suspended and resumed, and shuts down at once.
func TestClientWithoutServers(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		c := w.start(w.config())
		c.Suspend()
		synctest.Wait()
		if !c.Status().Offline {
			t.Error("the client is not offline")
		}
		c.Resume()
		synctest.Wait()
		if c.Status().Offline {
			t.Error("the client is offline")
		}
		at := time.Now()
		w.shutdown()
		if d := time.Since(at); d != 0 {
			t.Errorf("the shut-down took %v", d)
		}
	})
}

// The caller owns the Status.
func TestStatusIsACopy(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		c.Status().Servers[0].State = lwm2m.StateFailed
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// The status shows errors inside the data model.
func TestStatusShowsModelErrors(t *testing.T) {
	var no error
	sensor, err := temperature.New(temperature.Config{Hooks: temperature.Hooks{
		Commit:   func(context.Context, *temperature.Tx) error { return no },
		Rollback: func(context.Context, *temperature.Tx) error { return errors.New("cannot") },
	}})
	if err == nil {
		err = sensor.Add(0, temperature.Instance{SensorValue: dm.Float(1)})
	}
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, 0, func(w *world) {
		cfg := w.config()
		cfg.Objects = append(cfg.Objects, sensor)
		c := w.start(cfg)
		no = errors.New("no")
		err := sensor.Update(context.Background(), 0, func(i *temperature.Instance) error { i.SensorValue.Set(2); return nil })
		if s := c.Status().Model; err == nil || s.RollbackFailures != 1 || s.LastRollbackError == nil {
			t.Errorf("the Update is %v, the status %+v", err, s)
		}
	})
}

// While the client reconnects, the status says why the connection ended.
func TestStatusWhileReconnecting(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		srv := w.servers[0]
		w.start(cfg)
		srv.next()
		<-time.After(time.Minute)
		w.seen()
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		if s := <-w.states; s.State != lwm2m.StateConnecting || s.Err == nil ||
			!strings.Contains(s.Err.Error(), "the connection ended") {
			t.Errorf("status %v", s)
		}
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// The status lists accounts by ascending Short Server ID, in whatever order they were added.
func TestStatusIsSorted(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		cfg := w.config()
		sec, srv := accounts(t, 0)
		cfg.Servers = nil
		cfg.Objects = append(cfg.Objects, sec, srv)
		c := w.start(cfg)
		for _, id := range []dm.InstanceID{3, 1, 2} {
			addAccount(t, sec, srv, id, "coap://s"+string(rune('0'+id)))
			w.servers[id-1].next()
			w.wantState(lwm2m.ShortServerID(id), lwm2m.StateRegistered)
		}
		for i, s := range c.Status().Servers {
			if s.ShortID != lwm2m.ShortServerID(i+1) {
				t.Errorf("at %d is server %d", i, s.ShortID)
			}
		}
	})
}

// A Status prints a line for each server, and one for everything else that keeps the device from
// being managed.
func TestStatusString(t *testing.T) {
	registered := lwm2m.ServerStatus{ShortID: 1, URI: "coap://a", State: lwm2m.StateRegistered,
		Version: registry.V(1, 1), Location: "/rd/1"}
	failing := lwm2m.ServerStatus{
		ShortID: 2, URI: "coap://b", State: lwm2m.StateError, Err: errors.New("no answer"), Attempts: 3,
		Plan: "next attempt", Next: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	once := failing
	once.Attempts = 1
	for _, c := range []struct {
		status lwm2m.Status
		want   string
	}{
		{lwm2m.Status{}, "there is no account of a management server"},
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{registered, failing}},
			"server 1 (coap://a): registered with LwM2M 1.1 at /rd/1\n" +
				"server 2 (coap://b): error: no answer (3 attempts); next attempt at 2030-01-02T03:04:05Z"},
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{once}}, "server 2 (coap://b): error: no answer; next attempt at 2030-01-02T03:04:05Z"},
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{registered}, Offline: true,
			Bootstrap: lwm2m.BootstrapStatus{URI: "coap://bs", Reason: errors.New("all is lost"), Err: errors.New("no answer")}, Closed: true},
			"server 1 (coap://a): registered with LwM2M 1.1 at /rd/1\nthe client is offline\nbootstrap server (coap://bs): idle: a bootstrap is needed: all is lost; the last attempt: no answer\n" +
				"the client is shut down"},
	} {
		if got := c.status.String(); got != c.want {
			t.Errorf("the status reads\n%s\nwant\n%s", got, c.want)
		}
	}
	if got := lwm2m.State(99).String(); got != "unknown" {
		t.Errorf("a state that does not exist is %q", got)
	}
}

// Entering the same state again calls no callback and does not change Since.
func TestSameStateIsNotReported(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, _, _ := own(w)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Disable(1, 0); err != nil {
			t.Fatal(err)
		}
		since := w.wantState(1, lwm2m.StateDeregistered).Since
		w.seen()
		<-time.After(time.Minute)
		// The account needs a new connection, but only after Enable.
		w.update(dm.ResourcePath(0, 1, 5), dm.OpaqueValue([]byte("key")))
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Since != since {
			t.Errorf("the state lasts since %v, want %v", s.Since, since)
		}
		if got := w.seen(); len(got) != 0 {
			t.Errorf("OnStatus was called with %v", got)
		}
	})
}

// An account whose turn has come waits only for its initial delay, and the status shows this.
func TestInitialDelayInStatus(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		cfg := ordered(w, 1, 2)
		with := cfg.Servers[1].Instance
		cfg.Servers[1].Instance = func(i *lwm2m.ServerInstance) {
			with(i)
			i.InitialRegistrationDelayTimer = dm.Uint(60)
		}
		w.start(cfg)
		w.servers[0].next()
		s := w.wantState(2, lwm2m.StateInitial)
		if s.Err != nil || s.Plan != "first attempt" || time.Until(s.Next) != time.Minute {
			t.Errorf("status %v", s)
		}
		w.servers[1].quiet(time.Minute - time.Millisecond)
		w.servers[1].within(time.Second)
	})
}

// While the client reconnects, nothing is planned for the previous connection.
func TestReconnectCancelsPlan(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		srv.next()
		if s := w.wantState(1, lwm2m.StateRegistered); s.Plan != "update" {
			t.Errorf("status %v", s)
		}
		<-time.After(time.Minute)
		w.slowLink(time.Second) // delays the end of the connection and each step of the next one
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		<-time.After(1500 * time.Millisecond)
		if s := w.wantState(1, lwm2m.StateConnecting); s.Plan != "" || !s.Next.IsZero() {
			t.Errorf("status %v", s)
		}
	})
}

// The status says why a device is not registered: its server's name cannot be resolved, or the
// server does not answer.
func TestStatusSaysWhyNotRegistered(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://nowhere"})
		w.servers[0].host.SetDown(true)
		w.start(cfg)
		if s := w.wantState(2, lwm2m.StateError); !errors.Is(s.Err, socket.ErrAddressNotFound) {
			t.Errorf("status %v", s)
		}
		if s := w.wantState(1, lwm2m.StateRegistering); s.Err != nil {
			t.Errorf("status %v", s)
		}
		<-time.After(94 * time.Second)
		if s := w.wantState(1, lwm2m.StateError); !errors.Is(s.Err, coap.ErrTimeout) {
			t.Errorf("status %v", s)
		}
	})
}
