package dm

import (
	"context"
	"sync/atomic"
)

type originKey struct{}

// WithOrigin returns a context that tells functions and executables who asks.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom returns who asks; it is for functions, executables and hooks, with the context that
// they receive. A context that does not say is the application's.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// txContext is the context that hooks receive: it knows its transaction. A hook may keep it, so each
// time that a transaction holds the slot has one of its own, which is past when the slot is given away.
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

// SnapshotFrom returns what a hook's transaction makes of the whole Model, for checks across objects.
// An object that no Model has taken yet is alone in it. It returns false where ctx is not that of a hook, or the hook is over.
func SnapshotFrom(ctx context.Context) (Snapshot, bool) {
	c, ok := ctx.Value(txKey{}).(*txContext)
	if !ok || c.past.Load() {
		return Snapshot{}, false
	}
	return c.t.Snapshot(), true
}

// inside reports whether ctx is that of a hook of m, be it that a hook of another Model lies between.
func inside(ctx context.Context, m *Model) bool {
	for {
		c, ok := ctx.Value(txKey{}).(*txContext)
		if !ok {
			return false
		}
		if c.t.m == m && !c.past.Load() {
			return true
		}
		ctx = c.Context
	}
}

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
