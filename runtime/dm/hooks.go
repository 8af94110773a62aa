package dm

import (
	"context"
	"iter"
	"slices"
)

// Hooks are functions that run around every transaction that touches instances of an object. Each
// is optional. The hooks of one Model never run at the same time.
//
// One request, or one change of the application, runs them in this order, however many objects it
// touches: Begin on each object when the transaction first touches it, the changes, Validate on
// every touched object, Commit on every touched object in ascending order of object ID. Then the
// change is stored and published, and Changed runs on every touched object. After any error
// Rollback runs on every object whose Begin ran, in reverse order, including those that committed,
// and nothing is published.
//
// A bootstrap sequence is one transaction over many requests. Its Begin hooks run at the end of the
// sequence, directly before Validate. If Validate fails there, Rollback runs, the sequence stays
// open for correction, and the hooks run again at the next end.
//
// Goroutines: the hooks of an application's change (Add, Update, Remove) run on the goroutine that
// calls it. The hooks of a server's request run on the loop that serves the device, including
// Changed and Rollback after the store has worked on another goroutine. There is one exception: if
// the device was shut down while a request was being stored and the store did not return in time,
// the loop no longer runs, and Changed or Rollback of that request runs on the goroutine of the
// store.
//
// A hook that panics, or calls runtime.Goexit, keeps neither the writer slot nor a part of a
// change: the Rollback hooks run, or the other Changed hooks. A server's request is answered 5.00;
// then the panic continues on the loop, or is logged if Config.RecoverPanics of package lwm2m is
// set.
//
// A hook must not write to the same Model, with one exception: a Changed hook may, on its own
// goroutine, if it passes on the context that it received. Such an Update, Add, Remove or Begin is
// a transaction of its own, which follows the published change; the Changed hooks of the other
// objects run before it. Any other write from inside a hook fails at once with ErrInTransaction,
// whatever its context.
type Hooks[T any] struct {
	// Begin prepares for changes. An error refuses the operation. Begin runs on the goroutine that
	// makes the first change to the object; in a bootstrap sequence it runs on the goroutine that
	// ends the sequence.
	Begin func(ctx context.Context, tx *Tx[T]) error
	// Validate checks the changes. An error refuses all of them; return dm.Errorf(dm.BadRequest,
	// ...) to answer the server 4.00. Validate may amend an instance through Change.New: values
	// that depend on what was written become part of the transaction, and are checked against their
	// ranges, too. Validate runs on the goroutine that commits.
	Validate func(ctx context.Context, tx *Tx[T]) error
	// Commit applies the changes to the world outside of the data model. An error undoes the whole
	// transaction. Commit runs on the goroutine that commits.
	Commit func(ctx context.Context, tx *Tx[T]) error
	// Rollback undoes what Begin and Commit did. An error is logged and appears in Model.Status.
	// Rollback runs on the goroutine that commits or rolls back, or on the store's goroutine in the
	// one case that Hooks describes.
	Rollback func(ctx context.Context, tx *Tx[T]) error
	// Changed runs after the change was published, on the goroutine that commits, or on the store's
	// goroutine in the one case that Hooks describes. It may update the Model with its context.
	Changed func(ctx context.Context, tx *Tx[T])

	// Create fills in an instance that a server creates, before the payload is written to it. The
	// instance starts as a copy of the template. An error refuses the operation. Create must have
	// no other effect, because the transaction may still fail. Create runs on the goroutine of the
	// request, which is the loop.
	Create func(ctx context.Context, id InstanceID, inst *T) error
	// Delete may refuse that a server deletes an instance. It must have no effect; effects belong
	// in Commit. Delete runs on the goroutine of the request, which is the loop.
	Delete func(ctx context.Context, id InstanceID) error
}

// core returns the hooks in the form that takes parts. An unset hook stays nil.
func (h *Hooks[T]) core() coreHooks {
	c := coreHooks{
		begin: onPart(h.Begin), validate: onPart(h.Validate), commit: onPart(h.Commit), rollback: onPart(h.Rollback),
		remove: h.Delete,
	}
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

// Change is what a transaction does to one instance that it creates or changes.
type Change[T any] struct {
	// ID is the instance ID.
	ID InstanceID
	// Created reports whether the transaction creates the instance.
	Created bool
	// Old is a copy of the instance as it was before. It is never nil: for a new instance it is the
	// zero value, in which no resource is supported.
	Old *T
	// New is the instance as it will be. It is never nil. Validate may amend it; in other hooks it
	// is a copy, and changes to it are ignored.
	New *T

	written, emptied []Path
}

// Written yields the paths that the payloads named, in the order of the operations: resources, or
// resource instances where only some of a resource were written. Emptied yields what a Replace
// emptied in addition. Neither includes amendments by Validate, and both yield nothing for an
// instance that the application adds or changes through Update.
func (c Change[T]) Written() iter.Seq[Path] {
	return func(yield func(Path) bool) {
		for _, p := range c.written {
			if !slices.Contains(c.emptied, p.Up(ResourceLevel)) && !yield(p) {
				return
			}
		}
	}
}

// Emptied yields the resources that a Replace of the instance emptied because its payload does not
// name them (Core 1.2.2 §6.3.3). A resource that had no value before is among them. If the
// transaction has several operations, the last one that concerns a resource decides.
func (c Change[T]) Emptied() iter.Seq[Path] { return slices.Values(c.emptied) }

// Wrote reports whether the resource, or one of its resource instances, is among the paths of
// Written. A Commit hook that applies a resource to hardware, with or without a value, asks Affects
// instead.
func (c Change[T]) Wrote(id ResourceID) bool {
	for p := range c.Written() {
		if p.Resource() == id {
			return true
		}
	}
	return false
}

// Affects reports whether the resource, or one of its resource instances, is among the paths of
// Written or Emptied.
func (c Change[T]) Affects(id ResourceID) bool {
	return slices.ContainsFunc(c.written, func(p Path) bool { return p.Resource() == id })
}
