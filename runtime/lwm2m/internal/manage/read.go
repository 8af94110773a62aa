package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// serveRead answers Read, Observe, Discover and Read-Composite.
func (p *Peer) serveRead(q *request) {
	x := p.m.reading
	var own *Attributes
	err := p.prepare(x, q, &own)
	if err != nil {
		p.refuse(q.r, err)
		return
	}
	if q.op == Read && p.stream(x, q) {
		return
	}
	resp := q.r.Response()
	body, err := x.run(p.fast, resp.Body)
	if errors.Is(err, dm.ErrSlow) {
		p.readSlowly(x, q, own)
		return
	}
	p.answerRead(q, x, own, resp, body, err)
}

// prepare sets a reading up for a request. What Observe carries is put into own.
func (p *Peer) prepare(x *reading, q *request, own **Attributes) error {
	op := content.Read
	switch {
	case q.op == Discover:
		op = content.Discover
	case q.composite:
		op = content.Composite
	}
	f, err := p.answerFormat(q.r, op, q.path)
	if err != nil {
		return err
	}
	x.begin(p, q, f)
	switch {
	case q.op == Discover:
		return p.prepareDiscover(x, q)
	case q.composite:
		if !f.Carries(content.Composite, dm.RootLevel) {
			x.format = content.SenMLCBOR // the server's preference is for other operations
		}
		return p.decodePaths(x, q)
	case q.op == Observe:
		*own, err = p.observeAttributes(q)
	}
	return err
}

// readSlowly repeats a reading on a worker, because a slow function stands behind it.
func (p *Peer) readSlowly(x *reading, q *request, own *Attributes) {
	if !p.take() {
		p.refuse(q.r, errTooMany)
		return
	}
	q.r.Acknowledge()
	y, again, slow := x.clone(), *q, p.slow
	p.m.cfg.Worker(func() {
		body, err := y.run(slow, nil)
		p.m.cfg.Sched.Post(func() {
			p.give()
			p.answerRead(&again, y, own, again.r.Response(), body, err)
		})
	})
}

// answerRead answers with what a reading came to, and begins the observation that the request asks
// for: one that cannot be read is not begun.
func (p *Peer) answerRead(q *request, x *reading, own *Attributes, resp *coap.Response, body []byte, err error) {
	if err != nil {
		p.refuse(q.r, err)
		return
	}
	resp.Code, resp.Body = coap.Content, body
	if x.op == Discover {
		resp.Options.SetContentFormat(uint16(content.Link))
	} else {
		resp.Options.SetContentFormat(uint16(x.format))
	}
	if q.op == Observe && !p.closed && p.mayObserve(q.r) {
		p.observe(q, x, own, resp)
		return
	}
	_ = q.r.Respond(resp)
}

// decodePaths reads the payload of a Read-Composite.
func (p *Peer) decodePaths(x *reading, q *request) error {
	m := p.m
	if q.format == content.None {
		return refuse(dm.UnsupportedContentFormat, "the Content-Format is missing")
	}
	m.scratch.snapshot = x.snapshot
	defer m.scratch.forget()
	paths, err := m.scratch.decodePaths(q.format, q.r.Body(), content.Request{Prefix: m.cfg.Prefix})
	if err != nil {
		return err
	}
	x.paths = append(x.paths[:0], content.Prune(paths)...)
	return nil
}

// stream answers a Read of a streamed resource as an octet stream, block by block as it is fetched.
// It returns false where that does not apply.
func (p *Peer) stream(x *reading, q *request) bool {
	_, asked := q.r.Options().Accept()
	if q.path.Level() != dm.ResourceLevel || asked && x.format != content.Opaque {
		return false
	}
	o := x.snapshot.Definition(q.path.Object())
	if o == nil {
		return false
	}
	if def := o.Resource(uint16(q.path.Resource())); def == nil || def.Type != registry.Opaque || p.authorize(Read, q.path.Up(dm.InstanceLevel)) != nil {
		return false
	}
	src, is, err := x.snapshot.OpenSource(p.slow, p.who, q.path)
	switch {
	case err != nil:
		p.refuse(q.r, err)
		return true
	case !is:
		return false
	case src.Size() < 0: // it must be read to its end to know how long it is
		_ = src.Close()
		if !asked {
			x.format = content.Opaque
		}
		return false
	}
	resp := q.r.Response()
	resp.Code = coap.Content
	resp.Options.SetContentFormat(uint16(content.Opaque))
	resp.Source, resp.SourceSize = newSource(src), src.Size()
	if err := q.r.Respond(resp); err != nil {
		p.m.log.Debug("a stream could not be sent", "server", p.cfg.ShortServerID, "path", q.path.String(), "error", err)
	}
	return true
}
