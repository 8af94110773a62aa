package manage

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Panics of user code: of hooks, functions, streams and the store. One rule holds on the loop and
// on workers. Whatever user code does, the writer slot is released, the request is answered 5.00
// and what has been counted is uncounted. Then the panic continues, or is logged where
// Config.RecoverPanics says so. A panic on a worker passes to the loop first, so that a program
// that recovers around its loop sees every panic there.

// errPanic is the outcome of user code that has panicked, or has ended its goroutine.
var errPanic = errors.New("user code has panicked, or has called runtime.Goexit")

// guard calls fn, which calls user code, on the loop. Where fn does not return, guard calls failed.
func (c *Config) guard(fn, failed func()) {
	returned := false
	defer func() { // last, so that a panic of failed is recovered, too
		if returned || !c.RecoverPanics {
			return
		}
		if v := recover(); v != nil {
			c.logPanic(v, debug.Stack())
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

// guardStream calls fn, which calls user code, from inside the transfer of a payload, which ends
// with an error before the panic continues. Where fn does not return, guardStream calls failed.
func (c *Config) guardStream(fn, failed func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p := &raised{v, debug.Stack()}
			c.Sched.Post(func() { c.raise(p) })
		}
		failed()
	}()
	fn()
	returned = true
}

func (c *Config) logPanic(v any, stack []byte) {
	c.Logger.Error("user code has panicked", "panic", fmt.Sprint(v), "stack", string(stack))
}

// raised is a panic that passes from where user code runs, such as a worker, to the loop.
type raised struct {
	value any
	stack []byte
}

// Error returns the panic with the stack of the user code.
func (p *raised) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Unwrap returns the value of the panic where it is an error.
func (p *raised) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// raise continues a panic on the loop, or logs it. A nil p is none.
func (c *Config) raise(p *raised) {
	switch {
	case p == nil:
	case c.RecoverPanics:
		c.logPanic(p.value, p.stack)
	default:
		panic(p)
	}
}

// onWorker calls fn, which calls user code that the server waits for, on a worker, and then done on
// the loop. Where fn does not return, done gets errPanic.
func (p *Peer) onWorker(fn func() error, done func(error)) {
	c := &p.m.cfg
	c.Worker(p.cfg.ShortServerID, func() {
		c.observe(fn, func(err error, p *raised) {
			c.Sched.Post(func() {
				defer c.raise(p)
				done(err)
			})
		})
	})
}

// observe calls fn on a worker, and then done, also where fn does not return.
func (c *Config) observe(fn func() error, done func(error, *raised)) {
	err, returned := errPanic, false
	defer func() {
		if returned {
			done(err, nil)
			return
		}
		var p *raised
		if v := recover(); v != nil { // otherwise user code ends the goroutine
			p = &raised{v, debug.Stack()}
		}
		done(errPanic, p)
	}()
	err = fn()
	returned = true
}
