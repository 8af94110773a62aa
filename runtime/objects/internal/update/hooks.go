package update

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// PackageURI returns the hooks of an object whose resource Package URI starts a download. object
// and id are those of the resource, and value returns its value in an instance. check returns why a
// server cannot write it now, and written is told of a written one.
func PackageURI[T any](object dm.ObjectID, id dm.ResourceID, value func(*T) dm.Res[string], check func(dm.InstanceID, string) error,
	written func(dm.InstanceID, string)) dm.Hooks[T] {
	return dm.Hooks[T]{
		Validate: func(_ context.Context, tx *dm.Tx[T]) error {
			if tx.Origin() == dm.Application {
				return nil
			}
			for c := range tx.Changes() {
				if !c.Affects(id) {
					continue
				}
				if err := check(c.ID, value(c.New).Or("")); err != nil {
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
				if c.Affects(id) {
					written(c.ID, value(c.New).Or(""))
				}
			}
		},
	}
}
