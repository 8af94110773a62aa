package osnet

import (
	"sync"
	"sync/atomic"
	"time"
)

// recvDeadline is the receive deadline of a socket. It holds over reconnects. The zero value is no
// deadline.
type recvDeadline struct {
	// True if the deadline had passed when it was set.
	passed atomic.Bool

	mu   sync.Mutex
	t    time.Time
	conn readDeadliner // the connection that the deadline is for, nil if there is none
}

// readDeadliner is the part of a connection that a recvDeadline uses.
type readDeadliner interface {
	SetReadDeadline(t time.Time) error
}

// noWait reports whether the deadline had passed when it was set, so that Recv need not try to
// wait.
func (d *recvDeadline) noWait() bool { return d.passed.Load() }

// set sets the deadline of the socket and of its connection. If t has passed, a pending read ends.
func (d *recvDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t = t
	d.passed.Store(hasPassed(t))
	if d.conn != nil {
		_ = d.conn.SetReadDeadline(t) // fails on a closed connection only, which needs none
	}
}

// follow makes c the connection that the deadline is for, nil for none, and applies the deadline to
// it.
func (d *recvDeadline) follow(c readDeadliner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn = c; c != nil {
		_ = c.SetReadDeadline(d.t)
	}
}

// interrupt makes a pending read time out once; retry then reports that it was not the deadline. It
// cannot restore the deadline itself: the runtime forgets a time-out if the deadline is moved
// before the reader has run.
func (d *recvDeadline) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// retry reports whether a read that has timed out must be repeated, because the deadline has
// changed or the read was interrupted. It restores the deadline of the connection.
func (d *recvDeadline) retry() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if hasPassed(d.t) || d.conn == nil {
		return false
	}
	_ = d.conn.SetReadDeadline(d.t)
	return true
}

func hasPassed(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }
