package firmware

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Hooks returns the hooks of an object of which the driver updates the instances. They refuse a
// Package URI that the state does not allow, start what a written one asks for, and keep what
// servers have set. packageURI is the ID of the resource, and uri its value in an instance.
func Hooks[T any](d *Driver, packageURI dm.ResourceID, uri func(*T) dm.Res[string]) dm.Hooks[T] {
	return dm.Hooks[T]{
		Validate: func(_ context.Context, tx *dm.Tx[T]) error {
			if tx.Origin() == dm.Application {
				return nil
			}
			for c := range tx.Changes() {
				if !c.Affects(packageURI) {
					continue
				}
				if err := d.CheckURI(c.ID, uri(c.New).Or("")); err != nil {
					return err
				}
			}
			return nil
		},
		Changed: func(_ context.Context, tx *dm.Tx[T]) {
			if tx.Origin() == dm.Application {
				return
			}
			for c := range tx.Changes() {
				if c.Affects(packageURI) {
					d.WriteURI(c.ID, uri(c.New).Or(""))
				}
				d.SaveSettings(c.ID)
			}
		},
	}
}

// Text returns the value of PkgName or PkgVersion, which is empty while it is unknown.
func Text(s string) dm.Res[string] {
	if s == "" {
		return dm.Empty[string]()
	}
	return dm.Str(s)
}
