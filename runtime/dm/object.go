package dm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
)

// Object is one LwM2M object with its instances. Every generated package provides one as a
// TypedObject; no other type can implement it.
type Object interface {
	// ID returns the object ID.
	ID() ObjectID
	// Definition returns the object's definition. Do not change it.
	Definition() *registry.Object

	// inner returns the object without the type of its instances.
	inner() *core
}

// ObjectConfig is the configuration of the New function of a generated package.
type ObjectConfig[T any] struct {
	// Hooks run around transactions. The zero value means no hooks.
	Hooks Hooks[T]
	// Template is what an instance that a server creates starts with: which resources it supports,
	// their initial values, live functions and executables. Mandatory resources are supported even
	// if the template leaves them out. The zero value, without a Create hook, means that servers
	// cannot create instances, nor delete any without a Delete hook.
	Template T
	// MaxInstances is how many instances the object may have when a server creates one. The zero
	// value means 65535, the number of IDs.
	MaxInstances int
}

// TypedObject is an object whose instances are of type T, the Instance of a generated package. Its
// methods are for the application; servers reach the object through the Model that it is part of.
// All methods are safe for concurrent use. The zero value is not usable: the New function of a
// generated package creates objects.
type TypedObject[T any] struct{ core *core }

// NewObject returns an object without instances. It is for generated packages, whose New functions
// call it. cell returns the cell of a resource by its ID.
func NewObject[T any](def *registry.Object, cell func(*T, ResourceID) Cell,
	cfg ObjectConfig[T]) (*TypedObject[T], error) {
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
		return nil, fmt.Errorf("object %s (%d): MaxInstances is %d, it must not be negative", def.Name, def.ID,
			cfg.MaxInstances)
	}
	if err := c.checkTemplate(); err != nil {
		return nil, err
	}
	c.where.Store(privateModel(&objectState{o: c}))
	return &TypedObject[T]{c}, nil
}

// ID returns the object ID, or 65535 for a nil or zero TypedObject.
func (o *TypedObject[T]) ID() ObjectID {
	if o.inner() == nil {
		return reserved
	}
	return o.core.id()
}

// Definition returns the object's definition, or nil for a nil or zero TypedObject. Do not change
// it.
func (o *TypedObject[T]) Definition() *registry.Object {
	if o.inner() == nil {
		return nil
	}
	return o.core.def
}

// inner returns nil for an object that NewObject did not make.
func (o *TypedObject[T]) inner() *core {
	if o == nil {
		return nil
	}
	return o.core
}

var errNotMade = errors.New("the object is nil, or its zero value: make it with New")

// addPatience is how long Add waits for another transaction.
const addPatience = 10 * time.Second

// Add adds an instance. It may be called before and after the object became part of a Model. It
// fails if mandatory resources are missing (the error names all of them), if a value is outside of
// its range, if the ID is taken, or if a resource that servers may write is live and there is no
// Commit hook. Add waits at most 10 s for other transactions and then fails with ErrBusy. Use
// AddContext for another limit, and in functions that receive a context.
func (o *TypedObject[T]) Add(id InstanceID, inst T) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), addPatience, ErrBusy)
	defer cancel()
	return o.AddContext(ctx, id, inst)
}

// AddContext is Add with a context: it waits for other transactions until ctx ends, as Update does.
func (o *TypedObject[T]) AddContext(ctx context.Context, id InstanceID, inst T) error {
	if o.inner() == nil {
		return errNotMade
	}
	return o.core.add(ctx, id, &inst)
}

// AddNew adds an instance with the lowest free ID, which it returns. For a single-instance object
// that is 0. It fails as Add does, or if all IDs are taken. It waits for other transactions as
// Update does.
func (o *TypedObject[T]) AddNew(ctx context.Context, inst T) (InstanceID, error) {
	if o.inner() == nil {
		return 0, errNotMade
	}
	return o.core.addNew(ctx, &inst)
}

// Update changes an instance. fn receives a copy and changes it, on the caller's goroutine, and the
// change is one transaction. An error of fn, of a check or of a hook leaves everything as it was.
// Observing servers are notified without a further call. fn must not write to the same Model: that
// fails with ErrInTransaction.
//
// Update waits for other transactions until ctx ends. If ctx has no deadline it fails with ErrBusy
// after a minute. The same holds for Remove, AddContext, and the writing methods of Model.
func (o *TypedObject[T]) Update(ctx context.Context, id InstanceID, fn func(*T) error) error {
	if o.inner() == nil {
		return errNotMade
	}
	if fn == nil {
		return fail(InternalServerError, InstancePath(o.ID(), id), "the function is nil")
	}
	return o.core.update(ctx, id, func(inst instance) error { return fn(inst.(*T)) })
}

// Remove deletes an instance. It waits for other transactions as Update does.
func (o *TypedObject[T]) Remove(ctx context.Context, id InstanceID) error {
	if o.inner() == nil {
		return errNotMade
	}
	return o.core.remove(ctx, id)
}

// Get returns a copy of an instance in its current state.
func (o *TypedObject[T]) Get(id InstanceID) (T, bool) {
	t := o.instances()
	return copyOf[T](t.get(uint16(id)))
}

// copyOf returns a copy of an instance that a lookup returned.
func copyOf[T any](inst instance, ok bool) (T, bool) {
	if !ok {
		var zero T
		return zero, false
	}
	return *inst.(*T), true
}

// All yields copies of the instances in their current state, in ascending order of ID.
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
