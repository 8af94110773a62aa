package coap

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A watch is the observing side of a call (RFC 7641 §3).
type watch struct {
	seq     uint32     // of the newest notification
	at      sched.Time // when it came
	any     bool
	child   *Call // fetches the further blocks of the newest notification
	isChild bool
}

// fresh reports whether a notification is newer than the last one, by its
// sequence number and time (RFC 7641 §3.4).
func (w *watch) fresh(seq uint32, now sched.Time) bool {
	const half = 1 << 23
	return !w.any || w.seq < seq && seq-w.seq < half || w.seq > seq && w.seq-seq > half ||
		now > w.at+128e9
}

// observed handles the first response to a request that observes.
func (call *Call) observed(m *Message) {
	seq, ok := m.Options.Observe()
	if !ok || !m.Code.IsSuccess() {
		// The peer does not let us observe: an ordinary response.
		call.collect(m, func(r Result) {
			r.Last = true
			call.finish(r)
		})
		return
	}
	call.watch.seq, call.watch.at, call.watch.any = seq, call.c.e.sched.Now(), true
	call.collect(m, call.established)
}

// established tells of the first response, after which notifications may come.
func (call *Call) established(r Result) {
	if r.Err != nil {
		call.finish(r)
		return
	}
	r.Last = false
	call.state = callObserving
	call.Done(r)
}

// notified handles a notification.
func (call *Call) notified(m *Message) {
	seq, ok := m.Options.Observe()
	if !ok || !m.Code.IsSuccess() {
		call.collect(m, func(r Result) {
			r.Last = true
			call.finish(r)
		})
		return
	}
	now := call.c.e.sched.Now()
	if call.c.stream == nil && !call.watch.fresh(seq, now) {
		return
	}
	call.watch.seq, call.watch.at = seq, now
	call.collect(m, func(r Result) {
		r.Last = false
		if call.state == callObserving {
			call.Observe(r)
		}
	})
}

// collect passes a response on when it is there as a whole. Further blocks are
// fetched by requests with a token of their own, as the observation's may bring
// a newer notification meanwhile (RFC 7959 §3.4).
func (call *Call) collect(m *Message, then func(Result)) {
	c := call.c
	if old := call.watch.child; old != nil {
		call.watch.child = nil
		old.abandon()
	}
	b, ok := m.Options.Block(OptionBlock2)
	if !ok || !b.More || !m.Code.IsSuccess() {
		then(Result{Code: m.Code, Options: &m.Options, Body: m.Payload})
		return
	}
	child := &Call{
		Code: call.Code, Options: call.Options.Clone(), Body: call.Body, MaxBody: call.MaxBody,
		NonConfirmable: call.NonConfirmable, Timeout: call.Timeout,
	}
	options := m.Options.Clone()
	child.Done = func(r Result) {
		if call.watch.child != child {
			return
		}
		call.watch.child = nil
		switch {
		case r.Err == nil && !r.Code.IsSuccess():
			r = Result{Err: ErrChanged} // its other blocks are no longer there
		case r.Err == nil:
			r.Options = &options
		}
		then(r)
	}
	call.watch.child = child
	c.resume(child, m)
}

// resume begins a call whose response has begun already.
func (c *Conn) resume(call *Call, m *Message) {
	call.c, call.token = c, c.e.newToken()
	call.upload = upload{szx: c.maxSZX(), size: int64(len(call.Body))}
	call.watch.isChild = true
	call.timer.Func = call.expired
	call.state = callWaiting
	c.calls.push(&call.node, call)
	c.byToken.put(call.token, call)
	call.download.take(call, m)
}

// Deregister ends an observation by telling the peer (RFC 7641 §3.6): the
// request is sent once more, with Observe 1 and the same token. The outcome
// comes to done, exactly once if the error is nil; Observe is not called any
// more. The call itself is free for use again.
func (call *Call) Deregister(done func(Result)) error {
	if call.state != callObserving {
		return fmt.Errorf("%w: Deregister of a call that does not observe", ErrUsage)
	}
	c, token := call.c, call.token
	bye := &Call{
		Code: call.Code, Options: call.Options.Clone(), Body: call.Body, MaxBody: call.MaxBody,
		NonConfirmable: call.NonConfirmable, Timeout: call.Timeout, Done: done, cancel: true,
	}
	call.stop()
	return c.begin(bye, token)
}
