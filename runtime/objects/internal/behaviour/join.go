// Package behaviour is what the standard objects with behaviour have in common.
package behaviour

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Join returns hooks that run those of an object and those of the program: the object's first, and
// in Rollback last. After an error of the first the second does not run, except in Rollback.
func Join[T any](object, program dm.Hooks[T]) dm.Hooks[T] {
	h := dm.Hooks[T]{
		Begin:    inOrder(object.Begin, program.Begin),
		Validate: inOrder(object.Validate, program.Validate),
		Commit:   inOrder(object.Commit, program.Commit),
		Rollback: both(program.Rollback, object.Rollback),
		Changed:  object.Changed,
		Create:   object.Create,
		Delete:   object.Delete,
	}
	if first, second := object.Changed, program.Changed; second != nil {
		h.Changed = func(ctx context.Context, tx *dm.Tx[T]) {
			if first != nil {
				first(ctx, tx)
			}
			second(ctx, tx)
		}
	}
	if first, second := object.Create, program.Create; second != nil {
		h.Create = func(ctx context.Context, id dm.InstanceID, inst *T) error {
			if first != nil {
				if err := first(ctx, id, inst); err != nil {
					return err
				}
			}
			return second(ctx, id, inst)
		}
	}
	if first, second := object.Delete, program.Delete; second != nil {
		h.Delete = func(ctx context.Context, id dm.InstanceID) error {
			if first != nil {
				if err := first(ctx, id); err != nil {
					return err
				}
			}
			return second(ctx, id)
		}
	}
	return h
}

type hook[T any] = func(context.Context, *dm.Tx[T]) error

func inOrder[T any](first, second hook[T]) hook[T] {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, tx *dm.Tx[T]) error {
		if err := first(ctx, tx); err != nil {
			return err
		}
		return second(ctx, tx)
	}
}

func both[T any](first, second hook[T]) hook[T] {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context, tx *dm.Tx[T]) error {
		return errors.Join(first(ctx, tx), second(ctx, tx))
	}
}

// Single adds the only instance to an object that the New function of a generated package has
// returned.
func Single[T any](o *dm.TypedObject[T], err error, inst T) (*dm.TypedObject[T], error) {
	if err != nil {
		return nil, err
	}
	if err := o.Add(0, inst); err != nil {
		return nil, err
	}
	return o, nil
}

// RefuseDelete is the Delete hook of an object with an instance for each component of the device.
func RefuseDelete(context.Context, dm.InstanceID) error {
	return dm.Errorf(dm.MethodNotAllowed, "the components of the device are fixed")
}

// Unknown returns a cell that never has a value, for a mandatory resource.
func Unknown[T dm.DataType]() dm.Res[T] {
	return dm.Func(func(context.Context) (v T, err error) { return v, dm.ErrNoValue })
}
