package socket

import (
	"fmt"
	"sync"
)

// A Poller gives sockets the ability to notify: it watches many of them together. On Linux one goroutine and one descriptor group (epoll)
// watch all sockets that have a Handle. A socket without one, and every socket on other systems, gets a goroutine that receives ahead while it
// is open. The zero value is ready; a Poller must not be copied. Its methods may be called from any goroutine.
type Poller struct {
	mu     sync.Mutex
	closed bool
	group  *group // made when the first socket is watched
}

// Wrap returns s with the ability Notifier, to be used in place of s: s itself if it has the ability. With a [Notifier] the rule for the
// receiver is: after each call, Recv until ErrTimeout. The abilities of the result are found by Detect, not by type assertion.
// Wrapping an open socket can fail as Connect can; a closed one is watched whenever it is open.
func (p *Poller) Wrap(s Socket) (Socket, error) {
	a := Detect(s)
	switch {
	case a.Notifier != nil:
		return s, nil
	case a.Handle != nil && canPoll:
		w := &polled{Socket: s, able: a, poller: p}
		if s.State().Open() {
			if err := w.watch(); err != nil {
				return nil, err
			}
		}
		return w, nil
	}
	q := newQueued(s, a)
	if s.State().Open() {
		q.start(true)
	}
	return q, nil
}

// Close ends the watching; no goroutine of the Poller's is left when it returns, but those that receive ahead stay until their sockets are
// closed. The sockets stay as they are, without notifications, and cannot be connected any more.
func (p *Poller) Close() error {
	p.mu.Lock()
	g := p.group
	p.closed, p.group = true, nil
	p.mu.Unlock()
	if g == nil {
		return nil
	}
	return g.close()
}

// add watches a descriptor and returns what ends it.
func (p *Poller) add(h Handle, ready func()) (remove func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("watch a socket: the Poller is closed: %w", ErrClosed)
	}
	if p.group == nil {
		g, err := newGroup()
		if err != nil {
			return nil, fmt.Errorf("watch a socket: %w", err)
		}
		p.group = g
	}
	return p.group.add(h, ready)
}
