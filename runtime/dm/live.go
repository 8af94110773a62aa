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

// warning remembers that something has been said once.
type warning struct{ said atomic.Bool }

// first reports whether it is called for the first time.
func (w *warning) first() bool { return !w.said.Swap(true) }
