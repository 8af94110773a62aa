package coap

import (
	"encoding/binary"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Result is the outcome of a request of this endpoint, or a notification.
type Result struct {
	// Err is nil if the peer responded, also with an error code.
	Err error
	// Code, Options and Body are the response. Body is the whole body, or nil if it went to a
	// sink. Options and Body are valid until the callback returns.
	Code    Code
	Options *Options
	Body    []byte
	// Last says that no notification follows. It is true in every result of a request that
	// begins no observation.
	Last bool
}

// A Call is a request of this endpoint and its outcome. Set its exported fields before [Conn.Do]
// and do not change them until the outcome. Then the Call can be used again.
type Call struct {
	// Code is the method.
	Code Code
	// Options are sent with every block. The exchange layer sets Observe and the options of
	// block-wise transfer. With a Block2 option in them the transfer of the response begins at
	// that block, with that block size, or the largest one that the connection has.
	Options Options
	// Body is the request's body. It is sent in as many blocks as it needs.
	Body []byte
	// Source gives the body instead of Body; SourceSize is its size in bytes. It is closed when
	// the call is over, also when Do returns an error.
	Source     Source
	SourceSize int64
	// NonConfirmable sends the request without asking for an acknowledgement.
	NonConfirmable bool
	// Priority says which messages the request, and each of its further blocks, is sent before
	// when it has to wait for its turn. The zero value means [PriorityNormal].
	Priority Priority
	// Timeout is how long to wait for the response after the request was acknowledged, or after
	// it was sent if it is never acknowledged. It applies to each block. The zero value means
	// [Params.ResponseTimeout].
	Timeout time.Duration
	// MaxBody bounds the response's body in memory, in bytes. The zero value means
	// [ConnConfig.MaxBody].
	MaxBody int
	// Sink receives the body of a success as a stream instead. Its size is not bounded then.
	Sink Sink
	// OneBlock ends the call with the first block of the response: Result.Body is this block, and
	// the Block2 option in Result.Options says where it is in the body and whether more follow. The
	// caller fetches those when it likes, each by a call whose Options have the Block2 option. It
	// needs no Sink and cannot observe. The zero value means that all blocks are fetched.
	OneBlock bool
	// Done is called exactly once, with the outcome. Required.
	Done func(Result)
	// Observe makes a GET or FETCH the beginning of an observation (RFC 7641). After Done it is
	// called for each notification, in order and without outdated ones, until one is the last.
	// A notification of which some blocks could not be fetched is an error that is not the
	// last. The zero value means that the call does not observe.
	Observe func(Result)

	in       *calls
	node     node[*Call]
	heldNode node[*Call] // in in.held
	state    callState
	acked    bool // the last message was acknowledged without a response
	token    uint64
	wire     [8]byte       // the token in bytes
	tx       *transmission // queued or outstanding
	timer    sched.Job
	end      func()  // the method value of expire, made once
	binding  Binding // of the Layer, or nil

	upload   upload
	download download
	echo     []byte // value to send back (RFC 9175 §2.3)
	tag      []byte // Request-Tag (RFC 9175 §3)
	cancel   bool   // the request that ends an observation
	watch    watch
}

type callState uint8

const (
	callIdle      callState = iota
	callWaiting             // for the response; Done has not been called
	callObserving           // Done has been called, notifications may come
)

// Cancel cancels the request, or the observation, without telling the peer: its next notification
// will be rejected. If the outcome was outstanding, Done is called with [ErrCancelled] before
// Cancel returns. Observe is not called any more.
func (call *Call) Cancel() {
	switch call.state {
	case callWaiting:
		call.finish(Result{Err: ErrCancelled, Last: true})
	case callObserving:
		call.stop()
	}
}

// Active reports whether the call waits for its response or observes.
func (call *Call) Active() bool { return call.state != callIdle }

// Acknowledged reports whether the peer has acknowledged the last message of the request without a
// response to it. After a time-out it says whether the peer has received the request. It is false
// over a stream and for requests that are not confirmable.
func (call *Call) Acknowledged() bool { return call.acked }

// tokenBytes is the token on the wire.
func (call *Call) tokenBytes() []byte {
	binary.BigEndian.PutUint64(call.wire[:], call.token)
	return call.wire[:]
}

func (call *Call) hasToken(token []byte) bool {
	return len(token) == 8 && binary.BigEndian.Uint64(token) == call.token
}

// responseTimeout is how long to wait for the response.
func (call *Call) responseTimeout() time.Duration {
	if call.Timeout != 0 {
		return call.Timeout
	}
	return call.in.cfg.Params.ResponseTimeout
}

// send sends the request, or its next block, or asks for the next block of the response.
func (call *Call) send() error {
	in := call.in
	call.acked = false
	opts := &in.e.outOpts
	opts.CopyFrom(&call.Options)
	if in.mustHold(call, opts) {
		return in.hold(call)
	}
	payload, err := call.fill(opts)
	if err != nil {
		return err
	}
	m := &in.e.outMsg
	*m = Message{Code: call.Code, Token: call.tokenBytes(), Options: *opts, Payload: payload}
	if call.NonConfirmable {
		m.Type = NonConfirmable
	}
	how := sending{priority: call.Priority}
	if in.cfg.Layer != nil {
		how.protect = call.protect
	}
	if call.tx, err = in.carrier.queue(call, m, how); err != nil {
		return err
	}
	if call.tx == nil || call.NonConfirmable {
		in.e.sched.After(&call.timer, call.responseTimeout())
	}
	return nil
}

// protect protects a message of the call. The binding of the last one unprotects the responses.
func (call *Call) protect(m *Message) (err error) {
	call.binding, err = call.in.cfg.Layer.Protect(m)
	return err
}

// fill sets the options of block-wise transfer, Observe, Echo and Request-Tag, and returns the
// payload.
func (call *Call) fill(opts *Options) ([]byte, error) {
	if call.echo != nil {
		opts.Set(OptionEcho, call.echo)
	}
	if call.cancel {
		opts.SetUint(OptionObserve, ObserveDeregister)
	} else if call.Observe != nil {
		opts.SetUint(OptionObserve, ObserveRegister)
	}
	if call.download.active {
		opts.SetBlock(OptionBlock2, call.download.nextBlock())
		if began := call.download.next > call.download.start; began && (call.upload.blocks || call.Code != FETCH) {
			// The body has arrived with the first requests. Only a FETCH whose body is short
			// repeats it: it is a part of the request's cache key (RFC 8132 §2).
			return nil, nil
		}
	}
	return call.upload.fill(call, opts)
}

// onEnd is called when the transmission of the request must not be used any more.
func (call *Call) onEnd() { call.tx = nil }

// onAck is called when the peer has acknowledged the request without a response, which comes
// separately.
func (call *Call) onAck() {
	call.acked = true
	call.in.e.sched.After(&call.timer, call.responseTimeout())
}

// onFail is called when the request did not get through.
func (call *Call) onFail(err error) { call.finish(Result{Err: err, Last: true}) }

func (call *Call) expire() { call.finish(Result{Err: ErrTimeout, Last: true}) }

// admit unprotects a response and checks its critical options.
func (call *Call) admit(m *Message) error {
	if call.binding != nil {
		if call.binding.Unprotect(m) != nil || !m.Code.IsResponse() {
			return errRefused
		}
	}
	if _, bad := m.Options.Unrecognized(m.Code, call.in.cfg.Critical); bad {
		return ErrBadOption
	}
	return nil
}

// isCrossing reports whether a response is a notification that crossed the request to end the
// observation.
func (call *Call) isCrossing(m *Message) bool { return call.cancel && m.Options.Has(OptionObserve) }

// complete ends the transmission of the request.
func (call *Call) complete() {
	if call.tx != nil {
		call.tx.end()
	}
}

// stop removes the call from everything.
func (call *Call) stop() {
	in := call.in
	if call.state == callIdle {
		return
	}
	call.state = callIdle
	in.byToken.remove(call.token)
	call.node.remove()
	call.heldNode.remove()
	in.e.sched.Cancel(&call.timer)
	call.complete()
	call.binding = nil
	if child := call.watch.child; child != nil {
		call.watch.child = nil
		child.abandon()
	}
	closeSource(call.Source)
	call.download.body = nil
	if in.closed == nil {
		in.carrier.pump()
	}
}

// abandon stops a call whose outcome is discarded.
func (call *Call) abandon() {
	call.Done = func(Result) {}
	call.finish(Result{Err: ErrCancelled, Last: true})
}

// finish ends the call with its outcome.
func (call *Call) finish(r Result) {
	state := call.state
	if state == callIdle {
		return
	}
	if r.Err != nil && call.Sink != nil && call.download.active && state == callWaiting {
		call.Sink.Abort(r.Err)
		if call.state == callIdle {
			return // cancelled from within the sink
		}
	}
	call.stop()
	if state == callObserving {
		call.Observe(r)
		return
	}
	call.Done(r)
}

// respond handles a response to the call.
func (call *Call) respond(m *Message, err error) {
	call.in.e.sched.Cancel(&call.timer)
	if err != nil {
		call.finish(Result{Err: err, Last: true})
		return
	}
	if call.state == callObserving {
		call.handleNotification(m)
		return
	}
	if call.repeatWithEcho(m) || call.upload.handle(call, m) {
		return
	}
	if call.state != callWaiting {
		return
	}
	if call.Observe != nil {
		call.beginObserving(m)
		return
	}
	call.download.handle(call, m)
}

// repeatWithEcho repeats the request once if the peer asks for proof that it is fresh (RFC 9175
// §2.3).
func (call *Call) repeatWithEcho(m *Message) bool {
	value, ok := m.Options.Echo()
	if m.Code != Unauthorized || !ok || call.echo != nil {
		return false
	}
	call.echo = append([]byte(nil), value...)
	call.upload.offset = 0
	call.sendNext()
	return true
}

// sendNext sends the next message of the call.
func (call *Call) sendNext() {
	if err := call.send(); err != nil {
		call.finish(Result{Err: err, Last: true})
		return
	}
	call.in.carrier.pump()
}
