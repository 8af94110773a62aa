package update

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Fields are where an object has what servers write to bring an image.
type Fields[T any] struct {
	Object              dm.ObjectID
	Package, PackageURI dm.ResourceID
	URI                 func(*T) *dm.Res[string]
}

// Writes says what follows from what servers write to an instance.
type Writes[T, R any] struct {
	Fields[T]
	// Show writes a record to an instance.
	Show func(*T, R)
	// CheckURI returns why a server cannot write Package URI now, and WriteURI begins the download
	// or, for the empty string, resets.
	CheckURI func(dm.InstanceID, string) error
	WriteURI func(dm.InstanceID, string)
	// Foresee returns the record after a written Package URI, or after a reset, without any effect.
	Foresee func(dm.InstanceID, string) R
	// TakeBackURI ends the download that WriteURI has begun, and returns to a record.
	TakeBackURI func(dm.InstanceID, R)
	// Keep takes over into the record what else was written, and returns how to take it back. May
	// be nil.
	Keep func(dm.Change[T]) (undo func())
}

// Hooks returns the hooks of an object whose records, those of the engine, follow what servers
// write. The records are decided before the transaction is stored, so that Persist can be part of
// that, and the new instance is amended, so that servers read the state as soon as they are
// answered.
func (w Writes[T, R]) Hooks(e *Engine[R]) dm.Hooks[T] {
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
		Validate: func(_ context.Context, tx *dm.Tx[T]) error {
			return each(tx, func(c dm.Change[T]) error { return w.check(e, c) })
		},
		Commit: func(_ context.Context, tx *dm.Tx[T]) error {
			undo = nil
			return each(tx, func(c dm.Change[T]) error {
				undo = append(undo, w.write(e, c)...)
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
				if c.Wrote(w.PackageURI) && !w.begins(c) {
					w.WriteURI(c.ID, "") // a reset cannot be taken back, so it waits until now
				}
				return nil
			})
		},
	}
}

func (w Writes[T, R]) uri(c dm.Change[T]) string { return w.URI(c.New).Or("") }

// begins reports whether the change begins a download.
func (w Writes[T, R]) begins(c dm.Change[T]) bool { return c.Wrote(w.PackageURI) && w.uri(c) != "" }

// check returns why a server cannot write this now, and amends the new instance.
func (w Writes[T, R]) check(e *Engine[R], c dm.Change[T]) error {
	if !c.Wrote(w.PackageURI) {
		// A Replace that leaves it out is no reset, and may bring an image.
		*w.URI(c.New) = *w.URI(c.Old)
	} else if err := w.CheckURI(c.ID, w.uri(c)); err != nil {
		return &dm.Error{Code: dm.CodeOf(err), Path: dm.ResourcePath(w.Object, c.ID, w.PackageURI), Err: err}
	}
	switch {
	case w.begins(c):
		w.Show(c.New, w.Foresee(c.ID, w.uri(c)))
	case c.Wrote(w.Package) && e.Resets(c.ID):
		w.Show(c.New, w.Foresee(c.ID, ""))
	case c.Wrote(w.Package):
		w.Show(c.New, e.Record(c.ID))
	}
	return nil
}

// write takes over into the record what can be taken back, and returns how.
func (w Writes[T, R]) write(e *Engine[R], c dm.Change[T]) (undo []func()) {
	if w.begins(c) {
		before := e.Record(c.ID)
		w.WriteURI(c.ID, w.uri(c))
		undo = append(undo, func() { w.TakeBackURI(c.ID, before) })
	}
	if w.Keep != nil {
		undo = append(undo, w.Keep(c))
	}
	return undo
}
