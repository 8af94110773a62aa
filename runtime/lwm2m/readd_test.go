package lwm2m_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An account that is added again under the Short Server ID of a suspended one that was removed is
// not suspended.
func TestRemovedSuspendedServerIsAddedAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		sec, srv := accounts(t, 1)
		cfg := w.config()
		cfg.Servers, cfg.Objects = nil, append(cfg.Objects, sec, srv)
		secInst, _ := sec.Get(1)
		srvInst, _ := srv.Get(1)
		c := w.start(cfg)
		w.servers[0].next()
		w.wantState(1, lwm2m.StateRegistered)
		w.must(c.SuspendServer(1))
		w.wantState(1, lwm2m.StateSuspended)
		w.must(c.RemoveServer(t.Context(), 1))
		<-time.After(time.Second)
		w.must(sec.Add(1, secInst))
		w.must(srv.Add(1, srvInst))
		w.servers[0].within(time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}

// What is asked for an account that is added again counts for it, also while De-register of the
// removed one is in flight.
func TestDisableOfAccountAddedAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		sec, srv := accounts(t, 1)
		cfg := w.config()
		cfg.Servers, cfg.Objects = nil, append(cfg.Objects, sec, srv)
		secInst, _ := sec.Get(1)
		srvInst, _ := srv.Get(1)
		w.slowLink(time.Second)
		c := w.start(cfg)
		w.servers[0].next()
		<-time.After(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
		w.must(c.RemoveServer(t.Context(), 1))
		w.wantState(1, lwm2m.StateDeregistering)
		w.must(sec.Add(1, secInst))
		w.must(srv.Add(1, srvInst))
		w.wantState(1, lwm2m.StateDeregistering)
		w.must(c.Disable(1, 0))
		<-time.After(10 * time.Second)
		w.wantState(1, lwm2m.StateDeregistered)
	})
}
