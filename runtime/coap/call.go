package coap

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Result is the outcome of a request of ours, or a notification.
type Result struct {
	// Err is nil when there is a response, be it one with an error code.
	Err error
	// Code, Options and Body are the response; Body is the whole body, or nil if
	// it went to a sink. Options and Body are valid until the callback returns.
	Code    Code
	Options *Options
	Body    []byte
	// Last says that no notification follows. It is true in every result of a
	// request that begins no observation.
	Last bool
}

// A Call is a request of ours and what becomes of it. Its exported fields are
// set before [Conn.Do] and must not change until the outcome; then the Call may
// be used again.
type Call struct {
	// Code is the method.
	Code Code
	// Options are sent with every block; the options of block-wise transfer and
	// Observe are set by the exchange layer. With a Block2 option in them the
	// transfer of the response begins at that block, of that size.
	Options Options
	// Body is the request's body, in as many blocks as it takes.
	Body []byte
	// Source gives the body instead of Body; SourceSize is its size in bytes. It
	// is closed when the call is over, also when Do returns an error.
	Source     Source
	SourceSize int64
	// NonConfirmable sends the request without asking for an acknowledgement.
	NonConfirmable bool
	// Timeout is how long to wait for the response, from when the request was
	// acknowledged, or sent if it is never acknowledged, block by block. Zero:
	// [Params.ResponseTimeout].
	Timeout time.Duration
	// MaxBody bounds the response's body in memory, in bytes. Zero:
	// [ConnConfig.MaxBody].
	MaxBody int
	// Sink takes the body of a success as a stream instead, without any bound.
	Sink Sink
	// Done is called exactly once, with the outcome. Required.
	Done func(Result)
	// Observe makes a GET or FETCH the beginning of an observation (RFC 7641):
	// after Done it is called for each notification, in order, old ones left
	// out, until one is the last. A notification of which some blocks could not
	// be fetched is an error that is not the last. Nil: no observation.
	Observe func(Result)

	c     *Conn
	node  node[*Call]
	state callState
	token uint64
	wire  [8]byte       // the token in bytes
	tx    *transmission // on its way
	timer sched.Job
	end   func() // the method expired, made once

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
	callWaiting             // for the response, Done has not been called
	callObserving           // Done has been called, notifications may come
)

// Do begins a request. Its outcome comes by call.Done, possibly before Do
// returns. An error means that nothing was begun and Done will not be called:
// the connection is closed ([ErrClosed]), too much is queued ([ErrBusy]), or the
// call is wrong ([ErrUsage], [ErrEncode]).
func (c *Conn) Do(call *Call) error {
	if call.state != callIdle {
		return fmt.Errorf("%w: the call is under way already", ErrUsage)
	}
	if err := c.check(call); err != nil {
		closeSource(call.Source)
		return err
	}
	token := c.e.newToken()
	for _, taken := c.byToken.get(token); taken; _, taken = c.byToken.get(token) {
		token = c.e.newToken()
	}
	return c.begin(call, token)
}

// check refuses calls that cannot be begun.
func (c *Conn) check(call *Call) error {
	switch {
	case c.closed != nil:
		return c.closed
	case call.Done == nil:
		return fmt.Errorf("%w: Call.Done is missing", ErrUsage)
	case !call.Code.IsRequest():
		return fmt.Errorf("%w: %v is no method", ErrUsage, call.Code)
	case call.Observe != nil && !call.Code.safe():
		return fmt.Errorf("%w: %v cannot observe", ErrUsage, call.Code)
	case c.stream != nil && c.stream.released:
		return ErrReleased
	}
	return nil
}

func (c *Conn) begin(call *Call, token uint64) error {
	call.c, call.token, call.tx = c, token, nil
	call.upload = upload{szx: c.maxSZX()}
	call.download.reset()
	call.echo, call.tag = nil, nil
	call.watch = watch{}
	call.upload.size = int64(len(call.Body))
	if call.Source != nil {
		call.upload.size = call.SourceSize
	}
	if b, ok := call.Options.Block(OptionBlock2); ok {
		call.download.begin(b)
	}
	if call.end == nil {
		call.end = call.expired
		call.timer.Func = call.end
	}
	call.state = callWaiting
	c.calls.push(&call.node, call)
	c.byToken.put(token, call)
	if err := call.send(); err != nil {
		call.stop()
		return err
	}
	c.pump()
	return nil
}

// Cancel gives the request, or the observation, up without telling the peer:
// its next notification will be rejected. If the outcome was outstanding, Done is
// called with [ErrCancelled] before Cancel returns; Observe is not called any
// more.
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

// tokenBytes is the token on the wire.
func (call *Call) tokenBytes() []byte {
	binary.BigEndian.PutUint64(call.wire[:], call.token)
	return call.wire[:]
}

func (call *Call) hasToken(token []byte) bool {
	return len(token) == 8 && binary.BigEndian.Uint64(token) == call.token
}

// callFor is the request of ours that a token belongs to, or nil.
func (c *Conn) callFor(token []byte) *Call {
	if len(token) != 8 {
		return nil
	}
	call, _ := c.byToken.get(binary.BigEndian.Uint64(token))
	return call
}

// send sends the request, or its next block, or asks for the response's next.
func (call *Call) send() error {
	c := call.c
	opts := &c.e.opts
	opts.CopyFrom(&call.Options)
	payload, err := call.fill(opts)
	if err != nil {
		return err
	}
	m := &c.e.msg2
	*m = Message{Code: call.Code, Token: call.tokenBytes(), Options: *opts, Payload: payload}
	wait := call.Timeout
	if wait == 0 {
		wait = c.cfg.Params.ResponseTimeout
	}
	if c.stream != nil {
		if err := c.stream.send(m); err != nil {
			return err
		}
		c.e.sched.After(&call.timer, wait)
		return nil
	}
	if call.NonConfirmable {
		m.Type = NonConfirmable
		c.e.sched.After(&call.timer, wait)
	}
	call.tx, err = c.transmit(call, m)
	return err
}

// fill sets the options of block-wise transfer, Observe, Echo and Request-Tag,
// and returns the payload.
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
		opts.SetBlock(OptionBlock2, call.download.ask())
		if began := call.download.next > call.download.start; began && (call.upload.blocks || call.Code != FETCH) {
			// The body has arrived with the first requests. Only a FETCH whose body is
			// short repeats it: it is a part of the request's cache key
			// (RFC 8132 §2).
			return nil, nil
		}
	}
	return call.upload.fill(call, opts)
}

// acked is called when the peer has acknowledged the request without a
// response: it will come separately.
func (call *Call) acked() {
	call.tx = nil
	wait := call.Timeout
	if wait == 0 {
		wait = call.c.cfg.Params.ResponseTimeout
	}
	call.c.e.sched.After(&call.timer, wait)
}

// failed is called when the request did not get through.
func (call *Call) failed(err error) { call.finish(Result{Err: err, Last: true}) }

func (call *Call) expired() { call.finish(Result{Err: ErrTimeout, Last: true}) }

// stop takes the call out of everything.
func (call *Call) stop() {
	c := call.c
	if call.state == callIdle {
		return
	}
	call.state = callIdle
	c.byToken.remove(call.token)
	call.node.remove()
	c.e.sched.Cancel(&call.timer)
	if call.tx != nil {
		call.tx.done()
	}
	if child := call.watch.child; child != nil {
		call.watch.child = nil
		child.abandon()
	}
	closeSource(call.Source)
	call.download.body = nil
	if c.closed == nil {
		c.pump()
	}
}

// abandon stops a call whose outcome nobody waits for any more.
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
func (call *Call) respond(m *Message) {
	c := call.c
	c.e.sched.Cancel(&call.timer)
	if _, bad := m.Options.Unrecognized(m.Code, c.cfg.Critical); bad {
		call.finish(Result{Err: ErrBadOption, Last: true})
		return
	}
	if call.state == callObserving {
		call.notified(m)
		return
	}
	if call.askedForEcho(m) || call.upload.more(call, m) {
		return
	}
	if call.state != callWaiting {
		return
	}
	if call.Observe != nil {
		call.observed(m)
		return
	}
	call.download.take(call, m)
}

// askedForEcho repeats the request once if the peer wants to know that it is
// fresh (RFC 9175 §2.3).
func (call *Call) askedForEcho(m *Message) bool {
	value, ok := m.Options.Echo()
	if m.Code != Unauthorized || !ok || call.echo != nil {
		return false
	}
	call.echo = append([]byte(nil), value...)
	call.upload.offset = 0
	call.again()
	return true
}

// again sends the next message of the call.
func (call *Call) again() {
	if err := call.send(); err != nil {
		call.finish(Result{Err: err, Last: true})
		return
	}
	call.c.pump()
}
