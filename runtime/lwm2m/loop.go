package lwm2m

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/link"
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
	group    *link.Group // of the connections
	scratch  *manage.Scratch
	clients  []*Client // that have begun and not ended
	running  atomic.Bool
}

// LoopConfig is what a Loop is made with.
type LoopConfig struct {
	// MaxMemory bounds, in bytes, what the servers of all clients together can make the loop keep. Zero: 64 MiB.
	MaxMemory int
}

// ErrRunning: the loop is turning already, on another goroutine or further up on this one.
var ErrRunning = errors.New("lwm2m: the loop is running already")

// perTurn bounds the messages of one turn, so that jobs get theirs.
const perTurn = 32

// NewLoop makes a loop without clients.
func NewLoop(c LoopConfig) (*Loop, error) {
	l := &Loop{sched: sched.New(), scratch: manage.NewScratch()}
	var err error
	l.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: l.sched, MaxMemory: c.MaxMemory})
	if err != nil {
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	l.group = link.NewGroup(l.sched, l.endpoint)
	return l, nil
}

// Sched is the scheduler of all clients of the loop. Own jobs are welcome on it. Its OnWake is the loop's, and belongs to
// a loop that polls the sockets' system handles and never calls ServeAny or Run.
func (l *Loop) Sched() *sched.Scheduler { return l.sched }

// Readable is a channel that has one element when some socket may have something to read. The first call has every socket
// watched, for the rest of the loop's life, by a [socket.Poller] where it does not notify by itself. A loop that polls the sockets'
// system handles itself must not call it. It may be called from any goroutine.
func (l *Loop) Readable() <-chan struct{} { return l.group.Readable() }

// forget takes an ended client out. With the last one ends the watching.
func (l *Loop) forget(c *Client) {
	l.clients = slices.DeleteFunc(l.clients, func(o *Client) bool { return o == c })
	if len(l.clients) == 0 {
		l.group.ClosePoller()
	}
}

// Sockets are the sockets of all clients that are connected now. The result is the caller's; ask anew after every turn.
func (l *Loop) Sockets() []*Socket {
	var all []*Socket
	for _, c := range l.clients {
		all = append(all, c.Sockets()...)
	}
	return all
}

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
		l.turn(link.MaxWait)
	}
	l.sched.Run() // clients that were made just now
	for l.shutdown(); len(l.clients) > 0; l.shutdown() {
		l.turn(link.MaxWait)
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
	if !l.group.ServeReady(perTurn) {
		l.group.Wait(min(maxWait, link.MaxWait))
	}
	if l.sched.Wait(1) == 0 {
		l.sched.Run()
	}
}
