package update

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// PackageURI returns the hooks of an object whose resource Package URI starts a download. object
// and id are those of the resource, and cell returns it in an instance. check returns why a server
// cannot write a value now, and written is told of a written one. A Replace that leaves the
// optional resource out keeps it: only an empty string is a reset, and the Replace may bring an
// image.
func PackageURI[T any](object dm.ObjectID, id dm.ResourceID, cell func(*T) *dm.Res[string], check func(dm.InstanceID, string) error,
	written func(dm.InstanceID, string)) dm.Hooks[T] {
	return dm.Hooks[T]{
		Validate: func(_ context.Context, tx *dm.Tx[T]) error {
			if tx.Origin() == dm.Application {
				return nil
			}
			for c := range tx.Changes() {
				if !c.Wrote(id) {
					if c.Old != nil {
						*cell(c.New) = *cell(c.Old)
					}
					continue
				}
				if err := check(c.ID, cell(c.New).Or("")); err != nil {
					return &dm.Error{Code: dm.CodeOf(err), Path: dm.ResourcePath(object, c.ID, id), Err: err}
				}
			}
			return nil
		},
		Changed: func(_ context.Context, tx *dm.Tx[T]) {
			if tx.Origin() == dm.Application {
				return
			}
			for c := range tx.Changes() {
				if c.Wrote(id) {
					written(c.ID, cell(c.New).Or(""))
				}
			}
		},
	}
}
