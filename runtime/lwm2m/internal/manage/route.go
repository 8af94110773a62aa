package manage

// The router: it finds the device and the operation that a CoAP request asks for, and passes the
// request to the part that answers it. A request's path is the alternate path, then the prefix of
// the device where it has one, then the path in the data model.

import (
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// Head is called for the first block of a request whose payload takes several: it refuses what must
// fail anyway, and names where the value of a streamed resource goes.
func (p *Peer) Head(r *coap.Request) {
	q, err := p.parse(r)
	p.m.cfg.guard(func() {
		if err == nil {
			err = p.m.changer.head(&q)
		}
		if err != nil {
			p.refuse(r, err)
		}
	}, func() { p.refuse(r, serve.ErrPanic) })
}

// Serve answers a request that has arrived as a whole.
func (p *Peer) Serve(r *coap.Request) {
	q, err := p.parse(r)
	if err != nil {
		abortUpload(r)
		p.refuse(r, err)
		return
	}
	switch q.op {
	case Read, Observe, Discover:
		p.m.reader.serve(&q)
	case WriteAttributes:
		q.scope.serveWriteAttributes(&q)
	case Execute:
		p.m.executor.serve(&q)
	default:
		p.m.changer.serve(&q)
	}
}

// parse finds out what a request asks for, and refuses what can be refused without the data model.
func (p *Peer) parse(r *coap.Request) (request, error) {
	q := request{r: r, format: content.None}
	if f, ok := r.Options().ContentFormat(); ok {
		q.format = content.Format(f)
	}
	if err := p.route(&q); err != nil {
		return q, err
	}
	if err := q.classify(); err != nil {
		return q, err
	}
	switch {
	case q.path.IsRoot() != q.composite:
		return q, serve.ErrNoMethod
	case q.composite:
		q.anyDevice = q.scope.device.cfg.Prefix == "" && len(p.scopes) > 1
		return q, q.precondition()
	case q.scope.access.hides(q.path.Object()):
		return q, errHidden
	}
	return q, q.precondition()
}

// route reads the Uri-Path options: it finds the device and the path in its data model.
func (p *Peer) route(q *request) error {
	if p.closed {
		return errTooMany
	}
	ids, root := false, 0 // root counts the segments of the alternate path
	for it := q.r.Options().Iter(); it.Next() && it.ID() <= coap.OptionURIPath; {
		if it.ID() != coap.OptionURIPath {
			continue
		}
		v := it.Value()
		switch {
		case root < len(p.root):
			if string(v) != p.root[root] {
				return serve.ErrNoObject
			}
			root++
			continue
		case !ids && q.scope == nil && isPrefix(v):
			if q.scope = p.scope(v); q.scope == nil {
				return serve.ErrNoObject
			}
			continue
		}
		ids = true
		id, ok := serve.ParseID(v)
		if ok {
			q.path, ok = q.path.Child(id)
		}
		if !ok {
			return serve.ErrNoObject
		}
	}
	if root > 0 && root < len(p.root) {
		return serve.ErrNoObject
	}
	if q.scope == nil {
		q.scope = p.scope(nil)
	}
	if q.scope == nil {
		return serve.ErrNoObject
	}
	return nil
}

// isPrefix reports whether a segment is the prefix of a device rather than an object ID.
func isPrefix(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return true
		}
	}
	return false
}

// classify finds the operation by method, path and options.
func (q *request) classify() error {
	level := q.path.Level()
	switch q.r.Code() {
	case coap.GET:
		q.op = Read
		if accept, ok := q.r.Options().Accept(); ok && content.Format(accept) == content.Link {
			q.op = Discover
		} else if v, ok := q.r.Observe(); ok && v == coap.ObserveRegister {
			q.op = Observe
		}
		return nil
	case coap.FETCH:
		q.op, q.composite = Read, true
		if v, ok := q.r.Observe(); ok && v == coap.ObserveRegister {
			q.op = Observe
		}
		return nil
	case coap.IPATCH:
		q.op, q.mode, q.composite = Write, dm.Update, true
		return q.checkQuery()
	case coap.PUT:
		q.op, q.mode = Write, dm.Replace
		if q.format == content.None && len(q.r.Body()) == 0 && q.r.Options().Has(coap.OptionURIQuery) {
			q.op = WriteAttributes
			return nil
		}
		return q.checkQuery()
	case coap.POST:
		switch level {
		case dm.ObjectLevel:
			q.op = Create
			return q.checkQuery()
		case dm.InstanceLevel:
			q.op, q.mode = Write, dm.Update
			return q.checkQuery()
		case dm.ResourceLevel:
			q.op = Execute
			if q.format != content.None && q.format.Carries(content.Write, level) &&
				!q.format.Carries(content.Execute, level) {
				q.op, q.mode = Write, dm.Update
				return q.checkQuery()
			}
			return nil
		}
	case coap.DELETE:
		q.op = Delete
		if level == dm.InstanceLevel || level == dm.ResourceInstanceLevel {
			return nil
		}
	}
	return serve.ErrNoMethod
}

// checkQuery refuses attributes beside the payload of a Write, Create or Write-Composite: neither
// is done. A query that names no attribute means nothing.
func (q *request) checkQuery() error {
	for v := range q.r.Options().Values(coap.OptionURIQuery) {
		if attr.IsAttribute(string(v)) {
			return serve.Refuse(dm.BadRequest, "a request writes values or attributes, not both")
		}
	}
	return nil
}

// precondition checks If-Match and If-None-Match (RFC 7252 §5.10.8), whatever the operation. Nodes
// of the data model have no entity tags, so only their existence counts: that a Discover lists
// them. A resource instance of a live resource counts as existing where the resource does.
func (q *request) precondition() error {
	o := q.r.Options()
	match, none := o.Has(coap.OptionIfMatch), o.Has(coap.OptionIfNoneMatch)
	if !match && !none {
		return nil
	}
	s := q.scope.snapshot()
	exists := s.Has(q.path) || q.path.Level() == dm.ResourceInstanceLevel && s.Live(q.scope.peer.who, q.path)
	if none && exists {
		return serve.Refuse(dm.PreconditionFailed, "the node exists")
	}
	if match {
		for tag := range o.Values(coap.OptionIfMatch) {
			if len(tag) == 0 && exists {
				return nil
			}
		}
		return serve.Refuse(dm.PreconditionFailed, "the node does not exist, or not with this ETag")
	}
	return nil
}
