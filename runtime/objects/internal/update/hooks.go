package update

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Writes says what follows from what servers write to an instance.
type Writes[T any] struct {
	// Check returns why a server cannot write this now. It amends the new instance, so that
	// servers read what follows from Write as soon as they are answered.
	Check func(dm.Change[T]) error
	// Write takes over into the record what can be taken back, and returns how. It comes before
	// the transaction is stored, so that Persist can be part of that.
	Write func(dm.Change[T]) (undo func())
	// Written does the rest once the transaction has been published.
	Written func(dm.Change[T])
}

// Hooks returns the hooks of an object whose records follow what servers write.
func (w Writes[T]) Hooks() dm.Hooks[T] {
	var undo []func() // the hooks of one Model never run at the same time
	each := func(tx *dm.Tx[T], fn func(dm.Change[T]) error) error {
		if tx.Origin() == dm.Application {
			return nil
		}
		for c := range tx.Changes() {
			if err := fn(c); err != nil {
				return err
			}
		}
		return nil
	}
	return dm.Hooks[T]{
		Validate: func(_ context.Context, tx *dm.Tx[T]) error { return each(tx, w.Check) },
		Commit: func(_ context.Context, tx *dm.Tx[T]) error {
			undo = nil
			return each(tx, func(c dm.Change[T]) error {
				undo = append(undo, w.Write(c))
				return nil
			})
		},
		Rollback: func(context.Context, *dm.Tx[T]) error {
			for _, fn := range undo {
				fn()
			}
			undo = nil
			return nil
		},
		Changed: func(_ context.Context, tx *dm.Tx[T]) {
			undo = nil
			_ = each(tx, func(c dm.Change[T]) error {
				w.Written(c)
				return nil
			})
		},
	}
}
