package manage

import (
	"errors"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// reader answers Read, Discover and Read-Composite, and the Read that begins an observation: on the
// loop, or on a worker where the functions behind the values are marked as slow.
type reader struct {
	cfg  *Config
	loop *reading // of the loop, used for one request after another
}

func (x *reader) serve(q *request) {
	x.cfg.guard(func() { x.answer(q) }, func() { q.refuse(serve.ErrPanic) })
}

func (x *reader) answer(q *request) {
	rd := x.loop
	carried, err := rd.prepare(q, &x.cfg.Scratch.decoder)
	if err != nil {
		q.refuse(err)
		return
	}
	if q.op == Read && !q.composite && x.serveStream(rd, q) {
		return
	}
	resp := q.r.Response()
	body, err := rd.run(q.scope.peer.fast, resp.Body)
	if errors.Is(err, dm.ErrSlow) {
		x.serveSlowly(rd, q, carried)
		return
	}
	q.answerRead(rd, carried, resp, body, err)
}

// serveSlowly repeats a reading on a worker, because it needs a slow function.
func (x *reader) serveSlowly(rd *reading, q *request, carried *attr.Set) {
	p := q.scope.peer
	if !p.requests.take() {
		q.refuse(errTooMany)
		return
	}
	q.r.Acknowledge()
	rd, later := rd.clone(), *q
	var body []byte
	p.onWorker(func() (err error) {
		body, err = rd.run(p.slow, nil)
		return err
	}, func(err error) {
		p.requests.used--
		later.answerRead(rd, carried, later.r.Response(), body, err)
	})
}

// answerRead answers with the outcome of a reading, and begins the observation that the request
// asks for. An observation of a node that cannot be read does not begin.
func (q *request) answerRead(rd *reading, carried *attr.Set, resp *coap.Response, body []byte, err error) {
	if err == nil && q.op == Observe && q.composite {
		err = rd.nothingToObserve()
	}
	if err != nil {
		q.refuse(err)
		return
	}
	resp.Code, resp.Body = coap.Content, body
	if rd.op == Discover {
		resp.Options.SetContentFormat(uint16(content.Link))
	} else {
		resp.Options.SetContentFormat(uint16(rd.format))
	}
	if q.op == Observe && q.scope.mayObserve(q.r, rd.count) {
		q.scope.reporter.observe(q, rd, carried, resp)
		return
	}
	_ = q.r.Respond(resp)
}

// nothingToObserve returns the error of a node where none of the nodes of an Observe-Composite can
// be observed.
func (x *reading) nothingToObserve() error {
	var first error
	for _, n := range x.observed.nodes {
		if n.err == nil {
			return nil
		}
		if first == nil {
			first = n.err
		}
	}
	return first
}

// prepare sets a reading up for a request. It returns the attributes that an Observe carries.
func (x *reading) prepare(q *request, dec decoder) (carried *attr.Set, err error) {
	op := content.Read
	switch {
	case q.op == Discover:
		op = content.Discover
	case q.composite:
		op = content.Composite
	}
	f, asked, err := q.answerFormat(op)
	if err != nil {
		return nil, err
	}
	x.begin(q.scope, q.op, q.path, f)
	switch {
	case q.op == Discover:
		return nil, x.prepareDiscover(q)
	case q.composite:
		if q.op == Observe {
			if carried, err = q.observeAttributes(); err != nil {
				return nil, err
			}
		}
		return carried, x.prepareComposite(q, dec, asked)
	case q.op == Observe:
		return q.observeAttributes()
	}
	return nil, nil
}

// prepareDiscover reads the depth (LwM2M 1.2), with which the defaults of the Server object are
// shown, too.
func (x *reading) prepareDiscover(q *request) error {
	x.discover = discovery{depth: dm.DefaultDepth, attributes: &q.scope.attributes, version: q.scope.peer.cfg.Version}
	for v := range q.r.Options().Values(coap.OptionURIQuery) {
		text, ok := strings.CutPrefix(string(v), "depth=")
		if !ok {
			continue
		}
		if len(text) != 1 || text[0] < '0' || text[0] > '3' {
			return serve.Refuse(dm.BadRequest, "depth is a number from 0 to 3")
		}
		x.discover.depth = int(text[0] - '0')
		x.discover.defaults = q.scope.peer.defaultAttributes()
	}
	return nil
}

// serveStream answers a Read of a streamed resource as an octet stream, block by block as the
// server fetches it. It returns false where that does not apply.
func (x *reader) serveStream(rd *reading, q *request) bool {
	_, asked := q.r.Options().Accept()
	if q.path.Level() != dm.ResourceLevel || asked && rd.format != content.Opaque {
		return false
	}
	def := definition(rd.snapshot, q.path)
	if def == nil || def.Type != registry.Opaque || q.authorize(Read, q.path.Up(dm.InstanceLevel)) != nil {
		return false
	}
	p := q.scope.peer
	src, streamed, err := rd.snapshot.OpenSource(p.slow, p.who, q.path)
	switch {
	case err != nil:
		q.refuse(err)
		return true
	case !streamed:
		return false
	case src.Size() < 0: // its length is known only when it has been read to its end
		_ = src.Close()
		if !asked {
			rd.format = content.Opaque
		}
		return false
	}
	resp := q.r.Response()
	resp.Code = coap.Content
	resp.Options.SetContentFormat(uint16(content.Opaque))
	resp.Source, resp.SourceSize = x.cfg.newSource(src), src.Size()
	if err := q.r.Respond(resp); err != nil {
		x.cfg.Logger.Debug("a stream could not be sent", "server", p.cfg.ShortServerID, "path", q.path.String(),
			"error", err)
	}
	return true
}
