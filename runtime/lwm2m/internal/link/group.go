package link

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// perServe bounds the messages of one Serve.
const perServe = 64

// Group is the connections of one event loop. Make one with [NewGroup].
type Group struct {
	sched    *sched.Scheduler
	endpoint *coap.Endpoint
	sockets  []*Socket   // that are connected
	timer    *time.Timer // of Wait; made by the first

	readable chan struct{}
	watching atomic.Bool    // every socket is watched, so that Readable counts
	poller   *socket.Poller // watches those that do not notify by themselves
	queued   atomic.Int32   // how many are in ready; only the loop takes them out

	mu      sync.Mutex
	ready   []*Socket // may have something to read, each once
	head    int       // of ready
	woken   bool      // by another goroutine, since the last wait
	reading *Socket   // Recv waits on it
}

// NewGroup returns a group without connections. It takes over the scheduler's OnWake.
func NewGroup(s *sched.Scheduler, e *coap.Endpoint) *Group {
	g := &Group{sched: s, endpoint: e, readable: make(chan struct{}, 1), poller: new(socket.Poller)}
	s.OnWake(g.wake)
	return g
}

// Readable returns a channel that has one element when some socket may have something to read. The
// first call has every socket watched, for good. It may be called from any goroutine.
func (g *Group) Readable() <-chan struct{} {
	if !g.watching.Swap(true) {
		g.sched.Post(g.watchAll)
	}
	return g.readable
}

func (g *Group) watchAll() {
	for _, s := range slices.Clone(g.sockets) {
		if err := s.watch(); err != nil {
			s.link.lost(s, err)
		}
	}
}

// ClosePoller ends the watching, for when no socket is left.
func (g *Group) ClosePoller() {
	_ = g.poller.Close() // nothing is watched any more
	g.poller = new(socket.Poller)
}

// add puts a connected socket to use.
func (g *Group) add(s *Socket, cfg coap.ConnConfig) error {
	cfg.Socket = exchange{s}
	var err error
	if s.conn, err = g.endpoint.NewConn(cfg); err != nil {
		return err
	}
	g.sockets = append(g.sockets, s)
	s.notified = s.able.Notifier != nil
	if s.notified {
		s.listen()
		return nil
	}
	if g.watching.Load() {
		if err := s.watch(); err != nil {
			g.remove(s)
			s.conn.Close(err)
			return err
		}
	}
	return nil
}

// remove takes a socket out of use; closing it is left to the link.
func (g *Group) remove(s *Socket) {
	if s.closed {
		return
	}
	s.closed = true
	if s.notified {
		s.able.Notifier.NotifyReadable(nil)
		g.unmarkReady(s)
	}
	if i := slices.Index(g.sockets, s); i >= 0 {
		g.sockets = slices.Delete(g.sockets, i, i+1)
	}
}

// Serve handles what has arrived on s, up to a bound that keeps other sockets from starving. It
// never waits. The error is why the connection has ended, which the link has been told already, or
// that of ctx.
func (g *Group) Serve(ctx context.Context, s *Socket) error {
	for range perServe {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.noWait()
		n, err := s.receive()
		if err != nil || n == 0 {
			return err
		}
	}
	g.markReady(s)
	return nil
}

// ServeReady looks at up to limit of the sockets that are ready and handles one message of each in
// turn, so that no socket waits for more than one message of every other. It reports whether there
// may be more to handle.
func (g *Group) ServeReady(limit int) (more bool) {
	for range limit {
		s := g.nextReady()
		if s == nil {
			return more
		}
		if g.serve(s) {
			more = true
		}
	}
	if g.queued.Load() == 0 {
		return more
	}
	// Those left were signalled together with those just looked at, and are not signalled
	// again while they wait.
	g.signal()
	return true
}

// serve has a socket receive and queues it again while there may be more, also where a handler
// panics.
func (g *Group) serve(s *Socket) (more bool) {
	more = true
	defer func() {
		if more {
			g.markReady(s)
		}
	}()
	n, err := s.receive()
	more = n > 0 && err == nil
	return more
}

func (g *Group) nextReady() *Socket {
	if g.queued.Load() == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.ready[g.head]
	g.ready[g.head] = nil
	if g.head++; g.head == len(g.ready) {
		g.ready, g.head = g.ready[:0], 0
	}
	g.queued.Add(-1)
	s.queued = false
	return s
}

// markReady queues a socket that may have something to read. It may be called from any goroutine.
func (g *Group) markReady(s *Socket) {
	g.mu.Lock()
	if !s.queued {
		s.queued = true
		if g.head > len(g.ready)/2 && g.head > 32 {
			n := copy(g.ready, g.ready[g.head:])
			clear(g.ready[n:])
			g.ready, g.head = g.ready[:n], 0
		}
		g.ready = append(g.ready, s)
		g.queued.Add(1)
	}
	g.mu.Unlock()
	g.signal() // also for one in the queue: it may be read by Serve alone, which leaves it there
}

// unmarkReady takes a socket out of the queue for good.
func (g *Group) unmarkReady(s *Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.ready[g.head:], s); i >= 0 {
		g.ready = slices.Delete(g.ready, g.head+i, g.head+i+1)
		g.queued.Add(-1)
	}
	s.queued = true // nothing puts it there any more
}

// signal has Readable say that some socket may have something to read.
func (g *Group) signal() {
	select {
	case g.readable <- struct{}{}:
	default:
	}
}
