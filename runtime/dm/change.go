package dm

import (
	"maps"
	"slices"
)

// change is what the transaction does to one instance.
type change struct {
	id       InstanceID
	old, now instance
	written  []Path
	index    map[Path]struct{} // the paths in written, once there are many
	// emptied is the resources among written that the last operation on them did not name.
	emptied []Path
	// whole reports that now replaces the published instance, and byApp that all of it must be
	// checked.
	whole, byApp bool
	// complete reports that mandatory resources may have been emptied.
	complete bool
}

// detach makes the notes of the change its own.
func (c *change) detach() {
	c.written, c.emptied, c.index = slices.Clone(c.written), slices.Clone(c.emptied), maps.Clone(c.index)
}

// search returns the index of the change of an instance, or where to insert it.
func search(changes []change, id InstanceID) (int, bool) {
	return slices.BinarySearchFunc(changes, id, func(c change, id InstanceID) int { return int(c.id) - int(id) })
}

// fewWritten is how many written paths are searched one by one.
const fewWritten = 32

// note adds p to the written paths. A resource instance is not added where its resource is already
// there.
func (c *change) note(p Path) {
	if c.wrote(p) || p.level == ResourceInstanceLevel && c.wrote(p.Up(ResourceLevel)) {
		return
	}
	c.written = append(c.written, p)
	if len(c.written) <= fewWritten {
		return
	}
	if c.index == nil {
		c.index = make(map[Path]struct{})
		for _, q := range c.written {
			c.index[q] = struct{}{}
		}
	}
	c.index[p] = struct{}{}
}

// noteNamed is note for a path that the operation names.
func (c *change) noteNamed(p Path) {
	c.note(p)
	if c.emptied != nil {
		r := p.Up(ResourceLevel)
		c.emptied = slices.DeleteFunc(c.emptied, func(q Path) bool { return q == r })
	}
}

// noteEmptied is note for a resource that the operation empties without naming it.
func (c *change) noteEmptied(p Path) {
	c.note(p)
	if !slices.Contains(c.emptied, p) {
		c.emptied = append(c.emptied, p)
	}
}

func (c *change) wrote(p Path) bool {
	if c.index == nil {
		return slices.Contains(c.written, p)
	}
	_, ok := c.index[p]
	return ok
}

// rebase applies the changes to what has been published since the transaction began. It returns
// false if the published object is a different one.
func (x *part) rebase(published *objectState) bool {
	if published.o != x.o {
		return false
	}
	if published.inst == x.base {
		return true
	}
	x.base, x.now = published.inst, published.inst
	kept := x.changes[:0]
	for _, c := range x.changes {
		old, exists := published.inst.get(uint16(c.id))
		c.old = old
		switch {
		case c.now == nil && !exists:
			continue
		case c.now == nil:
			x.now = x.now.remove(uint16(c.id))
		default:
			if exists && !c.whole {
				c.now = x.merge(old, c)
			}
			x.now = x.now.put(uint16(c.id), c.now)
		}
		kept = append(kept, c)
	}
	x.changes = kept
	return true
}

// merge returns the published instance with the resources that the transaction wrote.
func (x *part) merge(published instance, c change) instance {
	m := x.o.clone(published)
	for _, p := range c.written {
		to, from := x.o.cell(m, p.Resource()), x.o.cell(c.now, p.Resource())
		if p.Level() == ResourceInstanceLevel {
			to.assignOne(from, p.ResourceInstance())
		} else {
			to.assign(from)
		}
	}
	return m
}

func (x *part) events(yield func(Event)) {
	for i := range x.changes {
		c := &x.changes[i]
		p := x.path(c.id)
		switch {
		case c.old == nil:
			yield(Event{p, Created})
		case c.now == nil:
			yield(Event{p, Deleted})
		case c.byApp || c.whole:
			for j := range x.o.def.Resources {
				x.diff(c, p.child(x.o.def.Resources[j].ID), yield)
			}
		default:
			var few [8]ResourceID
			seen := few[:0]
			for _, w := range c.written {
				if r := w.Resource(); !slices.Contains(seen, r) {
					seen = append(seen, r)
					x.diff(c, w.Up(ResourceLevel), yield)
				}
			}
		}
	}
}

func (x *part) diff(c *change, p Path, yield func(Event)) {
	now, old := x.o.cell(c.now, p.Resource()), x.o.cell(c.old, p.Resource())
	now.diff(old, p, func(q Path) { yield(Event{q, Changed}) })
}
