package manage

// Write-Attributes, and the attributes of Observe and the Server object. What they mean is in
// package attr.

import (
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// serveWriteAttributes answers a Write-Attributes (Core 1.2.2 §6.3.4).
func (s *scope) serveWriteAttributes(q *request) {
	if err := s.writeAttributes(q); err != nil {
		q.refuse(err)
		return
	}
	q.succeed(coap.Changed)
}

func (s *scope) writeAttributes(q *request) error {
	snap := s.snapshot()
	if err := q.authorize(WriteAttributes, q.path.Up(dm.InstanceLevel)); err != nil {
		return err
	}
	if !s.mayHaveAttributes(q.path) {
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	}
	edits, err := parseAttributes(q.r)
	if err != nil {
		return err
	}
	before := s.attributes.At(q.path)
	set, err := before.Apply(edits, definition(snap, q.path))
	if err != nil {
		return serve.Refuse(dm.BadRequest, err.Error())
	}
	if err := s.attachAttributes(q.path, set); err != nil {
		return err
	}
	s.reporter.attributesChanged(q.path, before.Conditions() != set.Conditions())
	return nil
}

// mayHaveAttributes reports whether attributes can be attached to a node: it exists, or it is a
// resource instance of a live resource, which come and go.
func (s *scope) mayHaveAttributes(p dm.Path) bool {
	snap := s.snapshot()
	return snap.Has(p) || p.Level() == dm.ResourceInstanceLevel && snap.Live(s.peer.who, p)
}

// attachAttributes replaces the attributes of a node, within the server's limit.
func (s *scope) attachAttributes(p dm.Path, set attr.Set) error {
	if !set.Empty() && s.peer.attributes.full() {
		if had := s.attributes.At(p); had.Empty() {
			return serve.Refuse(dm.ServiceUnavailable, "too many nodes have attributes")
		}
	}
	before := s.attributes.Len()
	s.attributes.Put(p, set)
	s.countAttributes(before)
	return nil
}

// countAttributes brings the counters up to date, after there were as many nodes with attributes as
// before says.
func (s *scope) countAttributes(before int) {
	n := s.attributes.Len() - before
	s.peer.attributes.used += n
	s.device.watch(n)
}

// forgetAttributes removes the attributes of nodes that an event says are gone.
func (s *scope) forgetAttributes(e dm.Event) {
	if e.Kind != dm.Changed {
		s.reporter.parts.below(e.Path, func(p *part) { p.keepAttributes(e) })
	}
	before := s.attributes.Len()
	if before == 0 {
		return
	}
	snap := s.snapshot()
	s.attributes.Remove(func(p dm.Path) bool {
		switch {
		case !e.Path.Contains(p):
			return false
		case e.Kind == dm.Deleted:
			return true
		}
		// A resource that changed may have lost resource instances; those of a live one come and
		// go.
		return p.Level() == dm.ResourceInstanceLevel && !snap.Has(p) && !snap.Live(s.peer.who, p)
	})
	s.countAttributes(before)
}

// dropAttributes removes all attributes.
func (s *scope) dropAttributes() {
	before := s.attributes.Len()
	s.attributes = attr.Nodes{}
	s.countAttributes(before)
}

// parseAttributes reads the attributes of a request.
func parseAttributes(r *coap.Request) ([]attr.Edit, error) {
	var edits []attr.Edit
	for v := range r.Options().Values(coap.OptionURIQuery) {
		e, err := attr.Parse(string(v))
		if err == nil {
			edits, err = attr.Add(edits, e)
		}
		if err != nil {
			return nil, serve.Refuse(dm.BadRequest, err.Error())
		}
	}
	return edits, nil
}

// observeAttributes reads the attributes that an Observe carries, which replace all that are
// attached (Core 1.2.2 §6.4.1); nil where it carries none. Those of an Observe-Composite are about
// no value.
func (q *request) observeAttributes() (*attr.Set, error) {
	edits, err := parseAttributes(q.r)
	if err != nil || len(edits) == 0 {
		return nil, err
	}
	set, err := attr.Set{}.Apply(edits, definition(q.scope.snapshot(), q.path))
	if err != nil {
		return nil, serve.Refuse(dm.BadRequest, err.Error())
	}
	return &set, nil
}

// The Server object and its resources that say what observations do without attributes of their
// own.
const (
	serverObject dm.ObjectID   = 1
	shortIDRes   dm.ResourceID = 0
	defaultPmin  dm.ResourceID = 2
	defaultPmax  dm.ResourceID = 3
	storingRes   dm.ResourceID = 6
	defaultCon   dm.ResourceID = 26
)

// defaults are what a server's own account says about its observations, as it was in a state of the
// data model.
type defaults struct {
	state dm.Snapshot
	live  bool // functions give values of the Server object
	set   attr.Set
	// discard says that no notifications are stored.
	discard bool
}

// defaultAttributes returns the attributes that the server's own account gives to its observations
// of every device.
func (p *Peer) defaultAttributes() attr.Set {
	own := p.m.ownModel()
	if own == nil {
		return attr.Set{}
	}
	if state := own.Snapshot(); p.defaults.state != state || p.defaults.live {
		live := state.Live(dm.Application, dm.ObjectPath(serverObject))
		p.defaults = defaults{state: state, live: live}
		p.defaults.set, p.defaults.discard = p.readDefaults(state)
	}
	return p.defaults.set
}

// storing returns Notification Storing When Disabled or Offline (/1/x/6) of the server's account,
// or true if it has no value.
func (p *Peer) storing() bool {
	_ = p.defaultAttributes()
	return !p.defaults.discard
}

func (p *Peer) readDefaults(snap dm.Snapshot) (a attr.Set, discard bool) {
	for i := range snap.Instances(serverObject) {
		id, err := snap.Value(p.fast, dm.Application, dm.ResourcePath(serverObject, i, shortIDRes))
		if err != nil || wholeNumber(id) != int64(p.cfg.ShortServerID) {
			continue
		}
		for _, d := range [...]struct {
			res  dm.ResourceID
			attr attr.Attribute
		}{{defaultPmin, attr.Pmin}, {defaultPmax, attr.Pmax}, {defaultCon, attr.Con}} {
			v, err := snap.Value(p.fast, dm.Application, dm.ResourcePath(serverObject, i, d.res))
			if err == nil && wholeNumber(v) >= 0 {
				a.Put(d.attr, float64(wholeNumber(v)))
			}
		}
		v, err := snap.Value(p.fast, dm.Application, dm.ResourcePath(serverObject, i, storingRes))
		return a, err == nil && !v.Boolean()
	}
	return a, false
}

// defaultsChanged schedules the server's observations again: pmin and pmax may have changed.
func (p *Peer) defaultsChanged() { p.scheduleAll() }

// scheduleAll sets the timers of all observations again.
func (p *Peer) scheduleAll() {
	for _, o := range p.observed {
		o.schedule()
	}
}

// wholeNumber returns a whole number of either type: older definitions of the Server object have
// signed defaults.
func wholeNumber(v dm.Value) int64 {
	if u := v.Unsigned(); u != 0 {
		return int64(min(u, 1<<62))
	}
	return v.Integer()
}
