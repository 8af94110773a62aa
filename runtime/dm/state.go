package dm

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// root is one published state of a whole Model. It and everything that hangs under it never changes.
type root struct {
	states []*objectState // ascending by object ID
}

// all returns the states; a nil root has none.
func (r *root) all() []*objectState {
	if r == nil {
		return nil
	}
	return r.states
}

// find returns the state of an object.
func (r *root) find(id ObjectID) (*objectState, bool) {
	i, ok := r.search(id)
	if !ok {
		return nil, false
	}
	return r.states[i], true
}

func (r *root) search(id ObjectID) (int, bool) {
	states := r.all()
	i, j := 0, len(states)
	for i < j {
		m := int(uint(i+j) >> 1)
		if states[m].id() < id {
			i = m + 1
		} else {
			j = m
		}
	}
	return i, i < len(states) && states[i].id() == id
}

// with returns the root with s in the place of its object's state.
func (r *root) with(s *objectState) *root {
	i, ok := r.search(s.id())
	if ok {
		states := slices.Clone(r.all())
		states[i] = s
		return &root{states}
	}
	return &root{slices.Insert(slices.Clone(r.all()), i, s)}
}

// without returns the root without an object.
func (r *root) without(id ObjectID) *root {
	i, ok := r.search(id)
	if !ok {
		return r
	}
	return &root{slices.Delete(slices.Clone(r.states), i, i+1)}
}

// view is the instances of one object, published or inside a transaction.
type view interface {
	id() ObjectID
	definition() *registry.Object
	has(InstanceID) bool
	// next returns the lowest instance ID that is at least from.
	next(from uint32) (InstanceID, bool)
	// free returns the lowest instance ID that is at least from and not taken.
	free(from uint32) uint32
	// cell returns the cell of a resource, nil where there is no such instance or resource. It must
	// not be changed.
	cell(InstanceID, ResourceID) Cell
	// cells returns the cells of an instance, for walking through all of them.
	cells(InstanceID) cells
	// commits reports whether a Commit hook applies what is written to live resources.
	commits() bool
	// serversDelete reports whether management servers may delete instances.
	serversDelete() bool
}

// cells are those of one instance; the zero value is for an instance that is not there.
type cells struct {
	o    *core
	inst instance
}

// of returns the cell of a resource, nil where there is no such instance or resource.
func (c cells) of(r ResourceID) Cell {
	if c.o == nil {
		return nil
	}
	return c.o.cell(c.inst, r)
}

// objectState is the published instances of one object.
type objectState struct {
	o    *core
	inst tree[instance]
}

func (s *objectState) id() ObjectID { return ObjectID(s.o.def.ID) }

func (s *objectState) definition() *registry.Object { return s.o.def }

func (s *objectState) serversDelete() bool { return s.o.serversDelete() }

func (s *objectState) commits() bool { return s.o.hooks.commit != nil }

func (s *objectState) has(id InstanceID) bool {
	_, ok := s.inst.get(uint16(id))
	return ok
}

func (s *objectState) next(from uint32) (InstanceID, bool) {
	id, _, ok := s.inst.next(from)
	return InstanceID(id), ok
}

func (s *objectState) free(from uint32) uint32 { return s.inst.free(from) }

func (s *objectState) cell(id InstanceID, r ResourceID) Cell { return s.cells(id).of(r) }

func (s *objectState) cells(id InstanceID) cells {
	inst, ok := s.inst.get(uint16(id))
	if !ok {
		return cells{}
	}
	return cells{s.o, inst}
}

// part opens the object for the transaction.
func (s *objectState) part(t *Transaction) *part {
	return &part{o: s.o, t: t, base: s.inst, now: s.inst}
}
