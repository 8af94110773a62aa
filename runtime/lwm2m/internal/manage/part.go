package manage

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A part is one observed node: the only one of an Observe, one of several of an Observe-Composite.
type part struct {
	o       *observation
	scope   *scope
	kept    *attr.Set // in force while the node is deleted; nil otherwise
	monitor attr.Monitor
	path    dm.Path
	written bool // the server itself has changed the node, which is being published
}

// attributes returns the attributes in force (Core 1.2.2 §5.1.2): those that the Observe carried,
// or those attached to the node or above it; and each that is missing from the server's account.
// Those that an Observe-Composite carried displace what is attached to objects only.
func (p *part) attributes() attr.Set {
	if p.kept != nil {
		return *p.kept
	}
	defaults, attached := p.scope.peer.defaultAttributes(), &p.scope.attributes
	switch {
	case p.o.carried == nil:
		return attached.InForce(p.path).Over(defaults)
	case p.o.composite:
		return attached.InForceBelowObject(p.path).Over(*p.o.carried).Over(defaults)
	}
	return p.o.carried.Over(defaults)
}

// keepAttributes keeps the attributes in force for a node that is being deleted: those attached to
// the node go with it, and what is left should not change when the other nodes of a composite are
// notified.
func (p *part) keepAttributes(e dm.Event) {
	switch e.Kind {
	case dm.Deleted:
		in := p.attributes()
		p.kept = &in
	case dm.Created:
		p.kept = nil
	}
}

// next returns when the node is to be sampled next.
func (p *part) next() sched.Time {
	in := p.attributes()
	return p.monitor.Next(&in)
}

// markChanged takes note of a change of the node in a publication. A stored value is evaluated at
// once where value conditions are in force: a crossing is not missed because the value is back
// soon.
func (p *part) markChanged(now dm.Snapshot) {
	if !p.monitor.Live() && !p.o.busy && p.o.reports() {
		in := p.attributes()
		if p.monitor.EvaluatesChanges(p.o.cfg().Sched.Now(), &in) {
			p.o.cfg().guard(func() { p.evaluate(&in, now) }, p.monitor.Changed)
			p.o.schedule()
			return
		}
	}
	if !p.monitor.Pending() { // otherwise its sample is scheduled already
		p.monitor.Changed()
		p.o.schedule()
	}
}

// evaluate has the monitor evaluate the node in a state of the data model. What the monitor decides
// is done by the sample that it asks for.
func (p *part) evaluate(in *attr.Set, state dm.Snapshot) {
	rd := p.scope.reporter.reader.loop
	rd.beginProbe(p, state)
	if _, err := rd.run(p.scope.peer.sampleFast, nil); err != nil {
		p.monitor.Changed() // it may be gone
		return
	}
	s := rd.observed.sampleOf(0)
	if p.monitor.Decide(p.o.cfg().Sched.Now(), in, &s).Notifies() {
		p.monitor.Changed()
	}
}

// rebase takes what the server has written itself as known to it: the server is notified when the
// value is no longer so. Where other changes came with it, and where functions give values of the
// node, it cannot be told what the server knows, and the next sample is a reason to notify.
func (p *part) rebase() {
	if p.monitor.Pending() || p.o.busy || p.monitor.Live() && p.scope.snapshot().Has(p.path) {
		p.monitor.Forget()
		return
	}
	s, err := p.read()
	if err != nil { // it may be gone
		p.forget()
		return
	}
	p.monitor.Rebase(&s)
}

// read reads the node on the loop.
func (p *part) read() (attr.Sample, error) {
	if !p.o.composite {
		s, _ := p.o.read()
		return s.node, s.err
	}
	rd := p.scope.reporter.reader.loop
	rd.beginProbe(p, p.scope.snapshot())
	_, err := rd.run(p.scope.peer.sampleFast, nil)
	return rd.observed.sampleOf(0), err
}

// partIndex finds the observed nodes that a change concerns, without looking at the others.
type partIndex struct {
	list []*part // ascending by path
}

// lower returns the position of the first part that is not before a path.
func (x *partIndex) lower(p dm.Path) int {
	at, _ := slices.BinarySearchFunc(x.list, p, func(q *part, p dm.Path) int { return q.path.Compare(p) })
	return at
}

// add adds a part, behind others of the same path.
func (x *partIndex) add(p *part) {
	at := x.lower(p.path)
	for at < len(x.list) && x.list[at].path == p.path {
		at++
	}
	x.list = slices.Insert(x.list, at, p)
}

// remove removes a part.
func (x *partIndex) remove(p *part) {
	for at := x.lower(p.path); at < len(x.list) && x.list[at].path == p.path; at++ {
		if x.list[at] == p {
			x.list = slices.Delete(x.list, at, at+1)
			return
		}
	}
}

// concerned calls fn for each part whose node is at, above or below p.
func (x *partIndex) concerned(p dm.Path, fn func(*part)) {
	if len(x.list) == 0 {
		return
	}
	for l := dm.RootLevel; l < p.Level(); l++ {
		above := p.Up(l)
		for at := x.lower(above); at < len(x.list) && x.list[at].path == above; at++ {
			fn(x.list[at])
		}
	}
	x.below(p, fn)
}

// below calls fn for each part whose node is at or below p.
func (x *partIndex) below(p dm.Path, fn func(*part)) {
	for at := x.lower(p); at < len(x.list) && p.Contains(x.list[at].path); at++ {
		fn(x.list[at])
	}
}

// isNumber reports whether values of a type are compared by their size.
func isNumber(t registry.Type) bool {
	switch t {
	case registry.Integer, registry.UnsignedInteger, registry.Float, registry.Time, registry.Boolean:
		return true
	}
	return false
}
