package dm

import "iter"

// Tx is the view that the hooks of one object have of their transaction. It is valid only while the
// hook runs.
type Tx[T any] struct{ part *part }

// Origin returns who makes the change.
func (x *Tx[T]) Origin() Origin { return x.part.t.origin }

// Changes yields the instances that the transaction creates or changes, in ascending order of ID.
// Deleted yields those that it deletes.
func (x *Tx[T]) Changes() iter.Seq[Change[T]] {
	return func(yield func(Change[T]) bool) {
		for i := range x.part.changes {
			c := &x.part.changes[i]
			if c.now == nil {
				continue
			}
			change := Change[T]{ID: c.id, Created: c.old == nil, Old: new(T), New: x.newForHook(c.now),
				written: c.written, emptied: c.emptied}
			if c.old != nil {
				*change.Old = *c.old.(*T)
			}
			if !yield(change) {
				return
			}
		}
	}
}

// Deleted yields copies of the instances that the transaction deletes, as they were before, in
// ascending order of ID.
func (x *Tx[T]) Deleted() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		for i := range x.part.changes {
			if c := &x.part.changes[i]; c.now == nil && !yield(c.id, *c.old.(*T)) {
				return
			}
		}
	}
}

// newForHook returns the new instance for a hook: in Validate the transaction's own, which the hook
// may amend, and in other hooks a copy.
func (x *Tx[T]) newForHook(inst instance) *T {
	own := inst.(*T)
	if x.part.stage == stageValidate {
		return own
	}
	c := *own
	return &c
}

// Get returns a copy of an instance, changed or not, as it will be after the transaction.
func (x *Tx[T]) Get(id InstanceID) (T, bool) {
	return copyOf[T](x.part.now.get(uint16(id)))
}

// All yields copies of all instances, changed or not, as they will be after the transaction, in
// ascending order of ID.
func (x *Tx[T]) All() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		for id, inst, ok := x.part.now.next(0); ok; id, inst, ok = x.part.now.next(uint32(id) + 1) {
			if !yield(InstanceID(id), *inst.(*T)) {
				return
			}
		}
	}
}
