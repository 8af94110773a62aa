package lwm2m

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// errPanic is the outcome of user code that has panicked, or has ended its goroutine.
var errPanic = errors.New("user code has panicked, or has called runtime.Goexit")

// guard calls fn, which calls user code, in the middle of a decision or on a goroutine of the
// client. A panic of fn does not keep the decision from being executed: it is logged if
// Config.RecoverPanics says so, and otherwise continues on the loop afterwards. guard reports
// whether fn has returned.
func (c *Client) guard(name string, fn func()) (returned bool) {
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit, which nothing can stop
			return
		}
		stack := debug.Stack()
		if c.cfg.RecoverPanics {
			c.log.Error("user code has panicked", "function", name, "panic", fmt.Sprint(v), "stack", string(stack))
			return
		}
		c.loop.sched.Post(func() { panic(fmt.Sprintf("lwm2m: %s: %v\n\n%s", name, v, stack)) })
	}()
	fn()
	return true
}
