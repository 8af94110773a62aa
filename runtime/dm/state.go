package dm

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// root is one published state of a whole Model. It is immutable, with everything below it.
type root struct {
	states []*objectState // ascending by object ID
}

// all returns the states. A nil root has none.
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

// with returns the root with s as the state of its object.
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

// view is the instances of one object, either published or inside a transaction.
type view interface {
	id() ObjectID
	definition() *registry.Object
	has(InstanceID) bool
	// next returns the lowest instance ID that is at least from.
	next(from uint32) (InstanceID, bool)
	// free returns the lowest instance ID that is at least from and not taken.
	free(from uint32) uint32
	// cell returns the cell of a resource, or nil if there is no such instance or resource. The
	// caller must not change it.
	cell(InstanceID, ResourceID) Cell
	// cells returns the cells of an instance, for a walk over all of them.
	cells(InstanceID) cells
	// commits reports whether the object has a Commit hook, which applies writes to live resources.
	commits() bool
	// serversDelete reports whether management servers may delete instances.
	serversDelete() bool
	// makes reports whether a new instance that a server creates has a resource. A Create hook may
	// add others.
	makes(*registry.Resource) bool
}

// cells gives access to the cells of one instance. The zero value means that the instance does not
// exist.
type cells struct {
	o    *core
	inst instance
}

// get returns the cell of a resource, or nil if there is no such instance or resource.
func (c cells) get(r ResourceID) Cell {
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

func (s *objectState) makes(r *registry.Resource) bool { return s.o.makes(r) }

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

func (s *objectState) cell(id InstanceID, r ResourceID) Cell { return s.cells(id).get(r) }

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
