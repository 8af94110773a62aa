package osnet

import (
	"sync"
	"sync/atomic"
	"time"
)

// Deadline is the receive deadline of a socket, kept over its connections. The zero value is none.
type Deadline struct {
	noWait atomic.Bool

	mu   sync.Mutex
	t    time.Time
	conn Readable
}

// Readable is the side of a connection that a deadline is for.
type Readable interface {
	SetReadDeadline(t time.Time) error
}

// NoWait reports whether the deadline had passed when it was set: Recv need not try to wait.
func (d *Deadline) NoWait() bool { return d.noWait.Load() }

// Set sets the deadline, also of the connection there is, whose pending read it wakes if it has passed.
func (d *Deadline) Set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.t = t
	d.noWait.Store(passed(t))
	if d.conn != nil {
		_ = d.conn.SetReadDeadline(t) // fails on a closed connection only, which needs none
	}
}

// Apply makes c the connection that the deadline is for, nil for none, and gives it the deadline.
func (d *Deadline) Apply(c Readable) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn = c; c != nil {
		_ = c.SetReadDeadline(d.t)
	}
}

// Wake has a pending read time out once; Again then tells that it was not the deadline. It cannot put the deadline back itself: the runtime
// forgets a time-out whose deadline is moved on before the reader has run.
func (d *Deadline) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// Again reports whether a read that has timed out is to be tried again, because the deadline is another one meanwhile, or was
// moved for a moment. It gives the connection the deadline that holds.
func (d *Deadline) Again() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if passed(d.t) || d.conn == nil {
		return false
	}
	_ = d.conn.SetReadDeadline(d.t)
	return true
}

func passed(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }
