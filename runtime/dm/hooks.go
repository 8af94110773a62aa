package dm

import (
	"context"
	"iter"
)

// Hooks are called around transactions that touch instances of an object; each is optional. The
// hooks of one Model never run at the same time. For one request they run in this order, however many
// objects it touches: Begin on each object at its first touch, the operations, Validate on every
// touched object, Commit on each (ascending by object ID), then the change is persisted and
// published, and Changed runs on each. Any error makes Rollback run on every begun object in reverse
// order, those that committed included, and nothing is published.
//
// A bootstrap sequence is one transaction over many requests: its Begin hooks run at its end, just
// before Validate. When Validate fails there, the sequence stays open for correction and the hooks
// run again at its next end.
//
// Hooks of a server's request run on the loop that serves the device, also those that run after the
// store has worked on another goroutine: Rollback where storing failed, Changed where it succeeded.
// There is one exception: when the device was shut down and did not wait any longer for a store that
// does not return, nothing runs a loop any more, and Changed or Rollback of the request that was
// being stored run on the goroutine of the store. Hooks of an Update, and of any other change of the
// application, run on the goroutine that makes it.
//
// A hook that panics, or calls runtime.Goexit, keeps neither the writer slot nor half a change: the
// Rollback hooks run, or the other Changed hooks. For a server's request, which is answered 5.00, the
// panic then continues on the loop, or is logged where Config.RecoverPanics of package lwm2m says so.
//
// A hook must not write to the same Model: with the context that it received that is
// ErrInTransaction.
type Hooks[T any] struct {
	// Begin prepares for changes. An error refuses the operation.
	Begin func(ctx context.Context, tx *Tx[T]) error
	// Validate judges the changes; an error refuses them all. Return dm.Errorf(dm.BadRequest, ...) to
	// tell the server so. Validate may amend an instance through Change.New: values that depend on
	// what was written join the same transaction, and are checked against their ranges as well.
	Validate func(ctx context.Context, tx *Tx[T]) error
	// Commit applies the changes to the world outside the data model. An error undoes the whole
	// transaction.
	Commit func(ctx context.Context, tx *Tx[T]) error
	// Rollback undoes what Begin and Commit did. An error is logged and shows in Model.Status. It runs
	// on the store's goroutine in the one case that Hooks describes.
	Rollback func(ctx context.Context, tx *Tx[T]) error
	// Changed runs after the change was published. It runs on the store's goroutine in the one case
	// that Hooks describes.
	Changed func(ctx context.Context, tx *Tx[T])

	// Create fills in an instance that a server makes, before the payload lands on it: it starts as
	// a copy of the template. An error refuses the operation. Create must have no other effect: the
	// transaction may still fail.
	Create func(ctx context.Context, id InstanceID, inst *T) error
	// Delete may refuse that a server deletes an instance. It must have no effect; effects belong
	// in Commit.
	Delete func(ctx context.Context, id InstanceID) error
}

// core returns the hooks for parts; a hook that is not set stays nil.
func (h *Hooks[T]) core() coreHooks {
	c := coreHooks{begin: onPart(h.Begin), validate: onPart(h.Validate), commit: onPart(h.Commit), rollback: onPart(h.Rollback), remove: h.Delete}
	if changed := h.Changed; changed != nil {
		c.changed = func(ctx context.Context, x *part) { changed(ctx, &Tx[T]{x}) }
	}
	if create := h.Create; create != nil {
		c.create = func(ctx context.Context, id InstanceID, inst instance) error { return create(ctx, id, inst.(*T)) }
	}
	return c
}

func onPart[T any](hook func(context.Context, *Tx[T]) error) func(context.Context, *part) error {
	if hook == nil {
		return nil
	}
	return func(ctx context.Context, x *part) error { return hook(ctx, &Tx[T]{x}) }
}

// Change is what a transaction does to one instance that it makes or changes.
type Change[T any] struct {
	// ID is the instance.
	ID InstanceID
	// Created says that the transaction makes the instance.
	Created bool
	// Old is a copy of the instance as it was. It is never nil: for one that the transaction makes it
	// is the zero value, in which no resource is supported.
	Old *T
	// New is the instance as it will be. It is never nil. In Validate it may be amended; in other hooks
	// it is a copy that nothing reads back.
	New *T

	written []Path
}

// Written yields what was written, in the order of the operations: resources, or resource instances
// where only some of a resource were. It says nothing of amendments by Validate, and yields nothing
// for an instance that the application adds, or changes through Update.
func (c Change[T]) Written() iter.Seq[Path] {
	return func(yield func(Path) bool) {
		for _, p := range c.written {
			if !yield(p) {
				return
			}
		}
	}
}

// Wrote reports whether the resource, or an instance of it, is among what Written yields.
func (c Change[T]) Wrote(id ResourceID) bool {
	for _, p := range c.written {
		if p.Resource() == id {
			return true
		}
	}
	return false
}
