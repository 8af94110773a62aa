package dm

import "iter"

// Origin returns who makes the changes.
func (t *Transaction) Origin() Origin { return t.origin }

// Touches reports whether an object takes part in the transaction.
func (t *Transaction) Touches(id ObjectID) bool {
	for _, p := range t.parts {
		if p.id() == id {
			return true
		}
	}
	return false
}

// Published returns what the transaction started from: the Model as everybody else sees it.
func (t *Transaction) Published() Snapshot { return Snapshot{m: t.m, r: t.base} }

// InstanceChanges yields the instances that the transaction creates or deletes, in ascending order,
// with Created or Deleted. An instance that takes the place of a deleted one is neither. The
// transaction must not change in the meantime.
func (t *Transaction) InstanceChanges() iter.Seq2[Path, EventKind] {
	return func(yield func(Path, EventKind) bool) {
		for _, p := range t.parts {
			for i := range p.changes {
				c := &p.changes[i]
				switch {
				case c.old == nil && c.now != nil:
					if !yield(p.path(c.id), Created) {
						return
					}
				case c.old != nil && c.now == nil && !p.has(c.id):
					if !yield(p.path(c.id), Deleted) {
						return
					}
				}
			}
		}
	}
}

// consequences makes the changes that follow from those of the transaction.
func (t *Transaction) consequences() error {
	fn := t.m.cfg.Consequences
	if fn == nil || len(t.parts) == 0 {
		return nil
	}
	t.rights = Application
	defer func() { t.rights = t.origin }()
	var err error
	t.m.within(fromHook, func() { err = fn(t) })
	return err
}
