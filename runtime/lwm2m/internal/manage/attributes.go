package manage

import (
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// serveAttributes answers a Write-Attributes (Core 1.2.2 §6.3.4).
func (p *Peer) serveAttributes(q *request) {
	if err := p.writeAttributes(q); err != nil {
		p.refuse(q.r, err)
		return
	}
	succeed(q.r, coap.Changed)
}

func (p *Peer) writeAttributes(q *request) error {
	s := p.m.cfg.Model.Snapshot()
	if err := p.authorize(WriteAttributes, q.path.Up(dm.InstanceLevel)); err != nil {
		return err
	}
	// The resource instances of a live resource come and go.
	if !s.Has(q.path) && (q.path.Level() != dm.ResourceInstanceLevel || !s.Live(p.who, q.path)) {
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	}
	edits, err := queries(q.r)
	if err != nil {
		return err
	}
	i, ok := search(p.attributes, q.path)
	var now Attributes
	if ok {
		now = p.attributes[i].set
	}
	now, err = now.apply(edits, definition(s, q.path))
	if err != nil {
		return err
	}
	switch {
	case ok && now.has == 0:
		p.attributes = slices.Delete(p.attributes, i, i+1)
		p.m.watched.Add(-1)
	case ok:
		p.attributes[i].set = now
	case now.has == 0:
		return nil
	case len(p.attributes) >= p.m.cfg.Limits.Attributes:
		return refuse(dm.ServiceUnavailable, "too many nodes have attributes")
	default:
		p.attributes = slices.Insert(p.attributes, i, attached{q.path, now})
		p.m.watched.Add(1)
	}
	for _, o := range p.observations {
		if q.path.Contains(o.path) {
			o.arm()
		}
	}
	return nil
}

// definition returns the definition of the resource at or above p, nil where there is none.
func definition(s dm.Snapshot, p dm.Path) *registry.Resource {
	o := s.Definition(p.Object())
	if o == nil || p.Level() < dm.ResourceLevel {
		return nil
	}
	return o.Resource(uint16(p.Resource()))
}

// queries reads the attributes of a request.
func queries(r *coap.Request) ([]edit, error) {
	var edits []edit
	for v := range r.Options().Values(coap.OptionURIQuery) {
		e, err := parseAttribute(string(v))
		if err != nil {
			return nil, err
		}
		for _, other := range edits {
			if other.name == e.name {
				return nil, refuse(dm.BadRequest, "the attribute "+e.name.String()+" stands there twice")
			}
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// observeAttributes reads the attributes that an Observe carries, which take the place of all that are
// attached (Core 1.2.2 §6.4.1); nil where it carries none.
func (p *Peer) observeAttributes(q *request) (*Attributes, error) {
	edits, err := queries(q.r)
	if err != nil || len(edits) == 0 {
		return nil, err
	}
	a, err := Attributes{}.apply(edits, definition(p.m.cfg.Model.Snapshot(), q.path))
	return &a, err
}

// prepareDiscover reads the depth, and hands over what is to be shown.
func (p *Peer) prepareDiscover(x *reading, q *request) error {
	d := &x.discover
	*d = discovery{depth: dm.DefaultDepth, attributes: p.attributes, version: p.cfg.Version}
	if len(p.lead) > 0 {
		d.root = "/" + strings.Join(p.lead, "/")
	}
	for v := range q.r.Options().Values(coap.OptionURIQuery) {
		text, ok := strings.CutPrefix(string(v), "depth=")
		if !ok {
			continue
		}
		if len(text) != 1 || text[0] < '0' || text[0] > '3' {
			return refuse(dm.BadRequest, "depth is a number from 0 to 3")
		}
		d.depth = int(text[0] - '0')
		d.defaults = p.defaults(x.snapshot)
	}
	return nil
}

// forget takes out the attributes of nodes that are gone.
func (p *Peer) forget(e dm.Event) {
	if len(p.attributes) == 0 {
		return
	}
	s := p.m.cfg.Model.Snapshot()
	before := len(p.attributes)
	p.attributes = slices.DeleteFunc(p.attributes, func(a attached) bool {
		switch {
		case !e.Path.Contains(a.path):
			return false
		case e.Kind == dm.Deleted:
			return true
		}
		// A resource that changed may have lost resource instances; live ones come and go.
		return a.path.Level() == dm.ResourceInstanceLevel && !s.Has(a.path) && !s.Live(p.who, a.path)
	})
	p.m.watched.Add(int64(len(p.attributes) - before))
}
