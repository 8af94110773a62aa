package link

import (
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// MaxWait is the longest wait: no way to wait notices by itself that the machine was suspended.
const MaxWait = time.Minute

// Wait sleeps until something may be there to read, a job is due, limit has passed, or another
// goroutine wakes the scheduler.
func (g *Group) Wait(limit time.Duration) {
	if len(g.sockets) == 1 && !g.sockets[0].notified {
		g.read(g.sockets[0], limit)
		return
	}
	if len(g.sockets) > 1 && !g.watching.Swap(true) {
		g.watchAll()
	}
	d := g.sched.Wait(limit)
	if d <= 0 {
		return
	}
	if g.timer == nil {
		g.timer = time.NewTimer(d)
	} else {
		g.timer.Reset(d)
	}
	select {
	case <-g.readable:
	case <-g.sched.Woken():
		// The flag behind Sched.Wait stays until Run.
	case <-g.timer.C:
	}
	g.timer.Stop()
}

// read waits in the Recv of the only socket, the cheapest way to wait for one (several times 10 000
// messages a second more than any other on one processor). While messages follow one another and
// the next job stays the same, the deadline of Recv stays as well, and no clock is read: a job that
// becomes due in the meantime ends Recv, or is found by the turn.
func (g *Group) read(s *Socket, limit time.Duration) {
	next, any := g.sched.Next()
	if stays := any && s.armed == next && limit == MaxWait; !stays {
		d := g.sched.Wait(limit)
		if d <= 0 {
			s.noWait()
			_, _ = s.receive() // the link handles errors
			return
		}
		s.setDeadline(time.Now().Add(d))
		s.armed = next
	}
	g.mu.Lock()
	if g.woken {
		g.woken, s.armed = false, unarmed
		g.mu.Unlock()
		return
	}
	g.reading = s
	g.mu.Unlock()
	n, _ := s.receive() // the link handles errors
	g.mu.Lock()
	g.reading = nil
	g.mu.Unlock()
	if n == 0 {
		s.armed = unarmed // the deadline has passed
	}
}

// wake ends a wait in Recv. The scheduler calls it on any goroutine.
func (g *Group) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reading == nil {
		g.woken = true
		return
	}
	g.reading.deadline, g.reading.armed = socket.NoWait(), unarmed
	g.reading.net.SetRecvDeadline(socket.NoWait())
}
