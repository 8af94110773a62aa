package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// ErrPanic is the outcome of user code that has panicked, or has ended its goroutine.
var ErrPanic = errors.New("user code has panicked, or has called runtime.Goexit")

// Guard handles panics of user code: of hooks, functions, streams and the store. One rule holds on
// the loop and on workers. Whatever user code does, the writer slot is released, the request is
// answered 5.00 and what has been counted is uncounted. Then the panic continues, or is logged
// where Recover says so. A panic on a worker passes to the loop first, so that a program that
// recovers around its loop sees every panic there.
type Guard struct {
	// Sched is the scheduler of the loop. Required.
	Sched *sched.Scheduler
	// Logger receives panics that do not continue. Required.
	Logger *slog.Logger
	// Recover logs a panic (Error, with its stack). The zero value means that the panic continues
	// on the loop.
	Recover bool
}

// Do calls fn, which calls user code, on the loop. Where fn does not return, Do calls failed.
func (g *Guard) Do(fn, failed func()) {
	returned := false
	defer func() { // last, so that a panic of failed is recovered, too
		if returned || !g.Recover {
			return
		}
		if v := recover(); v != nil {
			g.log(v, debug.Stack())
		}
	}()
	defer func() {
		if !returned {
			failed()
		}
	}()
	fn()
	returned = true
}

// DoInTransfer calls fn, which calls user code, from inside the transfer of a payload, which ends
// with an error before the panic continues. Where fn does not return, DoInTransfer calls failed.
func (g *Guard) DoInTransfer(fn, failed func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p := &Panic{v, debug.Stack()}
			guard := *g
			g.Sched.Post(func() { guard.Raise(p) })
		}
		failed()
	}()
	fn()
	returned = true
}

func (g *Guard) log(v any, stack []byte) {
	g.Logger.Error("user code has panicked", "panic", fmt.Sprint(v), "stack", string(stack))
}

// Raise continues a panic on the loop, or logs it. A nil p is none.
func (g *Guard) Raise(p *Panic) {
	switch {
	case p == nil:
	case g.Recover:
		g.log(p.value, p.stack)
	default:
		panic(p)
	}
}

// Panic is a panic that passes from where user code runs, such as a worker, to the loop.
type Panic struct {
	value any
	stack []byte
}

// Error returns the panic with the stack of the user code.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Unwrap returns the value of the panic where it is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// Observe calls fn, which calls user code, on a worker, and then done, also where fn does not
// return: then done gets ErrPanic and the panic, for Raise on the loop.
func Observe(fn func() error, done func(error, *Panic)) {
	err, returned := ErrPanic, false
	defer func() {
		if returned {
			done(err, nil)
			return
		}
		var p *Panic
		if v := recover(); v != nil { // otherwise user code ends the goroutine
			p = &Panic{v, debug.Stack()}
		}
		done(ErrPanic, p)
	}()
	err = fn()
	returned = true
}
