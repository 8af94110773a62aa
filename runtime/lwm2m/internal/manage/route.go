package manage

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Head looks at a request whose payload takes several blocks: it refuses what must fail anyway, and
// names where a streamed resource's value goes.
func (p *Peer) Head(r *coap.Request) {
	q, err := p.parse(r)
	if err == nil && p.closed {
		err = errTooMany
	}
	if err == nil {
		err = p.head(&q)
	}
	if err != nil {
		p.refuse(r, err)
	}
}

// Serve answers a request that is there as a whole.
func (p *Peer) Serve(r *coap.Request) {
	q, err := p.parse(r)
	if err == nil && p.closed {
		err = errTooMany
	}
	if err != nil {
		abort(r)
		p.refuse(r, err)
		return
	}
	switch q.op {
	case Read, Observe, Discover:
		p.serveRead(&q)
	case WriteAttributes:
		p.serveAttributes(&q)
	case Execute:
		p.serveExecute(&q)
	default:
		p.serveChange(&q)
	}
}

// refuse answers with an error. The cause stays on the device: the server is told the code, and the
// path or what this package itself has to say.
func (p *Peer) refuse(r *coap.Request, err error) {
	if p.m.log.Enabled(context.Background(), slog.LevelDebug) {
		p.m.log.Debug("refused a request", "server", p.cfg.ShortServerID, "method", r.Code().String(),
			"path", string(r.Options().AppendPath(nil)), "error", err)
	}
	resp := r.Response()
	resp.Code, resp.Body = explain(err, resp.Body)
	_ = r.Respond(resp)
}

// explain returns the code for err and appends the diagnostic text (RFC 7252 §5.5.2) to b.
func explain(err error, b []byte) (coap.Code, []byte) {
	var own *refusal
	if errors.As(err, &own) {
		return coap.Code(own.code), append(b, own.text...)
	}
	code := dm.CodeOf(err)
	if !coap.Code(code).IsError() {
		code = dm.InternalServerError // a hook made it up
	}
	var e *dm.Error
	if coap.Code(code).Class() == 4 && errors.As(err, &e) && !e.Path.IsRoot() {
		b = e.Path.Append(b)
	}
	return coap.Code(code), b
}

// succeed answers without a payload.
func succeed(r *coap.Request, code coap.Code) {
	resp := r.Response()
	resp.Code = code
	_ = r.Respond(resp)
}

// answerFormat is the Content-Format of an answer: what Accept asks for, or what the server is known
// to prefer. Of a legacy number the answer carries the same (content.Format.Canonical).
func (p *Peer) answerFormat(r *coap.Request, op content.Operation, path dm.Path) (content.Format, error) {
	accept, ok := r.Options().Accept()
	if !ok {
		return p.preferred(), nil
	}
	f := content.Format(accept)
	return f, content.Check(f, op, path)
}

func (p *Peer) preferred() content.Format {
	switch {
	case p.cfg.Format != 0:
		return p.cfg.Format
	case p.cfg.Version.Major <= 1 && p.cfg.Version.Minor == 0:
		return content.TLV
	}
	return content.SenMLCBOR
}
