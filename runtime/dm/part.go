package dm

import (
	"context"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// part is one object's share of a transaction. It does not know the Go type of the instances:
// compiling all of this once per object would make programs large and slow to build.
type part struct {
	o *core
	t *Transaction
	// base is the published instances that the transaction started from, now is what the
	// transaction made of them. Instances that are in now but not in base belong to the transaction
	// alone.
	base, now tree[instance]
	changes   []change // ascending by instance ID
	one       [1]change
	fresh     []change // instances that prepare made and insert has not added yet, ascending
	saved     *saved
	stage     stage
}

// saved is the state to which a bootstrap sequence returns when it cannot be finished yet.
type saved struct {
	now     tree[instance]
	changes []change
}

// stage is the hook that is running.
type stage uint8

const (
	stageOther stage = iota
	stageValidate
)

func (x *part) id() ObjectID { return x.o.id() }

func (x *part) definition() *registry.Object { return x.o.def }

func (x *part) has(id InstanceID) bool {
	_, ok := x.now.get(uint16(id))
	return ok
}

func (x *part) next(from uint32) (InstanceID, bool) {
	id, _, ok := x.now.next(from)
	return InstanceID(id), ok
}

func (x *part) free(from uint32) uint32 { return x.now.free(from) }

func (x *part) cell(id InstanceID, r ResourceID) Cell { return x.cells(id).get(r) }

// cells also finds prepared instances.
func (x *part) cells(id InstanceID) cells {
	if inst, ok := x.now.get(uint16(id)); ok {
		return cells{x.o, inst}
	}
	if i, ok := search(x.fresh, id); ok {
		return cells{x.o, x.fresh[i].now}
	}
	return cells{}
}

func (x *part) serversDelete() bool { return x.o.serversDelete() }

func (x *part) makes(r *registry.Resource) bool { return x.o.makes(r) }

func (x *part) commits() bool { return x.o.hooks.commit != nil }

func (x *part) path(id InstanceID) Path { return InstancePath(x.o.id(), id) }

// changeOf returns the change of an instance. It adds one if there is none yet.
func (x *part) changeOf(id InstanceID) *change {
	i, ok := search(x.changes, id)
	if !ok {
		if x.changes == nil {
			x.changes = x.one[:0]
		}
		inst, _ := x.now.get(uint16(id))
		x.changes = slices.Insert(x.changes, i, change{id: id, old: inst})
	}
	return &x.changes[i]
}

// put makes inst the instance with the given ID. No other code may hold inst.
func (x *part) put(id InstanceID, inst instance) {
	c := x.changeOf(id)
	c.now, c.byApp = inst, true
	c.whole = c.whole || c.old == nil
	x.now = x.now.put(uint16(id), inst)
}

func (x *part) drop(id InstanceID) {
	c := x.changeOf(id)
	c.now, c.written, c.index, c.emptied, c.whole = nil, nil, nil, nil, true
	x.now = x.now.remove(uint16(id))
	if c.old == nil {
		i, _ := search(x.changes, id)
		x.changes = slices.Delete(x.changes, i, i+1)
	}
}

func (x *part) checkCreate(id InstanceID) error {
	switch {
	case x.has(id):
		return fail(BadRequest, x.path(id), "the instance already exists")
	case !x.o.def.Multiple && id != 0:
		return fail(BadRequest, x.path(id), "%s has a single instance, whose ID is 0", x.o.def.Name)
	case !x.o.serverMade:
		return fail(x.t.codeOr(MethodNotAllowed), x.path(id), "servers cannot create instances of %s", x.o.def.Name)
	case x.now.n+len(x.fresh) >= x.o.limit():
		return fail(x.t.codeOr(MethodNotAllowed), x.path(id), "%s has its maximum number of instances", x.o.def.Name)
	}
	return nil
}

func (x *part) checkDelete(ctx context.Context, id InstanceID) error {
	h := x.o.hooks.remove
	if h == nil {
		return nil
	}
	var err error
	x.t.m.within(fromHook, func() { err = h(ctx, id) })
	if err != nil {
		return withPath(x.path(id), err)
	}
	return nil
}

func (x *part) prepare(ctx context.Context, id InstanceID) error {
	var inst instance
	var err error
	x.t.m.within(fromHook, func() { inst, err = x.o.fromTemplate(ctx, id) })
	if err != nil {
		return err
	}
	x.fresh = append(x.fresh, change{id: id, now: inst})
	return nil
}

func (x *part) insert() {
	for _, f := range x.fresh {
		c := x.changeOf(f.id)
		c.now, c.whole, c.complete = f.now, true, true
		x.now = x.now.put(uint16(f.id), f.now)
	}
	x.fresh = nil
}

func (x *part) discardFresh() { x.fresh = nil }

// cellForWrite returns the transaction's own cell of a resource that the operation names.
func (x *part) cellForWrite(p Path) Cell {
	c := x.changeForWrite(p.Instance())
	c.noteNamed(p)
	return x.o.cell(c.now, p.Resource())
}

// empty empties a resource that the operation does not name.
func (x *part) empty(p Path) {
	c := x.changeForWrite(p.Instance())
	c.noteEmptied(p)
	x.o.cell(c.now, p.Resource()).clear()
}

// changeForWrite returns the change of an instance, with a copy of the instance to write to.
func (x *part) changeForWrite(id InstanceID) *change {
	c := x.changeOf(id)
	if c.now == nil {
		c.now = x.o.clone(c.old)
		x.now = x.now.put(uint16(id), c.now)
	}
	return c
}

func (x *part) mustBeComplete(id InstanceID) { x.changeOf(id).complete = true }

func (x *part) begin(ctx context.Context) error { return x.run(ctx, x.o.hooks.begin) }

func (x *part) save() {
	x.saved = &saved{x.now, slices.Clone(x.changes)}
	for i := range x.saved.changes {
		x.saved.changes[i].detach()
	}
	for i := range x.changes {
		if c := &x.changes[i]; c.now != nil { // hooks work on a copy
			c.now = x.o.clone(c.now)
			x.now = x.now.put(uint16(c.id), c.now)
		}
	}
}

func (x *part) restore() {
	if x.saved != nil {
		x.now, x.changes, x.saved = x.saved.now, x.saved.changes, nil
	}
}

// run calls a hook. An error without a path gets that of the object.
func (x *part) run(ctx context.Context, hook func(context.Context, *part) error) error {
	if hook == nil {
		return nil
	}
	var err error
	x.t.m.within(fromHook, func() { err = hook(ctx, x) })
	if err != nil {
		return withPath(ObjectPath(x.o.id()), err)
	}
	return nil
}

// precheck reports changes that are refused before any Validate hook runs.
func (x *part) precheck() error {
	for i := range x.changes {
		c := &x.changes[i]
		if c.now == nil {
			continue
		}
		var err error
		switch {
		case c.byApp:
			err = x.o.checkInstance(c.now, x.path(c.id))
		case c.complete:
			err = x.o.checkMandatory(c.now, x.path(c.id))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// validate runs the hook and accepts its amendments: the amended instances are copied, because the
// hook may have kept its pointers, and checked again.
func (x *part) validate(ctx context.Context) error {
	if x.o.hooks.validate == nil {
		return nil
	}
	if err := x.runValidate(ctx); err != nil {
		return err
	}
	for i := range x.changes {
		c := &x.changes[i]
		if c.now == nil {
			continue
		}
		c.now, c.byApp = x.o.clone(c.now), true
		x.now = x.now.put(uint16(c.id), c.now)
		if err := x.o.checkInstance(c.now, x.path(c.id)); err != nil {
			return fail(InternalServerError, x.path(c.id), "after Validate: %w", err)
		}
	}
	return nil
}

func (x *part) runValidate(ctx context.Context) error {
	x.stage = stageValidate
	defer func() { x.stage = stageOther }()
	return x.run(ctx, x.o.hooks.validate)
}

func (x *part) commit(ctx context.Context) error { return x.run(ctx, x.o.hooks.commit) }

func (x *part) rollback(ctx context.Context) error { return x.run(ctx, x.o.hooks.rollback) }

func (x *part) changed(ctx context.Context) {
	if h := x.o.hooks.changed; h != nil {
		x.t.m.within(fromHook, func() { h(ctx, x) })
	}
}

func (x *part) result() *objectState {
	inst := x.now
	for i := range x.changes {
		c := &x.changes[i]
		if c.now != nil && x.staged(c) {
			published := x.o.clone(c.now)
			for j := range x.o.def.Resources {
				x.o.cell(published, ResourceID(x.o.def.Resources[j].ID)).settle()
			}
			inst = inst.put(uint16(c.id), published)
		}
	}
	return &objectState{o: x.o, inst: inst}
}

// staged reports whether a live resource of the instance may have been written.
func (x *part) staged(c *change) bool {
	if !c.byApp && !c.whole {
		return slices.ContainsFunc(c.written, func(p Path) bool { return x.o.cell(c.now, p.Resource()).live() })
	}
	for j := range x.o.def.Resources {
		if x.o.cell(c.now, ResourceID(x.o.def.Resources[j].ID)).live() {
			return true
		}
	}
	return false
}
