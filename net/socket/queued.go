package socket

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// queued is a socket with a goroutine that reads ahead while the socket is open.
type queued struct {
	Socket
	able  Abilities
	inbox *Inbox
	taken chan struct{} // one token: Recv has returned data or an error

	mu   sync.Mutex
	stop *atomic.Bool  // of the goroutine
	done chan struct{} // closed when it has ended; nil if there is none
}

func newQueued(s Socket, a Abilities) *queued {
	return &queued{Socket: s, able: a, inbox: NewInbox(s.Kind(), 0), taken: make(chan struct{}, 1)}
}

// smallestAhead is the smallest buffer of the goroutine.
const smallestAhead = 2048

// start starts the goroutine of an open socket. fresh says that the connection is new.
func (q *queued) start(fresh bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if fresh {
		q.inbox.Open()
	}
	q.Socket.SetRecvDeadline(time.Time{})
	q.stop, q.done = new(atomic.Bool), make(chan struct{})
	go q.receive(q.stop, q.done, make([]byte, max(smallestAhead, q.InnerMTU())))
}

// halt ends the goroutine.
func (q *queued) halt() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.done == nil {
		return
	}
	q.stop.Store(true)
	q.Socket.SetRecvDeadline(NoWait())
	q.tookSome()
	<-q.done
	q.done = nil
}

func (q *queued) receive(stop *atomic.Bool, done chan struct{}, buf []byte) {
	defer close(done)
	for !stop.Load() {
		n, err := q.Socket.Recv(buf)
		switch {
		case errors.Is(err, ErrTimeout):
			continue
		case errors.Is(err, ErrClosed):
			return
		case err != nil && !errors.Is(err, ErrMessageTooLong):
			q.inbox.PutError(err)
			if q.Kind() == Stream {
				return
			}
			<-q.taken // a permanent error is not reported faster than Recv is called
			continue
		}
		put := q.inbox.Put
		if err != nil {
			put = q.inbox.PutCut
		}
		for !put(buf[:n]) && !stop.Load() {
			<-q.taken
		}
	}
}

func (q *queued) tookSome() {
	select {
	case q.taken <- struct{}{}:
	default:
	}
}

func (q *queued) Recv(p []byte) (int, error) {
	n, err := q.inbox.Recv(p)
	if err != ErrTimeout { // Inbox promises exactly ErrTimeout
		q.tookSome()
	}
	return n, err
}

func (q *queued) Connect(ctx context.Context, remote Endpoint) error {
	err := q.Socket.Connect(ctx, remote)
	if err == nil {
		q.halt()
		q.start(true)
	}
	return err
}

func (q *queued) Close() error {
	err := q.Socket.Close()
	q.halt()
	q.inbox.Close()
	return err
}

func (q *queued) SetRecvDeadline(t time.Time) { q.inbox.SetRecvDeadline(t) }
func (q *queued) NotifyReadable(ready func()) { q.inbox.NotifyReadable(ready) }

// Abilities implements Describer.
func (q *queued) Abilities() Abilities {
	a := q.able
	a.Notifier = q
	a.Handle, a.Buffered = nil, nil // only the goroutine may wait for the descriptor
	if a.Alternates != nil {
		a.Alternates = queuedAlternates{q}
	}
	if a.Shutdowner != nil {
		a.Shutdowner = queuedShutdowner{q}
	}
	return a
}

type queuedAlternates struct{ q *queued }

func (a queuedAlternates) ConnectNext(ctx context.Context) error {
	a.q.halt()
	err := a.q.able.Alternates.ConnectNext(ctx)
	if a.q.State().Open() {
		a.q.start(!errors.Is(err, ErrAddressNotFound))
	} else {
		a.q.inbox.Close()
	}
	return err
}

type queuedShutdowner struct{ q *queued }

func (s queuedShutdowner) Shutdown() error {
	err := s.q.able.Shutdowner.Shutdown()
	s.q.halt()
	s.q.inbox.Close()
	return err
}
