package socket

import (
	"fmt"
	"sync"
)

// A Poller adds the ability Notifier to sockets and watches many of them together. On Linux one
// goroutine and one descriptor group (epoll) watch all sockets that have a Handle. A socket without
// a Handle, and every socket on other systems, gets a goroutine that reads ahead while the socket
// is open. The zero value is ready to use. A Poller must not be copied. Its methods may be called
// from any goroutine.
type Poller struct {
	mu     sync.Mutex
	closed bool
	group  *group // made when the first socket is watched
}

// Wrap returns s with the ability Notifier, to be used instead of s. If s has the ability, Wrap
// returns s itself. After each call of a [Notifier], call Recv until it returns ErrTimeout. Use
// Detect, not type assertions, to find the abilities of the result. Wrapping an open socket can
// fail as Connect can; a closed socket is watched whenever it is open.
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

// Close stops watching. No goroutine of the Poller is left when it returns, except for those that
// read ahead, which end when their sockets are closed. The sockets stay as they are, without
// notifications, and can no longer be connected.
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

// add watches a descriptor and returns the function that stops that.
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
