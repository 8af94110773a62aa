package dm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
)

// Object is one LwM2M object with its instances. Generated packages provide it as a TypedObject;
// nothing else can implement it.
type Object interface {
	// ID returns the object ID.
	ID() ObjectID
	// Definition returns the object's definition. It must not be changed.
	Definition() *registry.Object

	// inner returns the object without the type of its instances.
	inner() *core
}

// ObjectConfig is what the New function of a generated package needs.
type ObjectConfig[T any] struct {
	// Hooks are called around transactions. The zero value has none.
	Hooks Hooks[T]
	// Template is what an instance made by a server starts with: which resources it supports, their
	// initial values, live functions and executables. Mandatory resources are supported even if the
	// template leaves them out. The zero value, without a Create hook, refuses instances made by a
	// server, and, without a Delete hook, that a management server deletes one.
	Template T
	// MaxInstances bounds how many instances servers may make the object have. Zero means no bound
	// but that of the IDs, 65535.
	MaxInstances int
}

// TypedObject is an object whose instances are of type T, the Instance of a generated package.
// All methods are safe for concurrent use. They are for the application; servers come through the
// Model that the object is part of. The zero value is of no use: the New of a generated package makes
// objects.
type TypedObject[T any] struct{ core *core }

// NewObject returns an object without instances. Generated packages call it in their New; nobody
// else needs it. cell returns the cell of a resource by ID.
func NewObject[T any](def *registry.Object, cell func(*T, ResourceID) Cell, cfg ObjectConfig[T]) (*TypedObject[T], error) {
	c := &core{
		def:          def,
		clone:        func(inst instance) instance { c := *inst.(*T); return &c },
		hooks:        cfg.Hooks.core(),
		template:     &cfg.Template,
		maxInstances: cfg.MaxInstances,
	}
	if cell != nil {
		c.cell = func(inst instance, id ResourceID) Cell { return cell(inst.(*T), id) }
	}
	if err := checkDefinition(def, c.cell, c.template); err != nil {
		return nil, err
	}
	if cfg.MaxInstances < 0 {
		return nil, fmt.Errorf("object %s (%d): MaxInstances is %d, it must not be negative", def.Name, def.ID, cfg.MaxInstances)
	}
	if err := c.checkTemplate(); err != nil {
		return nil, err
	}
	c.where.Store(privateModel(&objectState{o: c}))
	return &TypedObject[T]{c}, nil
}

// ID returns the object ID, 65535 for a nil or zero TypedObject.
func (o *TypedObject[T]) ID() ObjectID {
	if o.inner() == nil {
		return reserved
	}
	return o.core.id()
}

// Definition returns the object's definition, nil for a nil or zero TypedObject. It must not be
// changed.
func (o *TypedObject[T]) Definition() *registry.Object {
	if o.inner() == nil {
		return nil
	}
	return o.core.def
}

// inner is nil for an object that NewObject did not make.
func (o *TypedObject[T]) inner() *core {
	if o == nil {
		return nil
	}
	return o.core
}

var errNotMade = errors.New("the object is nil, or its zero value: make it with New")

// addPatience bounds how long Add waits for another transaction.
const addPatience = 10 * time.Second

// Add adds an instance made by the application; it may be called before and after the object became
// part of a Model. It fails, naming all, when mandatory resources are missing, when a value is
// outside of its range, when the ID is taken, and when a resource that servers may write is live
// without a Commit hook. Add waits at most 10 s for other transactions and is then ErrBusy; use
// AddContext to wait otherwise, and inside of functions that hold a context.
func (o *TypedObject[T]) Add(id InstanceID, inst T) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), addPatience, ErrBusy)
	defer cancel()
	return o.AddContext(ctx, id, inst)
}

// AddContext is Add, waiting for other transactions until ctx ends.
func (o *TypedObject[T]) AddContext(ctx context.Context, id InstanceID, inst T) error {
	if o.inner() == nil {
		return errNotMade
	}
	return o.core.add(ctx, id, &inst)
}

// Update changes an instance: fn changes the copy that it is given, and the change is one
// transaction. An error of fn, of a check or of a hook leaves everything as it was. Observers are
// told without any further call. fn runs on the caller's goroutine, and must not write to the same
// Model: it would wait for itself.
//
// Update waits for other transactions until ctx ends. Where ctx has no deadline it gives up after a
// minute, with ErrBusy; so do Remove, AddContext, and the writing methods of Model.
func (o *TypedObject[T]) Update(ctx context.Context, id InstanceID, fn func(*T) error) error {
	if o.inner() == nil {
		return errNotMade
	}
	if fn == nil {
		return fail(InternalServerError, InstancePath(o.ID(), id), "the function is nil, there is nothing to do")
	}
	return o.core.update(ctx, id, func(inst instance) error { return fn(inst.(*T)) })
}

// Remove deletes an instance.
func (o *TypedObject[T]) Remove(ctx context.Context, id InstanceID) error {
	if o.inner() == nil {
		return errNotMade
	}
	return o.core.remove(ctx, id)
}

// Get returns a copy of an instance as it is now.
func (o *TypedObject[T]) Get(id InstanceID) (T, bool) {
	t := o.instances()
	return copied[T](t.get(uint16(id)))
}

// copied returns a copy of an instance that was looked up.
func copied[T any](inst instance, ok bool) (T, bool) {
	if !ok {
		var zero T
		return zero, false
	}
	return *inst.(*T), true
}

// All yields copies of the instances as they are now, in ascending order of ID.
func (o *TypedObject[T]) All() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		t := o.instances()
		for id, inst, ok := t.next(0); ok; id, inst, ok = t.next(uint32(id) + 1) {
			if !yield(InstanceID(id), *inst.(*T)) {
				return
			}
		}
	}
}

// Len returns the number of instances.
func (o *TypedObject[T]) Len() int {
	t := o.instances()
	return t.n
}

func (o *TypedObject[T]) instances() tree[instance] {
	if o.inner() == nil {
		return tree[instance]{}
	}
	return o.core.instances()
}
