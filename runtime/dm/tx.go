package dm

import (
	"context"
	"iter"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// Tx is what the hooks of one object see of their transaction. It is valid during the hook only.
type Tx[T any] struct {
	o *TypedObject[T]
	t *Transaction
	// base is the published instances that the transaction started from, now is what it made of
	// them. Instances in now that are not in base as well belong to the transaction alone.
	base, now tree[*T]
	changes   []change[T] // ascending by instance ID
	one       [1]change[T]
	fresh     []change[T] // instances made by prepare that are not inserted yet, ascending
	saved     *saved[T]
	stage     stage
}

// saved is what a bootstrap sequence goes on with when it cannot be finished yet.
type saved[T any] struct {
	now     tree[*T]
	changes []change[T]
}

// stage is which hook is running.
type stage uint8

const (
	stageOther stage = iota
	stageValidate
)

// part is one object's part of a transaction.
type part interface {
	view
	// prepare makes an instance from the template, to be inserted later.
	prepare(context.Context, InstanceID) error
	// insert puts the prepared instances in place, and forget drops them instead.
	insert()
	forget()
	// mayCreate and mayDelete report why a server may not.
	mayCreate(InstanceID) error
	mayDelete(context.Context, InstanceID) error
	drop(InstanceID)
	// own returns a cell of the transaction's own copy of an instance, and notes that p is written.
	own(p Path) Cell
	// mustBeComplete asks for a check of mandatory resources.
	mustBeComplete(InstanceID)

	begin(context.Context) error
	// save keeps what the transaction did so far, and restore returns to it: what Validate amends
	// holds for one attempt to finish a bootstrap sequence. restore without save does nothing.
	save()
	restore()
	precheck() error
	validate(context.Context) error
	commit(context.Context) error
	rollback(context.Context) error
	changed(context.Context)
	// rebase carries the changes over to what has been published since; false where that is of
	// another object.
	rebase(objectState) bool
	// result returns the state to publish.
	result() objectState
	events(yield func(Event))
}

// Origin returns who performs the transaction.
func (x *Tx[T]) Origin() Origin { return x.t.origin }

// Changes yields what the transaction does, by ascending instance ID.
func (x *Tx[T]) Changes() iter.Seq[Change[T]] {
	return func(yield func(Change[T]) bool) {
		for i := range x.changes {
			c := &x.changes[i]
			if !yield(Change[T]{ID: c.id, Old: clone(c.old), New: x.shown(c.now), written: c.written}) {
				return
			}
		}
	}
}

// shown returns the new instance for a hook: the transaction's own while Validate may amend it, a
// copy in other hooks.
func (x *Tx[T]) shown(inst *T) *T {
	if x.stage == stageValidate {
		return inst
	}
	return clone(inst)
}

func clone[T any](v *T) *T {
	if v == nil {
		return nil
	}
	c := *v
	return &c
}

// Get returns a copy of an instance, changed or not, as the transaction leaves it.
func (x *Tx[T]) Get(id InstanceID) (T, bool) {
	inst, ok := x.now.get(uint16(id))
	if !ok {
		var zero T
		return zero, false
	}
	return *inst, true
}

// All yields copies of all instances, changed or not, as the transaction leaves them.
func (x *Tx[T]) All() iter.Seq2[InstanceID, T] {
	return func(yield func(InstanceID, T) bool) {
		for id, inst, ok := x.now.next(0); ok; id, inst, ok = x.now.next(uint32(id) + 1) {
			if !yield(InstanceID(id), *inst) {
				return
			}
		}
	}
}

func (x *Tx[T]) id() ObjectID { return x.o.ID() }

func (x *Tx[T]) definition() *registry.Object { return x.o.def }

func (x *Tx[T]) has(id InstanceID) bool {
	_, ok := x.now.get(uint16(id))
	return ok
}

func (x *Tx[T]) len() int { return x.now.n }

func (x *Tx[T]) next(from uint32) (InstanceID, bool) {
	id, _, ok := x.now.next(from)
	return InstanceID(id), ok
}

// cell finds the cells of prepared instances as well.
func (x *Tx[T]) cell(id InstanceID, r ResourceID) Cell {
	if inst, ok := x.now.get(uint16(id)); ok {
		return x.o.cellOf(inst, r)
	}
	if i, ok := search(x.fresh, id); ok {
		return x.o.cellOf(x.fresh[i].now, r)
	}
	return nil
}

func (x *Tx[T]) commits() bool { return x.o.cfg.Hooks.Commit != nil }

func (x *Tx[T]) path(id InstanceID) Path { return InstancePath(x.o.ID(), id) }

// changeOf returns the change of an instance, noting one when there is none yet.
func (x *Tx[T]) changeOf(id InstanceID) *change[T] {
	i, ok := search(x.changes, id)
	if !ok {
		if x.changes == nil {
			x.changes = x.one[:0]
		}
		inst, _ := x.now.get(uint16(id))
		x.changes = slices.Insert(x.changes, i, change[T]{id: id, old: inst})
	}
	return &x.changes[i]
}

// put makes inst, which nobody else holds, the instance with the given ID.
func (x *Tx[T]) put(id InstanceID, inst *T) {
	c := x.changeOf(id)
	c.now, c.byApp = inst, true
	c.whole = c.whole || c.old == nil
	x.now = x.now.put(uint16(id), inst)
}

func (x *Tx[T]) drop(id InstanceID) {
	c := x.changeOf(id)
	c.now, c.written, c.index, c.whole = nil, nil, nil, true
	x.now = x.now.remove(uint16(id))
	if c.old == nil {
		i, _ := search(x.changes, id)
		x.changes = slices.Delete(x.changes, i, i+1)
	}
}

func (x *Tx[T]) mayCreate(id InstanceID) error {
	switch {
	case x.has(id):
		return fail(BadRequest, x.path(id), "there is such an instance already")
	case !x.o.def.Multiple && id != 0:
		return fail(BadRequest, x.path(id), "%s has a single instance, whose ID is 0", x.o.def.Name)
	case !x.o.serverMade:
		return fail(x.t.codeOr(MethodNotAllowed), x.path(id), "servers cannot make instances of %s", x.o.def.Name)
	case x.now.n+len(x.fresh) >= x.o.limit():
		return fail(x.t.codeOr(MethodNotAllowed), x.path(id), "%s has as many instances as it may have", x.o.def.Name)
	}
	return nil
}

func (x *Tx[T]) mayDelete(ctx context.Context, id InstanceID) error {
	if h := x.o.cfg.Hooks.Delete; h != nil {
		if err := h(ctx, id); err != nil {
			return at(x.path(id), err)
		}
	}
	return nil
}

func (x *Tx[T]) prepare(ctx context.Context, id InstanceID) error {
	inst, err := x.o.fromTemplate(ctx, id)
	if err != nil {
		return err
	}
	x.fresh = append(x.fresh, change[T]{id: id, now: inst})
	return nil
}

func (x *Tx[T]) insert() {
	for _, f := range x.fresh {
		c := x.changeOf(f.id)
		c.now, c.whole, c.complete = f.now, true, true
		x.now = x.now.put(uint16(f.id), f.now)
	}
	x.fresh = nil
}

func (x *Tx[T]) forget() { x.fresh = nil }

func (x *Tx[T]) own(p Path) Cell {
	id := p.Instance()
	c := x.changeOf(id)
	if c.now == nil {
		c.now = clone(c.old)
		x.now = x.now.put(uint16(id), c.now)
	}
	c.note(p)
	return x.o.cellOf(c.now, p.Resource())
}

func (x *Tx[T]) mustBeComplete(id InstanceID) { x.changeOf(id).complete = true }

func (x *Tx[T]) begin(ctx context.Context) error { return x.run(ctx, x.o.cfg.Hooks.Begin) }

func (x *Tx[T]) save() {
	x.saved = &saved[T]{x.now, slices.Clone(x.changes)}
	for i := range x.changes {
		if c := &x.changes[i]; c.now != nil { // hooks work on a copy
			c.now = clone(c.now)
			x.now = x.now.put(uint16(c.id), c.now)
		}
	}
}

func (x *Tx[T]) restore() {
	if x.saved != nil {
		x.now, x.changes, x.saved = x.saved.now, x.saved.changes, nil
	}
}

// run calls a hook; an error without a path is about the object.
func (x *Tx[T]) run(ctx context.Context, hook func(context.Context, *Tx[T]) error) error {
	if hook == nil {
		return nil
	}
	if err := hook(ctx, x); err != nil {
		return at(ObjectPath(x.o.ID()), err)
	}
	return nil
}

// precheck reports changes that can be refused before any Validate hook runs.
func (x *Tx[T]) precheck() error {
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

// validate runs the hook and takes over what it amended: the amended instances are copied, since the
// hook may have kept its pointers, and checked once more.
func (x *Tx[T]) validate(ctx context.Context) error {
	if x.o.cfg.Hooks.Validate == nil {
		return nil
	}
	x.stage = stageValidate
	err := x.run(ctx, x.o.cfg.Hooks.Validate)
	x.stage = stageOther
	if err != nil {
		return err
	}
	for i := range x.changes {
		c := &x.changes[i]
		if c.now == nil {
			continue
		}
		c.now, c.byApp = clone(c.now), true
		x.now = x.now.put(uint16(c.id), c.now)
		if err := x.o.checkInstance(c.now, x.path(c.id)); err != nil {
			return fail(InternalServerError, x.path(c.id), "after Validate: %w", err)
		}
	}
	return nil
}

func (x *Tx[T]) commit(ctx context.Context) error { return x.run(ctx, x.o.cfg.Hooks.Commit) }

func (x *Tx[T]) rollback(ctx context.Context) error { return x.run(ctx, x.o.cfg.Hooks.Rollback) }

func (x *Tx[T]) changed(ctx context.Context) {
	if h := x.o.cfg.Hooks.Changed; h != nil {
		h(ctx, x)
	}
}

func (x *Tx[T]) result() objectState {
	inst := x.now
	for i := range x.changes {
		c := &x.changes[i]
		if c.now != nil && x.staged(c) {
			published := clone(c.now)
			for j := range x.o.def.Resources {
				x.o.cellOf(published, ResourceID(x.o.def.Resources[j].ID)).settle()
			}
			inst = inst.put(uint16(c.id), published)
		}
	}
	return &typedState[T]{o: x.o, inst: inst}
}

// staged reports whether a live resource of the instance was written.
func (x *Tx[T]) staged(c *change[T]) bool {
	if !c.byApp && !c.whole {
		return slices.ContainsFunc(c.written, func(p Path) bool { return x.o.cellOf(c.now, p.Resource()).live() })
	}
	for j := range x.o.def.Resources {
		if x.o.cellOf(c.now, ResourceID(x.o.def.Resources[j].ID)).live() {
			return true
		}
	}
	return false
}
