package dm

import "context"

// Live reports whether a function provides the value of a resource at or below p that who can read,
// so that the value may change without a transaction. Streams do not count; resources marked
// with Moving count if p names them. Live is for runtimes.
func (s Snapshot) Live(who Origin, p Path) bool {
	if p.IsRoot() {
		for _, o := range s.r.all() {
			if s.Live(who, ObjectPath(o.id())) {
				return true
			}
		}
		return false
	}
	v, ok := s.find(p.Object())
	if !ok {
		return false
	}
	if p.level >= InstanceLevel {
		return liveInstance(v, who, p)
	}
	for i, ok := v.next(0); ok; i, ok = v.next(uint32(i) + 1) {
		if liveInstance(v, who, InstancePath(p.Object(), i)) {
			return true
		}
	}
	return false
}

// liveInstance is Live for an instance or one of its resources.
func liveInstance(v view, who Origin, p Path) bool {
	def := v.definition()
	for i := range def.Resources {
		r := &def.Resources[i]
		if p.level > InstanceLevel && ResourceID(r.ID) != p.Resource() || !mayRead(who, r) {
			continue
		}
		c := v.cell(p.Instance(), ResourceID(r.ID))
		if c != nil && c.live() && c.stream() == nil && (p.level >= ResourceLevel || !c.moves()) {
			return true
		}
	}
	return false
}

// Moves reports whether p lies in a resource that is marked with Moving. Moves is for runtimes.
func (s Snapshot) Moves(p Path) bool {
	v, ok := s.find(p.Object())
	if !ok || p.level < ResourceLevel || !v.has(p.Instance()) {
		return false
	}
	c := v.cell(p.Instance(), p.Resource())
	return c != nil && c.moves()
}

// CheckWrite reports why a Write to p must fail whatever the payload is: nothing exists at p, or it
// cannot be written. It calls no user code, so a runtime can refuse a request before the payload
// has arrived. CheckWrite is for runtimes.
func (s Snapshot) CheckWrite(ctx context.Context, who Origin, p Path) error {
	t := &Transaction{m: s.m, base: s.r, origin: who}
	t.ctx = &txContext{Context: ctx, t: t}
	w := writing{t: t, base: p}
	return w.checkTarget()
}
