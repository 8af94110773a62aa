package coap

import (
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A watch is the observing side of a call (RFC 7641 §3).
type watch struct {
	seq     uint32     // of the newest notification
	at      sched.Time // when it arrived
	child   *Call      // fetches the further blocks of the newest notification
	isChild bool       // this call fetches them
}

// maxReorder is the time after which a notification is newer whatever its sequence number.
const maxReorder = sched.Time(128 * time.Second)

// isFresh reports whether a notification is newer than the last one, by its sequence number and
// time (RFC 7641 §3.4).
func (w *watch) isFresh(seq uint32, now sched.Time) bool {
	const half = 1 << 23
	return w.seq < seq && seq-w.seq < half || w.seq > seq && w.seq-seq > half || now > w.at+maxReorder
}

// beginObserving handles the first response to a request that observes.
func (call *Call) beginObserving(m *Message) {
	seq, ok := m.Options.Observe()
	if !ok || !m.Code.IsSuccess() {
		// The peer refuses the observation: an ordinary response.
		call.collect(m, (*Call).finishLast)
		return
	}
	call.watch.seq, call.watch.at = seq, call.in.e.sched.Now()
	call.collect(m, (*Call).onEstablished)
}

func (call *Call) finishLast(r Result) {
	r.Last = true
	call.finish(r)
}

// onEstablished reports the first response, after which notifications may come.
func (call *Call) onEstablished(r Result) {
	if r.Err != nil {
		call.finish(r)
		return
	}
	r.Last = false
	call.state = callObserving
	call.Done(r)
}

// handleNotification handles a notification.
func (call *Call) handleNotification(m *Message) {
	seq, ok := m.Options.Observe()
	if !ok || !m.Code.IsSuccess() {
		call.collect(m, (*Call).finishLast)
		return
	}
	now := call.in.e.sched.Now()
	if !call.in.sizes.isStream() && !call.watch.isFresh(seq, now) {
		return
	}
	call.watch.seq, call.watch.at = seq, now
	call.collect(m, (*Call).onNotification)
}

// onNotification reports a notification.
func (call *Call) onNotification(r Result) {
	r.Last = false
	if call.state == callObserving {
		call.Observe(r)
	}
}

// collect passes a response to then when it is complete. Further blocks are fetched by requests
// with another token, because a newer notification may arrive with the observation's
// (RFC 7959 §3.4).
func (call *Call) collect(m *Message, then func(*Call, Result)) {
	if old := call.watch.child; old != nil {
		call.watch.child = nil
		old.abandon()
	}
	b, ok := m.Options.Block(OptionBlock2)
	if !ok || !b.More || !m.Code.IsSuccess() {
		then(call, Result{Code: m.Code, Options: &m.Options, Body: m.Payload})
		return
	}
	child := call.derive()
	child.watch.isChild = true
	options := m.Options.Clone()
	child.Done = func(r Result) {
		if call.watch.child != child {
			return
		}
		call.watch.child = nil
		switch {
		case r.Err == nil && !r.Code.IsSuccess():
			r = Result{Err: ErrChanged} // its other blocks no longer exist
		case r.Err == nil:
			r.Options = &options
		}
		then(call, r)
	}
	call.watch.child = child
	call.in.resume(child, m)
}

// derive is a call with the same request.
func (call *Call) derive() *Call {
	return &Call{
		Code: call.Code, Options: call.Options.Clone(), Body: call.Body, MaxBody: call.MaxBody,
		NonConfirmable: call.NonConfirmable, Priority: call.Priority, Timeout: call.Timeout,
	}
}

// Deregister ends an observation by telling the peer (RFC 7641 §3.6): the request is sent again,
// with Observe 1 and the same token. done is called exactly once with the outcome if the error is
// nil; Observe is not called any more. The call itself can be used again.
func (call *Call) Deregister(done func(Result)) error {
	if call.state != callObserving {
		return fmt.Errorf("%w: Deregister of a call that does not observe", ErrUsage)
	}
	bye := call.derive()
	bye.Done, bye.cancel = done, true
	in, token := call.in, call.token
	call.stop()
	return in.begin(bye, token)
}
