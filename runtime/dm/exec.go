package dm

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
)

// Exec is an executable resource: the function that a server's Execute calls. The zero value, nil,
// means that the resource is unsupported. The function runs on the loop that serves the device, so
// it must be quick; mark one that may take long with SlowExec.
//
// An Execute is not a transaction: the function changes values through Update. While a change of a
// server is being stored, Update fails on the loop with ErrBusy (5.03); in a function marked with
// SlowExec it waits.
type Exec func(ctx context.Context, args Args) error

// SlowExec marks a function that may take long: it runs on a worker instead of the loop.
func SlowExec(fn Exec) Exec {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context, args Args) error {
		if refusesSlow(ctx) {
			return ErrSlow
		}
		return fn(ctx, args)
	}
}

// errExecutable is what reading an executable returns.
var errExecutable = &Error{Code: MethodNotAllowed, Err: errors.New("an executable resource has no value")}

func (e *Exec) kind() (registry.Type, bool) { return registry.None, false }

func (e *Exec) supported() bool { return *e != nil }

func (e *Exec) hides() bool { return false }

func (e *Exec) hasValue() bool { return false }

func (e *Exec) live() bool { return false }

func (e *Exec) reporting() *Reporting { return nil }

func (e *Exec) expire() {}

func (e *Exec) staged() bool { return false }

func (e *Exec) read(context.Context, ResourceInstanceID) (Value, error) {
	return Value{}, errExecutable
}

func (e *Exec) each(context.Context, Path, Yield) error { return errExecutable }

func (e *Exec) instances(context.Context, func(ResourceInstanceID) bool) error { return nil }

func (e *Exec) support() {}

func (e *Exec) clear() {}

func (e *Exec) set(ResourceInstanceID, Value) {}

func (e *Exec) remove(ResourceInstanceID) bool { return false }

func (e *Exec) assign(from Cell) {
	if f, ok := from.(*Exec); ok {
		*e = *f
	}
}

func (e *Exec) assignOne(Cell, ResourceInstanceID) {}

func (e *Exec) settle() {}

// diff yields p if the executable was added or removed. Two functions cannot be compared.
func (e *Exec) diff(old Cell, p Path, yield func(Path)) {
	if old.supported() != e.supported() {
		yield(p)
	}
}

func (e *Exec) check(*registry.Resource, Path) error { return nil }

func (e *Exec) stream() *stream { return nil }

func (e *Exec) warn(fault) bool { return false }
