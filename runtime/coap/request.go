package coap

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Handler answers the requests of a peer. Both methods are called on the connection's goroutine.
type Handler interface {
	// Head is called when a request begins whose body does not fit one message, with its first
	// block as Body. The handler may refuse it by answering at once, choose where the body goes
	// ([Request.Stream]), or set how much may be kept in memory for it ([Request.Limit]). The
	// default bound is [ConnConfig.MaxBody].
	Head(r *Request)
	// Serve is called once for each request when it is complete. If the body was streamed, the
	// sink has received all of it and Body is nil. The handler answers with [Request.Respond],
	// at once or later.
	Serve(r *Request)
}

// A Response answers a request.
type Response struct {
	// Code is of class 2, 4 or 5.
	Code Code
	// Options are sent as they are. The exchange layer sets Block1, Block2 and Observe, and where a
	// body needs several blocks and they are missing, Size2 and ETag.
	Options Options
	// Body is copied where it is needed later.
	Body []byte
	// Source gives the body instead of Body; SourceSize is its size in bytes. The exchange
	// layer closes it.
	Source     Source
	SourceSize int64
	// Stateless keeps nothing of a body that needs several blocks: the handler is asked again for
	// each block, and answers with the whole body and the same ETag as before. It is for files,
	// which stay as they are, and for many peers at once. The zero value means that the peer
	// fetches the blocks of a snapshot.
	Stateless bool
	// OmitSize leaves out Size2, for a body whose size is not known. The zero value means that the
	// first block has it.
	OmitSize bool
	// NonConfirmable sends a separate response non-confirmable although the request was
	// confirmable (RFC 7252 §5.2.2).
	NonConfirmable bool
}

// Reset empties the response and keeps its memory.
func (r *Response) Reset() {
	r.Options.Reset()
	*r = Response{Options: r.Options, Body: r.Body[:0]}
}

// size is the size of the body in bytes.
func (r *Response) size() int64 {
	if r.Source != nil {
		return r.SourceSize
	}
	return int64(len(r.Body))
}

// A Request is a request of the peer. It is valid until Serve or Head returns. If it was not
// answered by then, it is valid until it is answered, and Options and Body are copied for that
// time. After that it must not be used.
type Request struct {
	requestState
	node     node[*Request] // in in.pending, when Serve has returned without an answer
	response Response
	ackTimer sched.Job
}

// requestState is the part of a Request that is reset when it is used for another one.
type requestState struct {
	in *requests
	envelope

	code    Code
	token   []byte
	options Options
	body    []byte
	binding Binding // of the Layer, or nil

	block1, block2       Block
	hasBlock1, hasBlock2 bool
	observe              uint32
	hasObserve           bool

	answered    bool
	serving     bool // Serve or Head is running
	limit       int
	sink        Sink
	upload      *transfer    // whose last block this is
	observation *Observation // that the answer begins

	charged int // bytes charged to the endpoint's memory
}

// Conn is the connection that the request came from.
func (r *Request) Conn() *Conn { return r.in.conn }

// Code is the method.
func (r *Request) Code() Code { return r.code }

// Options are the request's options. For a request in several blocks they are those of the last
// block.
func (r *Request) Options() *Options { return &r.options }

// Body is the whole body, or the first block in Head.
func (r *Request) Body() []byte { return r.body }

// Token is the request's token.
func (r *Request) Token() []byte { return r.token }

// Size is the size of the body in bytes if it is known: in Head the one that Size1 announces, in
// Serve the one that arrived.
func (r *Request) Size() (size int64, ok bool) {
	if r.hasBlock1 && r.block1.More {
		v, ok := r.options.Uint(OptionSize1)
		return int64(v), ok
	}
	if r.upload != nil {
		return r.upload.received, true
	}
	return int64(len(r.body)), true
}

// Observe is the Observe option of a GET or FETCH: [ObserveRegister] or [ObserveDeregister].
func (r *Request) Observe() (value uint32, ok bool) { return r.observe, r.hasObserve }

// Limit sets, in Head, how many bytes of the body may be kept in memory. A longer body is
// answered 4.13.
func (r *Request) Limit(bytes int) { r.limit = bytes }

// Stream directs, in Head, the body to sink as it arrives, the first block included. The size of
// the body is not bounded then.
func (r *Request) Stream(sink Sink) { r.sink = sink }

// Sink is, in Serve, the sink that Head chose by [Request.Stream]; nil if the body is in memory.
func (r *Request) Sink() Sink {
	if r.upload == nil {
		return nil
	}
	return r.sink
}

// Response is an empty response whose memory is used again for later requests. It belongs to the
// request.
func (r *Request) Response() *Response {
	r.response.Reset()
	return &r.response
}

// Acknowledge tells the peer that the answer takes time: a confirmable request is acknowledged now
// and answered separately. Otherwise that happens after [Params.AckDelay].
func (r *Request) Acknowledge() {
	if r.answered || r.acked || r.kind != Confirmable || r.in.closed != nil {
		return
	}
	r.acked = true
	r.in.e.sched.Cancel(&r.ackTimer)
	r.in.carrier.acknowledge(r)
}

// Respond answers the request. It must be called exactly once. The error is [ErrAnswered] after
// the first time, matches [ErrClosed] when the connection is closed, and matches [ErrUsage] or
// [ErrEncode] when resp cannot be sent, in which case the request is answered 5.00. resp is not
// kept.
func (r *Request) Respond(resp *Response) error {
	if r.answered || r.in == nil {
		closeSource(resp.Source)
		return ErrAnswered
	}
	rs := r.in
	if rs.closed != nil {
		closeSource(resp.Source)
		return rs.closed
	}
	r.answered = true
	if r.hasBlock1 && r.block1.More && r.sink != nil {
		// Refused after Stream: the sink has received nothing.
		r.sink = nil
	}
	var err error
	if !resp.Code.IsResponse() {
		closeSource(resp.Source)
		err = fmt.Errorf("%w: a request was answered with the code %v", ErrUsage, resp.Code)
	} else {
		err = rs.sendBody(r, resp)
	}
	if err != nil && rs.closed == nil {
		rs.sendFallback(r)
	}
	if !r.serving {
		r.release()
	}
	return err
}

// RespondObserve is [Request.Respond] and also begins the observation that the request asks for,
// if resp is a success. The observation is nil otherwise, when there are too many, and when the
// error is not nil.
func (r *Request) RespondObserve(resp *Response, observer Observer) (*Observation, error) {
	if !r.hasObserve || r.observe != ObserveRegister || observer == nil {
		return nil, fmt.Errorf("%w: RespondObserve without an observer or for a request that does not ask for it", ErrUsage)
	}
	if !resp.Code.IsSuccess() || r.answered || r.in.closed != nil {
		return nil, r.Respond(resp)
	}
	key := r.in.e.cacheKey(r.code, &r.options, false)
	o := r.in.observations.begin(r.token, key, r.binding, observer)
	if o == nil {
		return nil, r.Respond(resp)
	}
	r.observation = o
	o.szx, o.hasBlock = r.block2.SZX, r.hasBlock2
	if err := r.Respond(resp); err != nil {
		o.Cancel()
		return nil, err
	}
	return o, nil
}

// Ignore drops the request without an answer, as if it had not arrived: nothing is sent, and its
// next transmission is passed to the handler again. An acknowledgement that has been sent is not
// taken back. It is called instead of [Request.Respond], in Head, in Serve or later. What was kept
// of a body in several blocks is dropped, so that the peer has to send it again. After the request
// was answered, Ignore does nothing.
func (r *Request) Ignore() { r.drop(func() { r.in.carrier.forget(r) }) }

// Reset rejects the request by a Reset message (RFC 7252 §4.2), as an endpoint does that has lost
// the state to process it. A request that is acknowledged already, that is not confirmable, or that
// came over a stream, is dropped without a message. Reset is called instead of [Request.Respond].
// After the request was answered, Reset does nothing.
func (r *Request) Reset() {
	r.drop(func() {
		if r.kind == Confirmable && !r.acked {
			r.in.carrier.rejectRequest(r)
		}
	})
}

// drop ends a request without an answer: unanswered says what happens to its message.
func (r *Request) drop(unanswered func()) {
	if r.answered || r.in == nil || r.in.closed != nil {
		return
	}
	r.answered = true
	if r.hasBlock1 && r.block1.More {
		r.sink = nil // the sink has received nothing
	}
	unanswered()
	if !r.serving {
		r.release()
	}
}

// reply answers a request inside this package, with a diagnostic payload.
func (r *Request) reply(code Code, diagnostic string) {
	resp := r.Response()
	resp.Code = code
	resp.Body = append(resp.Body, diagnostic...)
	_ = r.Respond(resp)
}

// release removes an answered request from the pending ones. It is not used again for another
// request, because the handler may still hold it.
func (r *Request) release() {
	if r.node.in == nil {
		return // not answered late
	}
	r.node.remove()
	r.in.e.unreserve(r.charged)
	r.in.e.sched.Cancel(&r.ackTimer)
	r.freeUpload()
}

func (r *Request) freeUpload() {
	if r.upload != nil {
		r.upload.release()
		r.upload = nil
	}
}

func (e *Endpoint) newRequest(in *requests) *Request {
	if n := len(e.requests); n > 0 {
		r := e.requests[n-1]
		e.requests = e.requests[:n-1]
		r.in = in
		return r
	}
	r := &Request{requestState: requestState{in: in}}
	r.ackTimer.Func = r.Acknowledge
	return r
}

func (e *Endpoint) freeRequest(r *Request) {
	r.freeUpload()
	e.sched.Cancel(&r.ackTimer)
	if len(e.requests) >= maxFreeRequests {
		return
	}
	if cap(r.response.Body) > maxFreeBytes {
		r.response.Body = nil
	}
	r.response.Source = nil
	r.requestState = requestState{}
	e.requests = append(e.requests, r)
}
