package manage

import (
	"context"
	"log/slog"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// request is what a CoAP request asks for (Transport 1.2.2 §6.4.3): the router makes it, and a part
// answers it.
type request struct {
	r         *coap.Request
	scope     *scope // the server that asks, and the device that it asks about
	op        Operation
	composite bool
	// anyDevice says that the names of a composite request may lie in any device, because the
	// request's path names none.
	anyDevice bool
	mode      dm.Mode // of a Write
	path      dm.Path
	format    content.Format // of the payload, None where the request has no Content-Format
}

var (
	errHidden  = serve.Refuse(dm.Unauthorized, "the object is not open to management servers")
	errTooMany = serve.Refuse(dm.ServiceUnavailable, "too many requests of this server wait")
)

// refuse answers a request of the server with an error. The cause stays on the device: the server
// receives the code, and the path or the text of a refusal.
func (p *Peer) refuse(r *coap.Request, err error) {
	resp := r.Response()
	resp.Code, resp.Body = serve.Explain(err, resp.Body)
	log := p.m.cfg.Logger
	if log.Enabled(context.Background(), slog.LevelDebug) {
		log.Debug("refused a request", "server", p.cfg.ShortServerID, "method", r.Code().String(),
			"path", string(r.Options().AppendPath(nil)), "code", resp.Code.String(), "error", err)
	}
	_ = r.Respond(resp)
}

func (q *request) refuse(err error) { q.scope.peer.refuse(q.r, err) }

// succeed answers without a payload.
func (q *request) succeed(code coap.Code) {
	resp := q.r.Response()
	resp.Code = code
	_ = q.r.Respond(resp)
}

// authorize asks for access to a node of the request's device.
func (q *request) authorize(op Operation, p dm.Path) error { return q.scope.access.authorize(op, p) }

// answerFormat is the Content-Format of an answer: what Accept asks for, or what the server is
// known to prefer. To a legacy number the answer has the same number (content.Format.Canonical).
func (q *request) answerFormat(op content.Operation) (f content.Format, asked bool, err error) {
	accept, asked := q.r.Options().Accept()
	if !asked {
		return q.preferredFormat(op), false, nil
	}
	f = content.Format(accept)
	return f, true, content.Check(f, op, q.path)
}

// preferredFormat is the Content-Format of an answer to a request without Accept.
func (q *request) preferredFormat(op content.Operation) content.Format {
	p := q.scope.peer
	if !p.cfg.PlainText || op != content.Read {
		return p.preferredFormat()
	}
	def := definition(q.scope.snapshot(), q.path)
	switch {
	case def == nil, def.Multiple && q.path.Level() == dm.ResourceLevel:
		return p.preferredFormat()
	case def.Type == registry.Opaque:
		return content.Opaque
	}
	return content.Text
}

func (p *Peer) preferredFormat() content.Format {
	switch {
	case p.cfg.Format != 0:
		return p.cfg.Format
	case p.cfg.Version.Major <= 1 && p.cfg.Version.Minor == 0:
		return content.TLV
	}
	return content.SenMLCBOR
}

// definition returns the definition of the resource at or above p, nil where there is none.
func definition(s dm.Snapshot, p dm.Path) *registry.Resource {
	o := s.Definition(p.Object())
	if o == nil || p.Level() < dm.ResourceLevel {
		return nil
	}
	return o.Resource(uint16(p.Resource()))
}
