package coap

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// requestBytes is what a request costs while it is worked on, beyond its content.
const requestBytes = 512

// A Handler answers the requests of a peer. Both methods are called on the
// connection's goroutine.
type Handler interface {
	// Head is called when a request begins whose body does not fit one message,
	// with its first block as Body. The handler may refuse it by answering at
	// once, name where the body goes to ([Request.Stream]), or set how much may
	// be kept in memory for it ([Request.Limit]); if it does nothing, the bound is
	// [ConnConfig.MaxBody].
	Head(r *Request)
	// Serve is called once for each request when it is there as a whole; when it
	// was streamed, the sink has taken all of it and Body is nil. The handler
	// answers with [Request.Respond], at once or later.
	Serve(r *Request)
}

// A Sink takes the body of a request or a response as a stream. Its methods are
// called on the connection's goroutine.
type Sink interface {
	// Write takes the next bytes of the body, all of them or an error. The error
	// ends the transfer; an [Error] chooses the code the peer is answered with.
	Write(p []byte) (n int, err error)
	// Abort says that the body will not become whole, and why. It is not called
	// after an error of Write, nor after the last byte was taken.
	Abort(err error)
}

// A Source gives the body of a request or a response, in random order and
// possibly repeatedly, but always the same bytes. Its methods are called on the
// connection's goroutine, while a message is being made: they must not use the
// endpoint or its connections.
type Source interface {
	// ReadAt is that of io.ReaderAt.
	ReadAt(p []byte, off int64) (n int, err error)
	// Close is called exactly once, when the body is no longer needed.
	Close() error
}

// A Response is what a request is answered with.
type Response struct {
	// Code is of class 2, 4 or 5.
	Code Code
	// Options are sent as they are; Block1, Block2, Size2 and Observe are set by
	// the exchange layer, and ETag where a body needs several blocks and has none.
	Options Options
	// Body is copied where it is needed later.
	Body []byte
	// Source gives the body instead of Body; SourceSize is its size in bytes.
	// The exchange layer closes it.
	Source     Source
	SourceSize int64
	// NonConfirmable sends a separate response non-confirmable although the
	// request was confirmable (RFC 7252 §5.2.2).
	NonConfirmable bool
}

// Reset empties the response and keeps its memory.
func (r *Response) Reset() {
	r.Options.Reset()
	*r = Response{Options: r.Options, Body: r.Body[:0]}
}

// A Request is a request of the peer. It is valid until Serve or Head returns;
// if it was not answered by then, until it is answered, and Options and Body are
// copied for that time. After that it must not be used.
type Request struct {
	requestState
	node     node[*Request] // in c.requests, when Serve has returned
	response Response
	ackTimer sched.Job
}

// requestState is what is reset when a Request is used for the next one.
type requestState struct {
	c *Conn

	kind    Type
	code    Code
	mid     uint16
	token   []byte
	options Options
	body    []byte
	arrival uint32 // its number in c.seen

	block1, block2       Block
	hasBlock1, hasBlock2 bool
	observe              uint32
	hasObserve           bool

	answered bool
	acked    bool // an empty acknowledgement was sent
	serving  bool // Serve or Head is running
	limit    int
	sink     Sink
	upload   *transfer    // whose last block this is
	relation *Observation // that the answer begins

	held int // bytes taken of the endpoint's memory
}

// Conn is the connection the request came from.
func (r *Request) Conn() *Conn { return r.c }

// Code is the method.
func (r *Request) Code() Code { return r.code }

// Options are the request's options; for one of several blocks those of its
// last block.
func (r *Request) Options() *Options { return &r.options }

// Body is the whole body, or the first block in Head.
func (r *Request) Body() []byte { return r.body }

// Confirmable reports whether the peer wants to know that the request arrived.
func (r *Request) Confirmable() bool { return r.kind == Confirmable }

// Token is the request's token.
func (r *Request) Token() []byte { return r.token }

// Size is the size of the body in bytes if it is known: what Size1 announces in
// Head, what arrived in Serve.
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

// Observe is the Observe option of a GET or FETCH: [ObserveRegister] or
// [ObserveDeregister].
func (r *Request) Observe() (value uint32, ok bool) { return r.observe, r.hasObserve }

// Limit sets, in Head, how many bytes of the body may be kept in memory. A
// longer body is answered 4.13.
func (r *Request) Limit(bytes int) { r.limit = bytes }

// Stream sends, in Head, the body to sink as it arrives, the first block
// included, without any bound.
func (r *Request) Stream(sink Sink) { r.sink = sink }

// Sink is, in Serve, what took the body as Head had asked for by [Request.Stream];
// nil where the body is in memory.
func (r *Request) Sink() Sink {
	if r.upload == nil {
		return nil
	}
	return r.sink
}

// Response is an empty response in memory that is used again for later
// requests. It belongs to the request.
func (r *Request) Response() *Response {
	r.response.Reset()
	return &r.response
}

// Acknowledge tells the peer that the answer will take its time: a confirmable
// request is acknowledged now and answered separately. Without it that happens
// after [Params.AckDelay].
func (r *Request) Acknowledge() {
	if r.answered || r.acked || r.kind != Confirmable || r.c.stream != nil || r.c.closed != nil {
		return
	}
	r.acked = true
	r.c.e.sched.Cancel(&r.ackTimer)
	r.c.seen.set(r.arrival, reactAck)
	r.c.sendEmpty(Acknowledgement, r.mid)
}

// Respond answers the request. It must be called exactly once; the error is
// [ErrAnswered] after the first time, matches [ErrClosed] when the connection
// is gone, and [ErrUsage] or [ErrEncode] when resp cannot be sent, in which case
// the request is answered 5.00. resp is not kept.
func (r *Request) Respond(resp *Response) error {
	return r.respond(resp)
}

func (r *Request) respond(resp *Response) error {
	if r.answered || r.c == nil {
		closeSource(resp.Source)
		return ErrAnswered
	}
	c := r.c
	if c.closed != nil {
		closeSource(resp.Source)
		return c.closed
	}
	r.answered = true
	if r.hasBlock1 && r.block1.More && r.sink != nil {
		// Refused after all: the sink never began.
		r.sink = nil
	}
	var err error
	if !resp.Code.IsResponse() {
		closeSource(resp.Source)
		err = fmt.Errorf("%w: a request was answered with the code %v", ErrUsage, resp.Code)
	} else {
		err = c.sendBody(r, resp)
	}
	if err != nil && c.closed == nil {
		c.fallback(r)
	}
	if !r.serving {
		r.forget()
	}
	return err
}

// fallback answers what could not be answered as the handler wanted.
func (c *Conn) fallback(r *Request) {
	c.e.opts.Reset()
	_ = c.sendAnswer(r, InternalServerError, &c.e.opts, nil, false)
}

// reply answers a request inside this package, with a diagnostic payload.
func (r *Request) reply(code Code, diagnostic string) {
	resp := r.Response()
	resp.Code = code
	resp.Body = append(resp.Body, diagnostic...)
	_ = r.Respond(resp)
}

// serve has the handler answer a request that is there as a whole.
func (c *Conn) serve(r *Request) {
	if c.requests.n >= c.cfg.MaxQueue {
		r.reply(ServiceUnavailable, "")
		return
	}
	if c.cfg.Handler == nil {
		r.reply(NotFound, "")
		return
	}
	r.serving = true
	c.cfg.Handler.Serve(r)
	r.serving = false
}

// settle is called when nothing more happens to r for now: it is free again if
// it was answered, and kept otherwise.
func (c *Conn) settle(r *Request) {
	if r.answered || c.closed != nil {
		c.e.freeRequest(r)
		return
	}
	bytes := requestBytes + len(r.token) + r.options.Len()
	if r.upload == nil {
		bytes += len(r.body)
	}
	if !c.e.reserve(bytes) {
		r.reply(ServiceUnavailable, "") // too late for the handler, which holds r
		r.freeUpload()
		return
	}
	r.held = bytes
	r.token = append([]byte(nil), r.token...)
	r.options = r.options.Clone()
	if r.upload == nil {
		r.body = append([]byte(nil), r.body...)
	}
	c.requests.push(&r.node, r)
	if r.kind != Confirmable || r.acked || c.stream != nil {
		return
	}
	if delay := c.cfg.Params.AckDelay; delay > 0 {
		c.e.sched.After(&r.ackTimer, delay)
	} else {
		r.Acknowledge()
	}
}

// forget takes an answered request off the list of those being worked on. It
// is not used again for another request, as the handler may still hold it.
func (r *Request) forget() {
	if r.node.in == nil {
		return // not answered late
	}
	r.node.remove()
	r.c.e.unreserve(r.held)
	r.c.e.sched.Cancel(&r.ackTimer)
	r.freeUpload()
}

// drop ends a request whose connection was closed.
func (r *Request) drop() {
	r.answered = true
	r.forget()
}

func (r *Request) freeUpload() {
	if r.upload != nil {
		r.upload.release()
		r.upload = nil
	}
}

func (e *Endpoint) newRequest(c *Conn) *Request {
	if n := len(e.requests); n > 0 {
		r := e.requests[n-1]
		e.requests = e.requests[:n-1]
		r.c = c
		return r
	}
	r := &Request{requestState: requestState{c: c}}
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
