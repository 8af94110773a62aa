package dm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/registry"
)

// instance is one instance of an object: a *T of its TypedObject[T].
type instance any

// core is an object without the Go type of its instances. All code but a thin layer works on it.
type core struct {
	def      *registry.Object
	cell     func(instance, ResourceID) Cell
	clone    func(instance) instance
	hooks    coreHooks
	template instance
	// serverMade reports that servers may create instances, up to maxInstances, where zero means no
	// bound.
	serverMade   bool
	maxInstances int
	where        atomic.Pointer[Model]
}

// coreHooks are Hooks that take a part instead of a Tx.
type coreHooks struct {
	begin, validate, commit, rollback func(context.Context, *part) error
	changed                           func(context.Context, *part)
	create                            func(context.Context, InstanceID, instance) error
	remove                            func(context.Context, InstanceID) error
}

func (o *core) id() ObjectID { return ObjectID(o.def.ID) }

// checkTemplate determines whether servers may create instances, and reports faults of the
// template.
func (o *core) checkTemplate() error {
	o.serverMade = o.hooks.create != nil
	for i := range o.def.Resources {
		if o.cell(o.template, ResourceID(o.def.Resources[i].ID)).supported() {
			o.serverMade = true
		}
	}
	if !o.serverMade {
		return nil
	}
	p := ObjectPath(o.id())
	if err := o.checkCells(o.template, p.child(0)); err != nil {
		return fmt.Errorf("template of %s: %w", o.def.Name, err)
	}
	if o.hooks.create != nil {
		return nil
	}
	var missing []string
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		if r.Mandatory && r.Ops.Executable() && !o.cell(o.template, ResourceID(r.ID)).supported() {
			missing = append(missing, fmt.Sprintf("%s (%d)", r.Name, r.ID))
		}
	}
	if missing != nil {
		return fmt.Errorf("template of %s: the mandatory executables %s are missing", o.def.Name,
			strings.Join(missing, ", "))
	}
	return nil
}

// instances returns the published instances. While the object moves into a Model they are in the
// Model that it leaves.
func (o *core) instances() tree[instance] {
	for {
		if s, ok := o.where.Load().root.Load().find(o.id()); ok && s.o == o {
			return s.inst
		}
	}
}

// transact runs fn as a transaction of the application that touches this object.
func (o *core) transact(ctx context.Context, fn func(*part) error) error {
	for {
		m := o.where.Load()
		t, err := m.Begin(ctx, Application)
		if err != nil {
			return err
		}
		if o.where.Load() != m { // it has moved into another Model
			t.Rollback()
			continue
		}
		return t.run(o.id(), func(x *part) error {
			if x.o != o {
				return fail(InternalServerError, ObjectPath(o.id()),
					"another object with this ID has replaced the object")
			}
			return fn(x)
		})
	}
}

// add adds a new instance. No other code may hold inst.
func (o *core) add(ctx context.Context, id InstanceID, inst instance) error {
	return o.transact(ctx, func(x *part) error {
		p := ObjectPath(o.id())
		if id == reserved {
			return fail(BadRequest, p, "the instance ID 65535 is reserved")
		}
		if !o.def.Multiple && id != 0 {
			return fail(BadRequest, p.child(uint16(id)), "%s has a single instance, whose ID is 0", o.def.Name)
		}
		if x.has(id) {
			return fail(BadRequest, p.child(uint16(id)),
				"the instance exists already: use Update to change it, or AddNew to take a free ID")
		}
		x.put(id, inst)
		return nil
	})
}

// addNew adds a new instance with the lowest free ID. No other code may hold inst.
func (o *core) addNew(ctx context.Context, inst instance) (InstanceID, error) {
	var id InstanceID
	err := o.transact(ctx, func(x *part) error {
		free := x.free(0)
		if free >= reserved || !o.def.Multiple && free > 0 {
			return fail(MethodNotAllowed, ObjectPath(o.id()), "all instance IDs are taken")
		}
		id = InstanceID(free)
		x.put(id, inst)
		return nil
	})
	return id, err
}

// update lets fn change a copy of an instance.
func (o *core) update(ctx context.Context, id InstanceID, fn func(instance) error) error {
	return o.transact(ctx, func(x *part) error {
		inst, ok := x.now.get(uint16(id))
		if !ok {
			return fail(NotFound, InstancePath(o.id(), id), "the object has no such instance")
		}
		work := o.clone(inst)
		var err error
		x.t.m.within(fromUpdate, func() { err = fn(work) })
		if err != nil {
			return err
		}
		x.put(id, o.clone(work)) // fn may have kept its copy
		return nil
	})
}

// remove deletes an instance.
func (o *core) remove(ctx context.Context, id InstanceID) error {
	return o.transact(ctx, func(x *part) error {
		if !x.has(id) {
			return fail(NotFound, InstancePath(o.id(), id), "the object has no such instance")
		}
		x.drop(id)
		return nil
	})
}

// checkInstance reports what neither the application nor a Validate hook may do to an instance:
// leave out mandatory resources, or store values that the definition does not allow.
func (o *core) checkInstance(inst instance, p Path) error {
	return errors.Join(o.checkMandatory(inst, p), o.checkCells(inst, p))
}

// checkMandatory names all missing mandatory resources.
func (o *core) checkMandatory(inst instance, p Path) error {
	var missing []string
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		if !r.Mandatory {
			continue
		}
		c := o.cell(inst, ResourceID(r.ID))
		if !c.hasValue() && !(r.Ops.Executable() && c.supported()) {
			missing = append(missing, fmt.Sprintf("%s (%d)", r.Name, r.ID))
		}
	}
	if missing == nil {
		return nil
	}
	return fail(BadRequest, p, "%w: %s", ErrMandatory, strings.Join(missing, ", "))
}

// checkCells reports stored values that the definition does not allow, and live resources that
// servers may write without a Commit hook that applies the writes.
func (o *core) checkCells(inst instance, p Path) error {
	var errs []error
	for i := range o.def.Resources {
		r := &o.def.Resources[i]
		c := o.cell(inst, ResourceID(r.ID))
		if !c.supported() {
			continue
		}
		rp := p.child(r.ID)
		if err := c.check(r, rp); err != nil {
			errs = append(errs, err)
		}
		switch {
		case c.staged() && c.stream() != nil:
			errs = append(errs, fail(InternalServerError, rp, "%s is a stream: it has no value to set", r.Name))
		case !c.live() || c.stream() != nil || o.hooks.commit != nil:
		case r.Ops.Writable():
			errs = append(errs, fail(InternalServerError, rp,
				"%s is live and servers may write it: add a Commit hook that applies what they write", r.Name))
		case c.staged():
			errs = append(errs, fail(InternalServerError, rp,
				"%s is live: add a Commit hook that applies what is set, or store the value", r.Name))
		}
	}
	return errors.Join(errs...)
}

// makes reports whether fromTemplate returns an instance with a resource.
func (o *core) makes(r *registry.Resource) bool {
	return r.Mandatory || o.cell(o.template, ResourceID(r.ID)).supported()
}

// fromTemplate returns a new instance for a server: the template with all mandatory resources
// supported, filled in by the Create hook.
func (o *core) fromTemplate(ctx context.Context, id InstanceID) (instance, error) {
	inst := o.clone(o.template)
	if h := o.hooks.create; h != nil {
		if err := h(ctx, id, inst); err != nil {
			return nil, withPath(InstancePath(o.id(), id), err)
		}
	}
	for i := range o.def.Resources {
		if r := &o.def.Resources[i]; r.Mandatory {
			o.cell(inst, ResourceID(r.ID)).support()
		}
	}
	if err := o.checkCells(inst, InstancePath(o.id(), id)); err != nil {
		return nil, fail(InternalServerError, InstancePath(o.id(), id),
			"the instance made from the template is not valid: %w", err)
	}
	return o.clone(inst), nil // the Create hook may have kept its pointer
}

// serversDelete reports whether management servers may delete instances: those that they can make,
// and those that a Delete hook lets go. What the application alone makes no server could make
// again.
func (o *core) serversDelete() bool { return o.serverMade || o.hooks.remove != nil }

// limit returns how many instances the object may have when a server creates one.
func (o *core) limit() int {
	switch {
	case !o.def.Multiple:
		return 1
	case o.maxInstances == 0:
		return math.MaxUint16
	}
	return o.maxInstances
}
