package lwm2mserver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// Errors of requests to devices in queue mode. Compare them with errors.Is.
var (
	// ErrAsleep is the error of a request with Operation.NoWait to a device that sleeps.
	ErrAsleep = errors.New("lwm2mserver: the device is asleep")
	// ErrQueueFull is the error of a request to a device for which Config.MaxHeld requests are
	// held.
	ErrQueueFull = errors.New("lwm2mserver: too many requests wait for the device to wake up")
	// ErrNotRegistered is the error of a held request whose device has de-registered, or has not
	// woken up before its lifetime ended.
	ErrNotRegistered = errors.New("lwm2mserver: the device is no longer registered")
)

// request is a request to a device: while it is held, and until its outcome. The loop owns it.
type request struct {
	op   Operation
	call *coap.Call
	// begin sends the request over a connection, which conn then is.
	begin func(*conn) error
	conn  *conn
	// onHeld is called once, when the request is held because the device sleeps; nil for none.
	onHeld func(Operation)
	// done receives the outcome.
	done func(coap.Result)
	// once says that the request cannot be sent a second time.
	once bool
	// moved says that the request was cancelled, because the device has moved to another
	// connection.
	moved bool
}

type onHeldKey struct{}

// WithHeldFunc returns a context for requests to a device in queue mode. If such a request is held
// because the device sleeps, fn is called with it, once: now, or when the device has fallen asleep
// without receiving it. fn runs on the server's goroutine and must not call the server.
func WithHeldFunc(ctx context.Context, fn func(Operation)) context.Context {
	return context.WithValue(ctx, onHeldKey{}, fn)
}

// notifyHeld calls onHeld.
func (r *request) notifyHeld() {
	if fn := r.onHeld; fn != nil {
		r.onHeld = nil
		fn(r.op)
	}
}

// newRequest returns a request whose outcome is passed to done. observe receives notifications, nil
// for a request that does not observe.
func (c *Client) newRequest(ctx context.Context, op Operation, done, observe func(coap.Result)) *request {
	r := &request{op: op, call: c.newCall(op), done: done}
	r.onHeld, _ = ctx.Value(onHeldKey{}).(func(Operation))
	r.begin = func(over *conn) error { return over.coap.Do(r.call) }
	r.call.Done = func(result coap.Result) { c.onOutcome(r, result) }
	r.call.Observe = observe
	return r
}

// submit sends a request, or holds it if the device is in queue mode: while the device sleeps, and
// while another request waits for its response. It runs on the loop, as all methods below.
func (c *Client) submit(r *request) {
	switch {
	case !c.reg.QueueMode || c.reg.Location == "":
		if err := r.begin(c.conn); err != nil {
			r.done(coap.Result{Err: err, Last: true})
		}
	case r.op.NoWait && !c.awake:
		r.done(coap.Result{Err: ErrAsleep, Last: true})
	case len(c.held) >= c.server.maxHeld:
		r.done(coap.Result{Err: fmt.Errorf("%w: %d", ErrQueueFull, len(c.held)), Last: true})
	default:
		c.held = append(c.held, r)
		c.sendHeld()
		if !c.awake {
			r.notifyHeld()
		}
	}
}

// sendHeld sends the first request that is held if the device may get it now. The next one follows
// when that has its response. A request of the device that waits for the server's response comes
// first.
func (c *Client) sendHeld() {
	for c.inFlight == nil && len(c.held) > 0 && c.isReachable() && c.conn.unanswered == 0 {
		r := c.held[0]
		c.held = slices.Delete(c.held, 0, 1)
		c.inFlight, r.conn, r.moved = r, c.conn, false
		if err := r.begin(c.conn); err != nil {
			if errors.Is(err, coap.ErrClosed) {
				c.fallAsleep()
			}
			c.onOutcome(r, coap.Result{Err: err, Last: true})
		}
	}
}

// onOutcome handles the outcome of a request. A request in queue mode that the device has not
// received is held again.
func (c *Client) onOutcome(r *request, result coap.Result) {
	if c.inFlight != r {
		r.done(result)
		return
	}
	c.inFlight = nil
	if !c.isUnreceived(r, result.Err) {
		r.done(result)
		c.sendHeld()
		return
	}
	if r.op.NoWait {
		r.done(coap.Result{Err: fmt.Errorf("%w: %w", ErrAsleep, result.Err), Last: true})
	} else {
		c.held = slices.Insert(c.held, 0, r)
	}
	if r.conn == c.conn && errors.Is(result.Err, coap.ErrTimeout) {
		c.fallAsleep()
	}
	if !c.awake && !r.op.NoWait {
		r.notifyHeld()
	}
}

// follow holds the request that is in flight again if the device has moved to another connection.
func (c *Client) follow() {
	if r := c.inFlight; r != nil && r.conn != c.conn && !r.once {
		r.moved = true
		r.call.Cancel()
	}
}

// isUnreceived reports whether an error means that a device in queue mode did not receive a
// request, which can be sent again. One that was acknowledged is not sent again, because the device
// may have performed it; nor is one over a stream, of which nobody knows whether the device has
// received it.
func (c *Client) isUnreceived(r *request, err error) bool {
	switch {
	case !c.reg.QueueMode || c.reg.Location == "" || r.once || r.op.NonConfirmable || r.call.Acknowledged():
		return false
	case r.conn.sock.Kind() == socket.Stream:
		return false
	}
	return r.moved || errors.Is(err, coap.ErrTimeout) || errors.Is(err, coap.ErrClosed)
}

// cancel ends a request whose caller has given up.
func (c *Client) cancel(r *request) {
	if !c.withdraw(r) {
		r.call.Cancel()
	}
}

// withdraw removes a request that is held, and reports whether it was.
func (c *Client) withdraw(r *request) bool {
	i := slices.Index(c.held, r)
	if i >= 0 {
		c.held = slices.Delete(c.held, i, i+1)
	}
	return i >= 0
}

// failHeld ends the requests that are held for which match returns true.
func (c *Client) failHeld(err error, match func(*request) bool) {
	var failed []*request
	c.held = slices.DeleteFunc(c.held, func(r *request) bool {
		if !match(r) {
			return false
		}
		failed = append(failed, r)
		return true
	})
	for _, r := range failed {
		r.done(coap.Result{Err: err, Last: true})
	}
}

// Held returns the requests that wait until the device wakes up, in the order in which they will be
// sent. While the device is awake, they wait for the response to the one before.
func (c *Client) Held() []Operation {
	list := make(chan []Operation, 1)
	c.server.sched.Post(func() {
		var all []Operation
		for _, r := range c.held {
			all = append(all, r.op)
		}
		list <- all
	})
	select {
	case all := <-list:
		return all
	case <-c.server.done:
		return nil
	}
}
