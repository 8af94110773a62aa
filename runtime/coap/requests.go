package coap

import (
	"errors"
	"fmt"
)

// requestBytes is what a pending request costs in addition to its content.
const requestBytes = 512

// requests is the server side of a connection: it passes the peer's requests to the handler,
// reassembles their bodies, and sends the answers.
type requests struct {
	*shared
	transfers    *transfers
	observations relations
	pending      list[*Request] // not answered when Serve returned
}

// relations are the observations, as far as requests begin and end them.
type relations interface {
	begin(token, cacheKey []byte, binding Binding, observer Observer) *Observation
	deregister(token []byte)
	nextSequence() uint32
}

// receive handles one request.
func (rs *requests) receive(m *Message, env envelope) {
	var binding Binding
	if layer := rs.cfg.Layer; layer != nil {
		var err error
		if binding, err = layer.Unprotect(m); err == nil && !m.Code.IsRequest() {
			err = &Error{Code: BadRequest}
		}
		if err != nil {
			rs.refuse(m, env, err)
			return
		}
	}
	r := rs.e.newRequest(rs)
	r.envelope = env
	r.code, r.token, r.options, r.body = m.Code, m.Token, m.Options, m.Payload
	r.binding = binding
	r.limit = rs.cfg.MaxBody
	r.block1, r.hasBlock1 = r.options.Block(OptionBlock1)
	r.block2, r.hasBlock2 = r.options.Block(OptionBlock2)
	if m.Code.isSafe() {
		r.observe, r.hasObserve = r.options.Observe()
	}
	defer rs.settle(r) // also if the handler panics
	rs.route(r)
}

// refuse answers a request that the Layer did not accept, unprotected (RFC 8613 §8.2), or ignores
// it.
func (rs *requests) refuse(m *Message, env envelope, err error) {
	var coded *Error
	if !errors.As(err, &coded) || !coded.Code.IsError() {
		rs.stats.Ignored++
		return
	}
	r := rs.e.newRequest(rs)
	r.envelope, r.token = env, m.Token
	resp := r.Response()
	resp.Code = coded.Code
	resp.Options.AddUint(OptionMaxAge, 0)
	_ = r.Respond(resp)
	rs.settle(r)
}

// route passes a request to the handler, or to the transfer that it belongs to.
func (rs *requests) route(r *Request) {
	if id, bad := r.options.Unrecognized(r.code, rs.cfg.Critical); bad {
		if r.kind == NonConfirmable {
			r.answered = true // ignored (RFC 7252 §5.4.1)
			return
		}
		r.hasBlock1, r.hasBlock2 = false, false
		r.reply(BadOption, fmt.Sprintf("critical option %d is not understood", uint16(id)))
		return
	}
	if r.code > IPATCH {
		r.reply(MethodNotAllowed, "") // RFC 7252 §5.8
		return
	}
	if r.options.Has(OptionProxyURI) || r.options.Has(OptionProxyScheme) {
		r.reply(ProxyingNotSupported, "")
		return
	}
	if !rs.sizes.isStream() && (r.hasBlock1 && r.block1.SZX == BERT || r.hasBlock2 && r.block2.SZX == BERT) {
		r.hasBlock1, r.hasBlock2 = false, false
		r.reply(BadRequest, "block size 7 is reserved")
		return
	}
	if r.hasObserve && r.observe == ObserveDeregister {
		rs.observations.deregister(r.token)
	}
	switch {
	case r.hasBlock1 && (r.block1.Num > 0 || r.block1.More):
		rs.receiveBlock(r)
	case r.hasBlock2 && r.block2.Num > 0 && rs.sendNextBlock(r):
	case r.hasBlock2 && r.block2.Num > 0 && !r.code.isSafe():
		// The request must not be executed again for the sake of its answer.
		r.reply(RequestEntityIncomplete, "the answer is no longer there")
	default:
		rs.serve(r)
	}
}

// serve passes a complete request to the handler.
func (rs *requests) serve(r *Request) {
	if rs.pending.n >= rs.cfg.MaxQueue {
		r.reply(ServiceUnavailable, "")
		return
	}
	if rs.cfg.Handler == nil {
		r.reply(NotFound, "")
		return
	}
	r.serving = true
	defer func() { r.serving = false }()
	rs.cfg.Handler.Serve(r)
}

// settle frees r if it was answered, and otherwise keeps it until it is.
func (rs *requests) settle(r *Request) {
	if r.answered || rs.closed != nil {
		rs.e.freeRequest(r)
		return
	}
	bytes := requestBytes + len(r.token) + r.options.Len()
	if r.upload == nil {
		bytes += len(r.body)
	}
	if !rs.e.reserve(bytes) {
		r.reply(ServiceUnavailable, "") // the handler's answer comes too late
		r.freeUpload()
		return
	}
	r.charged = bytes
	r.token = append([]byte(nil), r.token...)
	r.options = r.options.Clone()
	if r.upload == nil {
		r.body = append([]byte(nil), r.body...)
	}
	rs.pending.push(&r.node, r)
	if r.kind != Confirmable || r.acked {
		return
	}
	if delay := rs.cfg.Params.AckDelay; delay > 0 {
		rs.e.sched.After(&r.ackTimer, delay)
	} else {
		r.Acknowledge()
	}
}

// acknowledge acknowledges the pending request with this message ID.
func (rs *requests) acknowledge(mid uint16) {
	for n := rs.pending.head; n != nil; n = n.next {
		if r := n.value; r.mid == mid && r.kind == Confirmable {
			r.Acknowledge()
			return
		}
	}
}

// close drops the pending requests. They can no longer be answered.
func (rs *requests) close() {
	for r, ok := rs.pending.first(); ok; r, ok = rs.pending.first() {
		r.answered = true
		r.release()
	}
}
