// Package accept is the half of a listener that does not depend on its network: the queue between
// the goroutine that makes connections and the callers of Accept.
package accept

import (
	"context"
	"fmt"
	"sync"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// ErrAccepted is the error of Connect and Bind on a socket that a listener made.
var ErrAccepted = fmt.Errorf("%w: the socket was made by a listener", socket.ErrNotSupported)

// Queue holds connections until they are accepted. Its methods may be called from any goroutine.
type Queue struct {
	ready chan socket.Socket
	done  chan struct{}

	mu     sync.Mutex
	closed bool
}

// NewQueue returns a queue that holds at most limit connections.
func NewQueue(limit int) *Queue {
	return &Queue{ready: make(chan socket.Socket, limit), done: make(chan struct{})}
}

// Put adds a connection and never waits. It returns false if the queue is full or closed: s then
// still belongs to the caller.
func (q *Queue) Put(s socket.Socket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	select {
	case q.ready <- s:
		return true
	default:
		return false
	}
}

// Accept waits for the next connection until ctx ends or the queue is closed, as socket.Listener's
// Accept does.
func (q *Queue) Accept(ctx context.Context) (socket.Socket, error) {
	select {
	case <-q.done:
		return nil, fmt.Errorf("accept: %w", socket.ErrClosed)
	default:
	}
	select {
	case s := <-q.ready:
		return s, nil
	case <-q.done:
		return nil, fmt.Errorf("accept: %w", socket.ErrClosed)
	case <-ctx.Done():
		return nil, fmt.Errorf("accept: %w", ctx.Err())
	}
}

// Close ends every Accept and returns the connections that were not accepted, for the caller to
// close. The second call returns none.
func (q *Queue) Close() []socket.Socket {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	close(q.done)
	var left []socket.Socket
	for {
		select {
		case s := <-q.ready:
			left = append(left, s)
		default:
			return left
		}
	}
}
