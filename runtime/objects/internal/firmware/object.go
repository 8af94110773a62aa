package firmware

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// Hooks returns the hooks of an object of which the driver updates the instances. They refuse a
// Package URI that the state does not allow, start what a written one asks for, and keep what
// servers have set. object and packageURI are the IDs of the object and the resource, and uri
// returns that resource in an instance.
func Hooks[T any](d *Driver, object dm.ObjectID, packageURI dm.ResourceID, uri func(*T) *dm.Res[string]) dm.Hooks[T] {
	return behaviour.Join(update.PackageURI(object, packageURI, uri, d.CheckURI, d.WriteURI), dm.Hooks[T]{
		Changed: func(_ context.Context, tx *dm.Tx[T]) {
			if tx.Origin() == dm.Application {
				return
			}
			for c := range tx.Changes() {
				d.SaveSettings(c.ID)
			}
		},
	})
}

// Text returns the value of PkgName or PkgVersion, which is empty while it is unknown.
func Text(s string) dm.Res[string] {
	if s == "" {
		return dm.Empty[string]()
	}
	return dm.Str(s)
}
