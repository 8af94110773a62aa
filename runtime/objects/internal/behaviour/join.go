// Package hooks joins the hooks of a standard object with those of the program.
package hooks

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Join returns hooks that run those of an object's behaviour and those of the program: the
// behaviour first, and in Rollback last. After an error of the first the second does not run, except
// in Rollback.
func Join[T any](behaviour, program dm.Hooks[T]) dm.Hooks[T] {
	h := dm.Hooks[T]{
		Begin:    inOrder(behaviour.Begin, program.Begin),
		Validate: inOrder(behaviour.Validate, program.Validate),
		Commit:   inOrder(behaviour.Commit, program.Commit),
		Rollback: both(program.Rollback, behaviour.Rollback),
		Changed:  behaviour.Changed,
		Create:   behaviour.Create,
		Delete:   behaviour.Delete,
	}
	if first, second := behaviour.Changed, program.Changed; second != nil {
		h.Changed = func(ctx context.Context, tx *dm.Tx[T]) {
			if first != nil {
				first(ctx, tx)
			}
			second(ctx, tx)
		}
	}
	if first, second := behaviour.Create, program.Create; second != nil {
		h.Create = func(ctx context.Context, id dm.InstanceID, inst *T) error {
			if first != nil {
				if err := first(ctx, id, inst); err != nil {
					return err
				}
			}
			return second(ctx, id, inst)
		}
	}
	if first, second := behaviour.Delete, program.Delete; second != nil {
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
