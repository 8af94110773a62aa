package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Loop is what any number of clients share: one scheduler, one queue of sockets that have something to read, one goroutine. A turn
// costs what is ready, not what exists. Make one with [NewLoop], name it in each client's Config.Loop, and call Run.
//
// A Loop and its clients belong to the goroutine that runs it. Readable may be called from any goroutine, and so may what the
// scheduler documents so.
type Loop struct {
	sched    *sched.Scheduler
	endpoint *coap.Endpoint
	scratch  *manage.Scratch
	clients  []*Client // that have begun and not ended
	sockets  []*Socket // that are connected
	running  atomic.Bool
	timer    *time.Timer // of wait; made by the first

	readable chan struct{}
	watching atomic.Bool    // Readable counts: every socket is watched
	poller   *socket.Poller // watches those that do not notify by themselves
	queued   atomic.Int32   // how many are in ready; only the loop takes them out

	mu      sync.Mutex
	ready   []*Socket // may have something to read, each once
	head    int       // of ready
	woken   bool      // by another goroutine, since the last wait
	reading *Socket   // Recv waits on it
}

// LoopConfig is what a Loop is made with.
type LoopConfig struct {
	// MaxMemory bounds, in bytes, what the servers of all clients together can make the loop keep. Zero: 64 MiB.
	MaxMemory int
}

// ErrRunning: the loop is turning already, on another goroutine or further up on this one.
var ErrRunning = errors.New("lwm2m: the loop is running already")

const (
	// maxSleep is the longest wait of one turn: no way to wait notices a suspension of the machine by itself.
	maxSleep = time.Minute
	// perTurn bounds the messages of one turn, so that jobs get theirs.
	perTurn = 32
	// perServe bounds the messages of one Serve.
	perServe = 64
)

// NewLoop makes a loop without clients.
func NewLoop(c LoopConfig) (*Loop, error) {
	l := &Loop{sched: sched.New(), scratch: manage.NewScratch(), readable: make(chan struct{}, 1), poller: new(socket.Poller)}
	var err error
	l.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: l.sched, MaxMemory: c.MaxMemory})
	if err != nil {
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	l.sched.OnWake(l.wake)
	return l, nil
}

// Sched is the scheduler of all clients of the loop. Own jobs are welcome on it. Its OnWake is the loop's, and belongs to
// a loop that polls the sockets' system handles and never calls ServeAny or Run.
func (l *Loop) Sched() *sched.Scheduler { return l.sched }

// Readable is a channel that has one element when some socket may have something to read. The first call has every socket
// watched, for the rest of the loop's life, by a [socket.Poller] where it does not notify by itself. A loop that polls the sockets'
// system handles itself must not call it. It may be called from any goroutine.
func (l *Loop) Readable() <-chan struct{} {
	if !l.watching.Swap(true) {
		l.sched.Post(l.watchAll)
	}
	return l.readable
}

func (l *Loop) watchAll() {
	for _, s := range l.Sockets() {
		if err := s.watch(); err != nil {
			s.server.broken(s, err)
		}
	}
}

// forget takes an ended client out. With the last one ends the watching.
func (l *Loop) forget(c *Client) {
	l.clients = slices.DeleteFunc(l.clients, func(o *Client) bool { return o == c })
	if len(l.clients) == 0 {
		_ = l.poller.Close() // nothing is watched any more
		l.poller = new(socket.Poller)
	}
}

// Sockets are the sockets of all clients that are connected now. The result is the caller's; ask anew after every turn.
func (l *Loop) Sockets() []*Socket { return slices.Clone(l.sockets) }

// Run runs the loop, with all clients that are and will be made with it, until ctx ends. Then it shuts every client down, which
// takes as long as the longest of their ShutdownTimeouts at most, and returns nil when nothing of them is left. The error is
// [ErrRunning] when the loop runs already.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, nil) }

// run also ends when the one client that the loop is for has ended.
func (l *Loop) run(ctx context.Context, only *Client) error {
	if !l.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	stop := context.AfterFunc(ctx, l.sched.Wake)
	defer stop()
	for ctx.Err() == nil && (only == nil || !only.finished) {
		l.turn(maxSleep)
	}
	l.sched.Run() // clients that were made just now
	for l.shutdown(); len(l.clients) > 0; l.shutdown() {
		l.turn(maxSleep)
	}
	return nil
}

// shutdown begins the end of all clients, those included that have been made since it was begun.
func (l *Loop) shutdown() {
	for _, c := range slices.Clone(l.clients) {
		c.beginShutdown()
	}
}

// ServeAny is one turn of the loop: it waits until a socket has something to read, but not longer than maxWait and not beyond the
// next job, handles what has arrived, and runs the jobs that are due. The error is that of ctx, which ends the wait, or [ErrRunning]
// where it is called from within a turn.
func (l *Loop) ServeAny(ctx context.Context, maxWait time.Duration) error {
	if !l.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer l.running.Store(false)
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, l.sched.Wake)
		defer stop()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.turn(maxWait)
	return ctx.Err()
}

func (l *Loop) turn(maxWait time.Duration) {
	if !l.serveReady(perTurn) {
		l.wait(min(maxWait, maxSleep))
	}
	if l.sched.Wait(1) == 0 {
		l.sched.Run()
	}
}

// serveReady looks at up to max of the sockets that are ready and handles one message of each in turn, so that no socket waits for
// more than one message of every other. It reports whether there may be more to handle.
func (l *Loop) serveReady(max int) (more bool) {
	for range max {
		s := l.nextReady()
		if s == nil {
			return more
		}
		if n, err := s.receive(); n > 0 && err == nil {
			l.markReady(s)
			more = true
		}
	}
	if l.queued.Load() == 0 {
		return more
	}
	l.signal() // those that are left were signalled together with those just looked at, and are not again while they wait
	return true
}

func (l *Loop) nextReady() *Socket {
	if l.queued.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.ready[l.head]
	l.ready[l.head] = nil
	if l.head++; l.head == len(l.ready) {
		l.ready, l.head = l.ready[:0], 0
	}
	l.queued.Add(-1)
	s.queued = false
	return s
}

// markReady queues a socket that may have something to read. It may be called from any goroutine.
func (l *Loop) markReady(s *Socket) {
	l.mu.Lock()
	if !s.queued {
		s.queued = true
		if l.head > len(l.ready)/2 && l.head > 32 {
			n := copy(l.ready, l.ready[l.head:])
			clear(l.ready[n:])
			l.ready, l.head = l.ready[:n], 0
		}
		l.ready = append(l.ready, s)
		l.queued.Add(1)
	}
	l.mu.Unlock()
	l.signal() // also for one in the queue: it may be read by Serve alone, which leaves it there
}

// unmarkReady takes a socket out of the queue for good.
func (l *Loop) unmarkReady(s *Socket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.ready[l.head:], s); i >= 0 {
		l.ready = slices.Delete(l.ready, l.head+i, l.head+i+1)
		l.queued.Add(-1)
	}
	s.queued = true // nothing puts it there any more
}

// signal has Readable say that some socket may have something to read.
func (l *Loop) signal() {
	select {
	case l.readable <- struct{}{}:
	default:
	}
}

// wait sleeps until something may be there to read, a job is due or limit has passed, or another goroutine wakes the scheduler.
func (l *Loop) wait(limit time.Duration) {
	if len(l.sockets) == 1 && !l.sockets[0].notified {
		l.read(l.sockets[0], limit)
		return
	}
	if len(l.sockets) > 1 && !l.watching.Swap(true) {
		l.watchAll()
	}
	d := l.sched.Wait(limit)
	if d <= 0 {
		return
	}
	if l.timer == nil {
		l.timer = time.NewTimer(d)
	} else {
		l.timer.Reset(d)
	}
	select {
	case <-l.readable:
	case <-l.sched.Woken():
		// The flag behind Sched.Wait stays until Run.
	case <-l.timer.C:
	}
	l.timer.Stop()
}

// read waits in the Recv of the only socket, the cheapest way to wait for one (several times 10 000 messages a second more than any
// other on one processor). While messages follow one another and the next job stays the same, the deadline of Recv stays as well, and
// no clock is read: a job that becomes due meanwhile ends Recv, or is found by the turn.
func (l *Loop) read(s *Socket, limit time.Duration) {
	next, any := l.sched.Next()
	if stays := any && s.armed == next && limit == maxSleep; !stays {
		d := l.sched.Wait(limit)
		if d <= 0 {
			s.noWait()
			_, _ = s.receive() // the client acts upon errors
			return
		}
		s.setDeadline(time.Now().Add(d))
		s.armed = next
	}
	l.mu.Lock()
	if l.woken {
		l.woken, s.armed = false, unarmed
		l.mu.Unlock()
		return
	}
	l.reading = s
	l.mu.Unlock()
	n, _ := s.receive() // the client acts upon errors
	l.mu.Lock()
	l.reading = nil
	l.mu.Unlock()
	if n == 0 {
		s.armed = unarmed // the deadline has passed
	}
}

// wake ends a wait in Recv; it is called by the scheduler, on any goroutine.
func (l *Loop) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reading == nil {
		l.woken = true
		return
	}
	l.reading.deadline, l.reading.armed = socket.NoWait(), unarmed
	l.reading.net.SetRecvDeadline(socket.NoWait())
}
