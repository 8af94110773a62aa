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

// A Loop is an event loop that any number of clients share: one scheduler, one queue of readable
// sockets, one goroutine. The cost of a turn depends on how many sockets are readable and jobs are
// due, not on how many exist. Make a Loop with [NewLoop], set it as Config.Loop of each client, and
// call Run.
//
// A Loop and its clients belong to the goroutine that runs the Loop. Readable is safe to call from
// any goroutine, and so are the methods of the scheduler that say so.
type Loop struct {
	sched    *sched.Scheduler
	endpoint *coap.Endpoint
	group    *link.Group // of the connections
	scratch  *manage.Scratch
	clients  []*Client // that have started and not ended
	running  atomic.Bool
}

// LoopConfig configures a [Loop]. The zero value is ready to use.
type LoopConfig struct {
	// MaxMemory bounds the memory that the servers of all clients together can make the loop keep,
	// in bytes. The zero value means 64 MiB.
	MaxMemory int
}

// ErrRunning means that the loop already runs: on another goroutine, or on this one in a function
// that has called the present one.
var ErrRunning = errors.New("lwm2m: the loop is running already")

// perTurn bounds the messages of one turn, so that jobs are not delayed.
const perTurn = 32

// NewLoop returns a loop without clients. The error says which field of c is not valid.
func NewLoop(c LoopConfig) (*Loop, error) {
	l := &Loop{sched: sched.New(), scratch: manage.NewScratch()}
	var err error
	l.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: l.sched, MaxMemory: c.MaxMemory})
	if err != nil {
		return nil, fmt.Errorf("lwm2m: %w", err)
	}
	l.group = link.NewGroup(l.sched, l.endpoint)
	l.sched.OnResume(l.onResume)
	return l, nil
}

// Sched returns the scheduler of all clients of the loop. A program may add jobs of its own. The
// loop uses the scheduler's OnResume and OnWake; only a program that polls the system handles of
// the sockets, and never calls ServeAny or Run, may replace it.
func (l *Loop) Sched() *sched.Scheduler { return l.sched }

// Readable returns a channel that has one element when a socket may have data to read. From the
// first call on the loop watches every socket; a [socket.Poller] watches those that do not notify
// by themselves. A program that polls the system handles of the sockets must not call Readable. It
// is safe to call from any goroutine.
func (l *Loop) Readable() <-chan struct{} { return l.group.Readable() }

// remove removes a client that has ended. Without a client the loop watches no socket.
func (l *Loop) remove(c *Client) {
	l.clients = slices.DeleteFunc(l.clients, func(o *Client) bool { return o == c })
	if len(l.clients) == 0 {
		l.group.ClosePoller()
	}
}

// Sockets returns the connected sockets of all clients. The caller owns the slice. It is valid
// until the next turn of the loop.
func (l *Loop) Sockets() []*Socket {
	var all []*Socket
	for _, c := range l.clients {
		all = append(all, c.Sockets()...)
	}
	return all
}

// Run runs the loop until ctx ends, with all clients that were made with it or will be. Then it
// shuts down every client and returns nil when all have ended. Shutting down takes at most as long
// as the longest ShutdownTimeout allows. The error is [ErrRunning] if the loop already runs.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, nil) }

// run is Run. It also returns when only has ended, the one client of a loop that is not shared.
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
	l.sched.Run() // starts the clients that were made in the last turn
	for l.shutdown(); len(l.clients) > 0; l.shutdown() {
		l.turn(link.MaxWait)
	}
	return nil
}

// shutdown starts to shut down all clients, including those that were made during the shutdown.
func (l *Loop) shutdown() {
	for _, c := range slices.Clone(l.clients) {
		c.beginShutdown()
	}
}

// ServeAny runs one turn of the loop: it waits until a socket is readable, a job is due or maxWait
// has passed, handles the messages that have arrived, and runs the jobs that are due. The error is
// ctx.Err() if ctx ends the wait, or [ErrRunning] if ServeAny is called from within a turn.
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
