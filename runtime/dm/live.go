package dm

import (
	"context"
	"sync/atomic"
)

type refuseSlowKey struct{}

// RefuseSlow returns a context under which functions marked as slow (Slow, SlowMulti, SlowExec) are
// not called: reading or executing them fails with ErrSlow. A protocol engine's loop uses it, and
// repeats with an ordinary context on a worker what failed so.
func RefuseSlow(ctx context.Context) context.Context {
	return context.WithValue(ctx, refuseSlowKey{}, true)
}

func refusesSlow(ctx context.Context) bool {
	return ctx.Value(refuseSlowKey{}) != nil
}

// fault is what can be wrong with a live value.
type fault uint32

const (
	outOfRange fault = 1 << iota
	noNumber
)

// warning remembers the faults that have been logged.
type warning struct{ said atomic.Uint32 }

// first reports whether it is called for the first time with a fault.
func (w *warning) first(f fault) bool { return w.said.Or(uint32(f))&uint32(f) == 0 }
