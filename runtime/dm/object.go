package dm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync/atomic"
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

	// home returns the Model that holds the object's state at the moment, and setHome changes it.
	home() *Model
	setHome(*Model)
}

// ObjectConfig is what the New function of a generated package needs.
type ObjectConfig[T any] struct {
	// Hooks are called around transactions. The zero value has none.
	Hooks Hooks[T]
	// Template is what an instance made by a server starts with: which resources it supports, their
	// initial values, live functions and executables. Mandatory resources are supported even if the
	// template leaves them out. The zero value, without a Create hook, refuses instances made by a
	// server.
	Template T
	// MaxInstances bounds how many instances servers may make the object have. Zero means no bound
	// but that of the IDs, 65535.
	MaxInstances int
}

// TypedObject is an object whose instances are of type T, the Instance of a generated package.
// All methods are safe for concurrent use. They are for the application; servers come through the
// Model that the object is part of. The zero value is of no use: the New of a generated package makes
// objects.
type TypedObject[T any] struct {
	def    *registry.Object
	cellOf func(*T, ResourceID) Cell
	cfg    ObjectConfig[T]
	// serverMade says that servers may make instances.
	serverMade bool
	where      atomic.Pointer[Model]
}

// NewObject returns an object without instances. Generated packages call it in their New; nobody
// else needs it. cell returns the cell of a resource by ID.
func NewObject[T any](def *registry.Object, cell func(*T, ResourceID) Cell, cfg ObjectConfig[T]) (*TypedObject[T], error) {
	if err := checkDefinition(def, cell); err != nil {
		return nil, err
	}
	if cfg.MaxInstances < 0 {
		return nil, fmt.Errorf("object %s (%d): MaxInstances is %d, it must not be negative", def.Name, def.ID, cfg.MaxInstances)
	}
	o := &TypedObject[T]{def: def, cellOf: cell, cfg: cfg}
	if err := o.checkTemplate(); err != nil {
		return nil, err
	}
	o.where.Store(privateModel(o, &typedState[T]{o: o}))
	return o, nil
}

// checkTemplate finds out whether servers may make instances, and reports what is wrong with the
// template.
func (o *TypedObject[T]) checkTemplate() error {
	o.serverMade = o.cfg.Hooks.Create != nil
	for i := range o.def.Resources {
		if o.cellOf(&o.cfg.Template, ResourceID(o.def.Resources[i].ID)).supported() {
			o.serverMade = true
		}
	}
	if !o.serverMade {
		return nil
	}
	p := ObjectPath(o.ID())
	if err := o.checkCells(&o.cfg.Template, p.child(0)); err != nil {
		return fmt.Errorf("template of %s: %w", o.def.Name, err)
	}
	if o.cfg.Hooks.Create != nil {
		return nil
	}
	var missing []string
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		if r.Mandatory && r.Ops.Executable() && !o.cellOf(&o.cfg.Template, ResourceID(r.ID)).supported() {
			missing = append(missing, fmt.Sprintf("%s (%d)", r.Name, r.ID))
		}
	}
	if missing != nil {
		return fmt.Errorf("template of %s: the mandatory executables %s are missing", o.def.Name, strings.Join(missing, ", "))
	}
	return nil
}

// ID returns the object ID.
func (o *TypedObject[T]) ID() ObjectID { return ObjectID(o.def.ID) }

// Definition returns the object's definition. It must not be changed.
func (o *TypedObject[T]) Definition() *registry.Object { return o.def }

// home is nil for an object that NewObject did not make.
func (o *TypedObject[T]) home() *Model {
	if o == nil {
		return nil
	}
	return o.where.Load()
}

func (o *TypedObject[T]) setHome(m *Model) { o.where.Store(m) }

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
	return o.transact(ctx, func(t *Transaction, x *Tx[T]) error {
		p := ObjectPath(o.ID())
		if id == reserved {
			return fail(BadRequest, p, "the instance ID 65535 is reserved")
		}
		if !o.def.Multiple && id != 0 {
			return fail(BadRequest, p.child(uint16(id)), "%s has a single instance, whose ID is 0", o.def.Name)
		}
		if x.has(id) {
			return fail(BadRequest, p.child(uint16(id)), "there is such an instance already")
		}
		x.put(id, &inst)
		return nil
	})
}

// Update changes an instance: fn changes the copy that it is given, and the change is one
// transaction. An error of fn, of a check or of a hook leaves everything as it was. Observers are
// told without any further call. fn runs on the caller's goroutine.
func (o *TypedObject[T]) Update(ctx context.Context, id InstanceID, fn func(*T) error) error {
	return o.transact(ctx, func(t *Transaction, x *Tx[T]) error {
		inst, ok := x.now.get(uint16(id))
		if !ok {
			return fail(NotFound, InstancePath(o.ID(), id), "there is no such instance")
		}
		work := *inst
		if err := fn(&work); err != nil {
			return err
		}
		kept := work // fn may have kept its copy
		x.put(id, &kept)
		return nil
	})
}

// Remove deletes an instance.
func (o *TypedObject[T]) Remove(ctx context.Context, id InstanceID) error {
	return o.transact(ctx, func(t *Transaction, x *Tx[T]) error {
		if !x.has(id) {
			return fail(NotFound, InstancePath(o.ID(), id), "there is no such instance")
		}
		x.drop(id)
		return nil
	})
}

// Get returns a copy of an instance as it is now.
func (o *TypedObject[T]) Get(id InstanceID) (T, bool) {
	t := o.instances()
	inst, ok := t.get(uint16(id))
	if !ok {
		var zero T
		return zero, false
	}
	return *inst, true
}

// All yields copies of the instances as they are now, in ascending order of ID.
func (o *TypedObject[T]) All() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		t := o.instances()
		for id, inst, ok := t.next(0); ok; id, inst, ok = t.next(uint32(id) + 1) {
			if !yield(InstanceID(id), *inst) {
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

// instances returns the published instances. While the object moves into a Model they are found in
// the one that it leaves.
func (o *TypedObject[T]) instances() tree[*T] {
	for {
		m := o.home()
		if m == nil {
			return tree[*T]{}
		}
		if s, ok := m.root.Load().find(o.ID()); ok {
			if s, ok := s.(*typedState[T]); ok && s.o == o {
				return s.inst
			}
		}
	}
}

// transact runs fn as a transaction of the application that touches this object.
func (o *TypedObject[T]) transact(ctx context.Context, fn func(*Transaction, *Tx[T]) error) error {
	for {
		m := o.home()
		if m == nil {
			return errNotMade
		}
		t, err := m.Begin(ctx, Application)
		if err != nil {
			return err
		}
		if o.home() != m { // it moved into a Model meanwhile
			t.Rollback()
			continue
		}
		return t.run(o.ID(), func(p part) error {
			x, ok := p.(*Tx[T])
			if !ok {
				return fail(InternalServerError, ObjectPath(o.ID()), "another object has taken this one's place")
			}
			return fn(t, x)
		})
	}
}

// checkInstance reports what the application, or a Validate hook, must not do to an instance: leave
// out mandatory resources, or store values that the definition does not allow.
func (o *TypedObject[T]) checkInstance(inst *T, p Path) error {
	return errors.Join(o.checkMandatory(inst, p), o.checkCells(inst, p))
}

// checkMandatory names all mandatory resources that are missing.
func (o *TypedObject[T]) checkMandatory(inst *T, p Path) error {
	var missing []string
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		if !r.Mandatory {
			continue
		}
		c := o.cellOf(inst, ResourceID(r.ID))
		if !c.hasValue() && !(r.Ops.Executable() && c.supported()) {
			missing = append(missing, fmt.Sprintf("%s (%d)", r.Name, r.ID))
		}
	}
	if missing == nil {
		return nil
	}
	return fail(BadRequest, p, "mandatory resources are missing: %s", strings.Join(missing, ", "))
}

// checkCells reports stored values that the definition does not allow, and live resources that
// servers may write without anybody to apply it.
func (o *TypedObject[T]) checkCells(inst *T, p Path) error {
	var errs []error
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		c := o.cellOf(inst, ResourceID(r.ID))
		if !c.supported() {
			continue
		}
		rp := p.child(r.ID)
		if err := c.check(r, rp); err != nil {
			errs = append(errs, err)
		}
		switch {
		case c.staged() && c.stream() != nil:
			errs = append(errs, fail(InternalServerError, rp, "%s is a stream: it holds no value to set", r.Name))
		case !c.live() || c.stream() != nil || o.cfg.Hooks.Commit != nil:
		case r.Ops.Writable():
			errs = append(errs, fail(InternalServerError, rp, "%s is live and servers may write it: a Commit hook must apply what they write", r.Name))
		case c.staged():
			errs = append(errs, fail(InternalServerError, rp, "%s is live: a Commit hook must apply what is set, or a stored value take its place", r.Name))
		}
	}
	return errors.Join(errs...)
}

// fromTemplate returns a new instance for a server: the template with all mandatory resources
// supported, filled in by the Create hook.
func (o *TypedObject[T]) fromTemplate(ctx context.Context, id InstanceID) (*T, error) {
	inst := o.cfg.Template
	if h := o.cfg.Hooks.Create; h != nil {
		if err := h(ctx, id, &inst); err != nil {
			return nil, at(InstancePath(o.ID(), id), err)
		}
	}
	for i := range o.def.Resources {
		if r := &o.def.Resources[i]; r.Mandatory {
			o.cellOf(&inst, ResourceID(r.ID)).support()
		}
	}
	if err := o.checkCells(&inst, InstancePath(o.ID(), id)); err != nil {
		return nil, fail(InternalServerError, InstancePath(o.ID(), id), "the instance made from the template is wrong: %w", err)
	}
	kept := inst // the Create hook may have kept its pointer
	return &kept, nil
}

// limit returns how many instances servers may make the object have.
func (o *TypedObject[T]) limit() int {
	switch {
	case !o.def.Multiple:
		return 1
	case o.cfg.MaxInstances == 0:
		return math.MaxUint16
	}
	return o.cfg.MaxInstances
}
