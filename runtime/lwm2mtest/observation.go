package lwm2mtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// ErrEnded says that no notification follows.
var ErrEnded = errors.New("the observation is over")

// errRefused is what a nil Observation says.
var errRefused = fmt.Errorf("Observe was refused: %w", ErrEnded)

// Observation receives the notifications of one Observe.
type Observation struct {
	c    *Client
	path string
	call *coap.Call

	mu      sync.Mutex
	waiting []notification
	more    chan struct{} // holds a token while something waits
}

type notification struct {
	answer Answer
	err    error
}

// Observe observes a node. The answer is that to the request; the observation is nil when it is a
// refusal.
func (c *Client) Observe(ctx context.Context, path string, accept content.Format, query ...string) (*Observation, Answer, error) {
	return c.observe(ctx, Operation{Method: coap.GET, Path: path, Query: query, Accept: accept, Format: content.None})
}

// ObserveComposite observes several nodes at once; see ReadComposite.
func (c *Client) ObserveComposite(ctx context.Context, f content.Format, paths ...string) (*Observation, Answer, error) {
	payload, err := pathsPayload(f, paths)
	if err != nil {
		return nil, Answer{}, err
	}
	return c.observe(ctx, Operation{Method: coap.FETCH, Accept: f, Format: f, Payload: payload})
}

func (c *Client) observe(ctx context.Context, op Operation) (*Observation, Answer, error) {
	o := &Observation{c: c, path: op.Path, call: c.call(op), more: make(chan struct{}, 1)}
	first := make(chan coap.Result, 1)
	o.call.Done = func(r coap.Result) { first <- kept(r) }
	o.call.Observe = func(r coap.Result) { o.add(kept(r)) }
	if err := c.start(o.call); err != nil {
		return nil, Answer{}, err
	}
	select {
	case r := <-first:
		a, err := c.answer(op.Path, r)
		if err != nil || r.Last {
			return nil, a, err
		}
		return o, a, nil
	case <-ctx.Done():
		c.s.sched.Post(o.call.Cancel)
		return nil, Answer{}, context.Cause(ctx)
	}
}

func (o *Observation) add(r coap.Result) {
	a, err := o.c.answer(o.path, r)
	o.push(notification{a, err})
	if r.Last {
		o.end()
	}
}

// end says that nothing follows what is there.
func (o *Observation) end() { o.push(notification{err: ErrEnded}) }

// over reports whether end was called.
func (o *Observation) over() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.waiting)
	return n > 0 && o.waiting[n-1].err == ErrEnded
}

func (o *Observation) push(n notification) {
	o.mu.Lock()
	o.waiting = append(o.waiting, n)
	o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// Next returns the next notification, waiting for it until ctx ends. It is ErrEnded after the last,
// and where Observe was refused. Most notifications are not confirmed (see the attribute con), so
// over a network that loses some, ctx should have a deadline.
func (o *Observation) Next(ctx context.Context) (Answer, error) {
	if o == nil {
		return Answer{}, errRefused
	}
	for {
		o.mu.Lock()
		if len(o.waiting) > 0 {
			n := o.waiting[0]
			if n.err != ErrEnded {
				o.waiting = o.waiting[1:]
			}
			o.mu.Unlock()
			return n.answer, n.err
		}
		o.mu.Unlock()
		select {
		case <-o.more:
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		case <-o.c.s.done:
			return Answer{}, ErrEnded
		}
	}
}

// All yields notifications until the observation or ctx ends.
func (o *Observation) All(ctx context.Context) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		for {
			a, err := o.Next(ctx)
			if err != nil || !yield(a) {
				return
			}
		}
	}
}

// Forget ends the observation without telling the device: its next notification is answered by a
// Reset (RFC 7641 §3.6).
func (o *Observation) Forget() {
	if o == nil {
		return
	}
	forgotten := make(chan struct{})
	o.c.s.sched.Post(func() {
		o.call.Cancel()
		o.end()
		close(forgotten)
	})
	select {
	case <-forgotten:
	case <-o.c.s.done:
	}
}

// Cancel ends the observation by a request with Observe 1 and returns the device's answer. Next is
// ErrEnded after what has come until then, and so is Cancel of an observation that is over.
func (o *Observation) Cancel(ctx context.Context) (Answer, error) {
	if o == nil {
		return Answer{}, errRefused
	}
	got := make(chan coap.Result, 1)
	begun := make(chan error, 1)
	o.c.s.sched.Post(func() {
		if o.over() {
			begun <- ErrEnded
			return
		}
		begun <- o.call.Deregister(func(r coap.Result) {
			o.end()
			got <- kept(r)
		})
	})
	select {
	case err := <-begun:
		if err != nil {
			return Answer{}, err
		}
	case <-o.c.s.done:
		return Answer{}, ErrEnded
	}
	select {
	case r := <-got:
		return o.c.answer(o.path, r)
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
}
