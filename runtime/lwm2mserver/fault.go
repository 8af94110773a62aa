package lwm2mserver

import (
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Fault is what the server does wrong with a request, see [Server.Disturb]. Set one field.
type Fault struct {
	// Drop treats the request as if it had not arrived: the device sends it again.
	Drop bool
	// Reset rejects the request by a Reset message.
	Reset bool
	// Delay answers the request as usual, so much later; it is acknowledged in the meantime.
	Delay time.Duration
	// Code answers the request with an error, such as coap.NotFound.
	Code coap.Code
}

// disturbance is a fault of the next requests that match.
type disturbance struct {
	fault Fault
	left  int
	match func(Request) bool
}

// Disturb applies a fault to the next n requests of devices for which match returns true. A nil
// match accepts every request; each transmission of a dropped request counts. match runs on the
// server's goroutine and must not call the server. Faults are applied in the order of the calls,
// and before the function of Intercept.
//
//	isSend := func(r lwm2mserver.Request) bool { return r.Path == "/dp" }
//	srv.Disturb(2, lwm2mserver.Fault{Drop: true}, isSend)
func (s *Server) Disturb(n int, f Fault, match func(Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 {
		s.faults = append(s.faults, &disturbance{f, n, match})
	}
}

// takeFault returns the fault of a request, nil for none. The caller holds the lock.
func (s *Server) takeFault(r Request) *Fault {
	for i, d := range s.faults {
		if d.match != nil && !d.match(r) {
			continue
		}
		if d.left--; d.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &d.fault
	}
	return nil
}

// isDelay reports whether the request is answered in spite of the fault.
func (f *Fault) isDelay() bool { return f.Delay > 0 }

// fail ends a request as the fault says.
func (f *Fault) fail(c *conn, r *coap.Request) {
	switch {
	case f.Drop:
		c.ignored++
		r.Ignore()
	case f.Reset:
		r.Reset()
	default:
		respond(r, Reply{Code: f.Code})
	}
}

// respondLater sends a reply after a delay.
func (c *conn) respondLater(r *coap.Request, reply Reply, d time.Duration) {
	c.answerLater(func() { respond(r, reply) }, d)
}

// answerLater calls answer, which answers a request, after a delay.
func (c *conn) answerLater(answer func(), d time.Duration) {
	c.unanswered++
	c.server.sched.After(&sched.Job{Func: func() {
		c.unanswered--
		answer()
		for _, cl := range c.clients {
			cl.sendHeld()
		}
	}}, d)
}
