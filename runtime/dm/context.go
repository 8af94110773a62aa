package dm

import (
	"context"
	"sync/atomic"
)

type originKey struct{}

// WithOrigin returns a context that carries who asks, for functions and executables. It is for
// runtimes.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns who asks. Call it with the context that a function, an executable or a hook
// receives. A context without an origin means the application.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// txContext is the context that hooks receive. It refers to its transaction. A hook may keep it, so
// each period in which a transaction holds the writer slot has its own txContext, which becomes
// past when the slot is released.
type txContext struct {
	context.Context
	t    *Transaction
	past atomic.Bool
}

type txKey struct{}

func (c *txContext) Value(key any) any {
	switch key.(type) {
	case txKey:
		return c
	case originKey:
		return c.t.origin
	}
	return c.Context.Value(key)
}

// SnapshotFrom returns the whole Model as the hook's transaction leaves it, for checks across
// objects. An object that is not part of a Model yet sees only itself. SnapshotFrom returns false
// if ctx is not the context of a hook, or if the hook has returned.
func SnapshotFrom(ctx context.Context) (Snapshot, bool) {
	c, ok := ctx.Value(txKey{}).(*txContext)
	if !ok || c.past.Load() {
		return Snapshot{}, false
	}
	return c.t.Snapshot(), true
}

// hookOf returns the transaction of m to whose hook ctx belongs, or nil if there is none. Hooks of
// other Models may lie between.
func hookOf(ctx context.Context, m *Model) *Transaction {
	for {
		c, ok := ctx.Value(txKey{}).(*txContext)
		if !ok {
			return nil
		}
		if c.t.m == m && !c.past.Load() {
			return c.t
		}
		ctx = c.Context
	}
}

type refuseSlowKey struct{}

// RefuseSlow returns a context under which functions marked with Slow, SlowMulti or SlowExec are
// not called: reading or executing them fails with ErrSlow. It is for runtimes: their loop uses it
// and repeats a read or Execute that failed with ErrSlow on a worker, with an ordinary context.
func RefuseSlow(ctx context.Context) context.Context {
	return context.WithValue(ctx, refuseSlowKey{}, true)
}

func refusesSlow(ctx context.Context) bool {
	return ctx.Value(refuseSlowKey{}) != nil
}
