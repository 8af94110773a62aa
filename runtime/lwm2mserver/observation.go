package lwm2mserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// ErrEnded is the error of an Observation that gets no further notification.
var ErrEnded = errors.New("lwm2mserver: the observation has ended")

// errRefused is the error of a nil Observation.
var errRefused = fmt.Errorf("lwm2mserver: the device refused Observe: %w", ErrEnded)

// Observation receives the notifications of one Observe. A nil Observation, which a refused Observe
// returns, has ended.
type Observation struct {
	client *Client
	op     Operation
	path   string
	call   *coap.Call

	mu      sync.Mutex
	waiting []notification
	more    chan struct{} // holds a token while a notification waits
}

type notification struct {
	answer Answer
	err    error
}

// Observe observes a node. The Answer is the response to the request. The Observation is nil if the
// device refuses.
func (c *Client) Observe(
	ctx context.Context, path string, accept content.Format, query ...string,
) (*Observation, Answer, error) {
	return c.observe(ctx, Operation{
		Method: coap.GET, Path: path, Query: query, Accept: accept, Format: content.None,
	})
}

// ObserveComposite observes several nodes in one request, as ReadComposite reads them. The query
// holds notification attributes of the observation, such as pmin=10 (LwM2M 1.2).
func (c *Client) ObserveComposite(
	ctx context.Context, f content.Format, paths []string, query ...string,
) (*Observation, Answer, error) {
	payload, err := c.pathsPayload(f, paths)
	if err != nil {
		return nil, Answer{}, err
	}
	return c.observe(ctx, Operation{Method: coap.FETCH, Query: query, Accept: f, Format: f, Payload: payload})
}

func (c *Client) observe(ctx context.Context, op Operation) (*Observation, Answer, error) {
	o := &Observation{client: c, op: op, path: op.Path, more: make(chan struct{}, 1)}
	first := make(chan coap.Result, 1)
	request := c.newRequest(ctx, op, func(r coap.Result) {
		if r.Err == nil && !r.Last {
			c.observations[o] = true
		}
		first <- cloneResult(r)
	}, func(r coap.Result) { o.add(cloneResult(r)) })
	o.call = request.call
	c.server.sched.Post(func() { c.submit(request) })
	select {
	case r := <-first:
		a, err := c.newAnswer(op.Path, r)
		if err != nil || r.Last {
			return nil, a, err
		}
		return o, a, nil
	case <-ctx.Done():
		c.server.sched.Post(func() {
			c.cancel(request)
			o.end() // if the response has come in the meantime
		})
		return nil, Answer{}, context.Cause(ctx)
	case <-c.server.done:
		return nil, Answer{}, ErrClosed
	}
}

// add queues a notification.
func (o *Observation) add(r coap.Result) {
	a, err := o.client.newAnswer(o.path, r)
	o.push(notification{a, err})
	if r.Last {
		o.end()
	}
}

// end queues the end of the observation behind the waiting notifications. It runs on the loop.
func (o *Observation) end() {
	delete(o.client.observations, o)
	o.push(notification{err: ErrEnded})
}

// forget ends the observation without a request to the device. It runs on the loop.
func (o *Observation) forget() {
	o.call.Cancel()
	o.end()
}

// hasEnded reports whether end was called.
func (o *Observation) hasEnded() bool {
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

// Next returns the next notification and waits for it until ctx ends. After the last notification
// it returns ErrEnded. Most notifications are not confirmed (see the attribute con), so give ctx a
// deadline on a network that loses messages.
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
		case <-o.client.server.done:
			return Answer{}, ErrEnded
		}
	}
}

// All returns the notifications in the order of arrival, with the errors of those that could not be
// received as a whole. It waits for further ones until ctx ends or the observation has ended.
func (o *Observation) All(ctx context.Context) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		for {
			a, err := o.Next(ctx)
			if ctx.Err() != nil && err != nil || errors.Is(err, ErrEnded) || !yield(a, err) {
				return
			}
		}
	}
}

// Forget ends the observation without a request to the device. The server answers the device's next
// notification with a Reset (RFC 7641 §3.6).
func (o *Observation) Forget() {
	if o == nil {
		return
	}
	forgotten := make(chan struct{})
	o.client.server.sched.Post(func() {
		o.forget()
		close(forgotten)
	})
	select {
	case <-forgotten:
	case <-o.client.server.done:
	}
}

// Cancel ends the observation by a request with Observe 1 and returns the device's response. After
// Cancel, Next returns the notifications that have arrived and then ErrEnded. Cancel of an
// observation that has ended is ErrEnded. The request is held while the device sleeps.
func (o *Observation) Cancel(ctx context.Context) (Answer, error) {
	if o == nil {
		return Answer{}, errRefused
	}
	c := o.client
	got := make(chan coap.Result, 1)
	// A second request is not possible: the call has ended with the first one.
	r := &request{op: o.op, call: o.call, once: true, done: func(r coap.Result) { got <- cloneResult(r) }}
	r.onHeld, _ = ctx.Value(onHeldKey{}).(func(Operation))
	r.begin = func(*conn) error {
		if o.hasEnded() {
			return ErrEnded
		}
		return o.call.Deregister(func(result coap.Result) {
			o.end()
			c.onOutcome(r, result)
		})
	}
	c.server.sched.Post(func() { c.submit(r) })
	select {
	case result := <-got:
		return c.newAnswer(o.path, result)
	case <-ctx.Done():
		c.server.sched.Post(func() { c.withdraw(r) })
		return Answer{}, context.Cause(ctx)
	case <-c.server.done:
		return Answer{}, ErrEnded
	}
}
