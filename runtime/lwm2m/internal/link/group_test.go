package link

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// newGroup returns a group without connections.
func newGroup(t *testing.T) *Group {
	t.Helper()
	s := sched.New()
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s})
	if err != nil {
		t.Fatal(err)
	}
	return NewGroup(s, e)
}

// A group that is served by Serve alone keeps no connection that has ended, however many there
// were.
func TestReadyQueueForgetsClosedSockets(t *testing.T) {
	g := newGroup(t)
	var all []*Socket
	for range 100 {
		s := &Socket{group: g}
		all = append(all, s)
		g.markReady(s)
	}
	for range 50 {
		g.nextReady()
	}
	for _, s := range all {
		g.unmarkReady(s)
		g.markReady(s) // a notification that comes too late
	}
	if n := len(g.ready) - g.head; n != 0 || g.queued.Load() != 0 || g.nextReady() != nil {
		t.Errorf("%d sockets are left in the queue, %d by its counter", n, g.queued.Load())
	}
	s := &Socket{group: g}
	g.markReady(s)
	if g.nextReady() != s || g.nextReady() != nil {
		t.Error("the queue does not take another socket")
	}
}
