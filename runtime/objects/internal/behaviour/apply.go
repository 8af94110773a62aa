package behaviour

import (
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Apply returns hooks whose Commit hands each instance that is added, deleted or changed to fn, the
// deleted ones as nil. A change by the program's own Update is left out: the program knows it, and
// may make it from what fn has led to. Rollback hands the previous instances to fn, nil for those
// that did not exist.
func Apply[T any](fn func(ctx context.Context, id dm.InstanceID, inst *T) error) dm.Hooks[T] {
	type previous struct {
		id   dm.InstanceID
		inst *T
	}
	var applied []previous // the hooks of one Model never run at the same time
	apply := func(ctx context.Context, id dm.InstanceID, old, inst *T) error {
		applied = append(applied, previous{id, old})
		return fn(ctx, id, inst)
	}
	return dm.Hooks[T]{
		Commit: func(ctx context.Context, tx *dm.Tx[T]) error {
			applied = nil
			for id, old := range tx.Deleted() {
				if err := apply(ctx, id, &old, nil); err != nil {
					return err
				}
			}
			for c := range tx.Changes() {
				old := c.Old
				switch {
				case c.Created:
					old = nil
				case tx.Origin() == dm.Application:
					continue
				}
				if err := apply(ctx, c.ID, old, c.New); err != nil {
					return err
				}
			}
			return nil
		},
		Rollback: func(ctx context.Context, _ *dm.Tx[T]) error {
			var errs []error
			for _, p := range slices.Backward(applied) {
				errs = append(errs, fn(ctx, p.id, p.inst))
			}
			applied = nil
			return errors.Join(errs...)
		},
		Changed: func(context.Context, *dm.Tx[T]) { applied = nil },
	}
}
