package dm

import "iter"

// Tx is what the hooks of one object see of their transaction. It is valid during the hook only.
type Tx[T any] struct{ part *part }

// Origin returns who performs the transaction.
func (x *Tx[T]) Origin() Origin { return x.part.t.origin }

// Changes yields what the transaction does, by ascending instance ID.
func (x *Tx[T]) Changes() iter.Seq[Change[T]] {
	return func(yield func(Change[T]) bool) {
		for i := range x.part.changes {
			c := &x.part.changes[i]
			if !yield(Change[T]{ID: c.id, Old: cloned[T](c.old), New: x.shown(c.now), written: c.written}) {
				return
			}
		}
	}
}

// shown returns the new instance for a hook: the transaction's own while Validate may amend it, a
// copy in other hooks.
func (x *Tx[T]) shown(inst instance) *T {
	if own, ok := inst.(*T); ok && x.part.stage == stageValidate {
		return own
	}
	return cloned[T](inst)
}

// cloned returns a copy of an instance, nil of none.
func cloned[T any](inst instance) *T {
	p, ok := inst.(*T)
	if !ok {
		return nil
	}
	c := *p
	return &c
}

// Get returns a copy of an instance, changed or not, as the transaction leaves it.
func (x *Tx[T]) Get(id InstanceID) (T, bool) {
	return copied[T](x.part.now.get(uint16(id)))
}

// All yields copies of all instances, changed or not, as the transaction leaves them.
func (x *Tx[T]) All() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		for id, inst, ok := x.part.now.next(0); ok; id, inst, ok = x.part.now.next(uint32(id) + 1) {
			if !yield(InstanceID(id), *inst.(*T)) {
				return
			}
		}
	}
}
