package coap

import (
	"encoding/binary"
	"fmt"
)

// calls is the client side of a connection: the requests of this endpoint, their bodies in blocks
// in both directions, and its observations of the peer.
type calls struct {
	*shared
	active  list[*Call] // waiting or observing, in the order they began
	byToken table[uint64, *Call]
	held    list[*Call] // until the peer of a stream announces its settings
}

// do begins a call with a token of its own.
func (cs *calls) do(call *Call) error {
	if call.state != callIdle {
		return fmt.Errorf("%w: the call is under way already", ErrUsage)
	}
	if err := cs.check(call); err != nil {
		closeSource(call.Source)
		return err
	}
	return cs.begin(call, cs.newToken())
}

// check refuses calls that cannot be begun.
func (cs *calls) check(call *Call) error {
	switch {
	case cs.closed != nil:
		return cs.closed
	case call.Done == nil:
		return fmt.Errorf("%w: Call.Done is missing", ErrUsage)
	case !call.Code.IsRequest():
		return fmt.Errorf("%w: %v is no method", ErrUsage, call.Code)
	case !call.Priority.valid():
		return fmt.Errorf("%w: there is no priority %d", ErrUsage, call.Priority)
	case call.Observe != nil && !call.Code.isSafe():
		return fmt.Errorf("%w: %v cannot observe", ErrUsage, call.Code)
	case call.OneBlock && (call.Observe != nil || call.Sink != nil):
		return fmt.Errorf("%w: a call with OneBlock has neither Sink nor Observe", ErrUsage)
	case cs.sizes.isStream() && cs.sizes.peer.released:
		return ErrReleased
	}
	return nil
}

// newToken is a token that no other call has.
func (cs *calls) newToken() uint64 {
	token := cs.e.newToken()
	for _, taken := cs.byToken.get(token); taken; _, taken = cs.byToken.get(token) {
		token = cs.e.newToken()
	}
	return token
}

func (cs *calls) begin(call *Call, token uint64) error {
	call.in, call.token, call.tx = cs, token, nil
	call.upload = upload{szx: cs.sizes.maxExponent()}
	call.download.reset()
	call.echo, call.tag = nil, nil
	call.watch = watch{}
	call.upload.size = int64(len(call.Body))
	if call.Source != nil {
		call.upload.size = call.SourceSize
	}
	if b, ok := call.Options.Block(OptionBlock2); ok {
		call.download.begin(b, cs.sizes.askExponent(b.SZX, call.Options.Len()))
	}
	cs.add(call)
	if err := call.send(); err != nil {
		call.stop()
		return err
	}
	cs.carrier.pump()
	return nil
}

// resume begins a call whose first response m is there already.
func (cs *calls) resume(call *Call, m *Message) {
	call.in, call.token = cs, cs.newToken()
	call.upload = upload{szx: cs.sizes.maxExponent(), size: int64(len(call.Body))}
	cs.add(call)
	call.download.handle(call, m)
}

func (cs *calls) add(call *Call) {
	if call.end == nil {
		call.end = call.expire
		call.timer.Func = call.end
	}
	call.state = callWaiting
	cs.active.push(&call.node, call)
	cs.byToken.put(call.token, call)
}

// mustHold reports whether a call has to wait for the settings of a stream's peer: it does not fit
// the message that every peer accepts, and how to divide it depends on them.
func (cs *calls) mustHold(call *Call, opts *Options) bool {
	return cs.sizes.awaitsSettings() && call.upload.size > cs.sizes.wholeBytes(call.upload.szx, opts.Len(), 8)
}

// hold keeps a call until the settings are known.
func (cs *calls) hold(call *Call) error {
	if cs.held.n >= cs.cfg.MaxQueue {
		return ErrBusy
	}
	cs.held.push(&call.heldNode, call)
	cs.e.sched.After(&call.timer, call.responseTimeout())
	return nil
}

// sendHeld sends the calls that waited for the settings, in the order they began.
func (cs *calls) sendHeld() {
	for call, ok := cs.held.first(); ok && cs.closed == nil; call, ok = cs.held.first() {
		call.heldNode.remove()
		call.upload.szx = cs.sizes.maxExponent()
		call.sendNext()
	}
}

// find is the call that a token belongs to, or nil.
func (cs *calls) find(token []byte) *Call {
	if len(token) != 8 {
		return nil
	}
	call, _ := cs.byToken.get(binary.BigEndian.Uint64(token))
	return call
}

// close ends all calls in the order they began.
func (cs *calls) close(reason error) {
	for call, ok := cs.active.first(); ok; call, ok = cs.active.first() {
		call.finish(Result{Err: reason, Last: true})
	}
}
