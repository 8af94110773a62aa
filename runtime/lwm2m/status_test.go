package lwm2m_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A status reads as a line for each server, and one for each other thing that keeps the device from being managed.
func TestStatusReads(t *testing.T) {
	registered := lwm2m.ServerStatus{ShortID: 1, URI: "coap://a", State: lwm2m.StateRegistered, Version: registry.V(1, 1), Location: "/rd/1"}
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
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{registered, failing}}, "server 1 (coap://a): registered with LwM2M 1.1 at /rd/1\n" +
			"server 2 (coap://b): error: no answer (3 attempts); next attempt at 2030-01-02T03:04:05Z"},
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{once}}, "server 2 (coap://b): error: no answer; next attempt at 2030-01-02T03:04:05Z"},
		{lwm2m.Status{Servers: []lwm2m.ServerStatus{registered}, Offline: true, BootstrapWanted: errors.New("all is lost"), Closed: true},
			"server 1 (coap://a): registered with LwM2M 1.1 at /rd/1\nthe client is offline\na bootstrap is wanted: all is lost\n" +
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

// A state that is entered again is none: nobody is told, and it lasts since it was entered first.
func TestSameStateIsNoNews(t *testing.T) {
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
		w.update(dm.ResourcePath(0, 1, 5), dm.OpaqueValue([]byte("key"))) // another connection is to be made, later
		if s := w.wantState(1, lwm2m.StateDeregistered); s.Since != since {
			t.Errorf("the state lasts since %v, want %v", s.Since, since)
		}
		if got := w.seen(); len(got) != 0 {
			t.Errorf("told of %v", got)
		}
	})
}
