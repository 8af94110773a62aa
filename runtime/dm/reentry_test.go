package dm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// testKey is a context key.
type testKey struct{}

// A write from inside a hook with the hook's context is refused at once, by every method that could
// wait.
func TestWritesFromHooks(t *testing.T) {
	other := newPanels(t, dm.ObjectConfig[panel]{})
	var o *dm.TypedObject[meter]
	var m *dm.Model
	calls := 0
	try := func(ctx context.Context) {
		calls++
		if _, err := m.Begin(ctx, dm.Server(1)); !errors.Is(err, dm.ErrInTransaction) {
			t.Errorf("Begin: %v", err)
		}
		if tx, ok := m.TryBegin(ctx, dm.Server(1)); ok {
			t.Error("TryBegin got a transaction")
			tx.Rollback()
		}
		within, cancel := context.WithCancel(context.WithValue(ctx, testKey{}, 1))
		defer cancel()
		for what, err := range map[string]error{
			"Update":            o.Update(ctx, 0, func(*meter) error { return nil }),
			"a derived context": o.Update(within, 0, func(*meter) error { return nil }),
			"AddContext":        o.AddContext(ctx, 7, fullMeter()),
			"Remove":            o.Remove(ctx, 0),
			"Register":          m.Register(ctx, other),
			"Unregister":        m.Unregister(ctx, meterID),
		} {
			if !errors.Is(err, dm.ErrInTransaction) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if m.Snapshot().Has(dm.InstancePath(meterID, 7)) { // reads work
			t.Error("there is an instance 7")
		}
	}
	hook := func(ctx context.Context, _ *dm.Tx[meter]) error { try(ctx); return nil }
	failCommit := false
	o = newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1)},
		Hooks: dm.Hooks[meter]{
			Begin: hook, Validate: hook, Rollback: hook,
			Commit: func(ctx context.Context, _ *dm.Tx[meter]) error {
				try(ctx)
				if failCommit {
					return errors.New("boom")
				}
				return nil
			},
			Changed: func(ctx context.Context, _ *dm.Tx[meter]) { try(ctx) },
			Create:  func(ctx context.Context, _ dm.InstanceID, _ *meter) error { try(ctx); return nil },
			Delete:  func(ctx context.Context, _ dm.InstanceID) error { try(ctx); return nil },
		}})
	m = newModel(t, dm.ModelConfig{Persist: func(ctx context.Context, _ dm.Committed) error { try(ctx); return nil }}, o)
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{0, 1}); err != nil {
		t.Fatal(err)
	}
	if err := del(m, dm.Server(1), dm.InstancePath(meterID, 1)); err != nil {
		t.Fatal(err)
	}
	failCommit = true
	if err := o.Update(t.Context(), 0, func(m *meter) error { m.Level.Set(2); return nil }); err == nil {
		t.Error("Commit fails and Update does not")
	}
	if want := 7 + 6 + 4; calls != want {
		t.Errorf("%d hooks were called, want %d", calls, want)
	}
}

// The function of an Update receives no context, so a write inside of it waits for itself, but not
// for ever.
func TestWritesFromUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newMeters(t, dm.ObjectConfig[meter]{})
		if err := o.Add(0, fullMeter()); err != nil {
			t.Fatal(err)
		}
		var inner error
		err := o.Update(t.Context(), 0, func(m *meter) error {
			m.Level.Set(1)
			inner = o.Update(t.Context(), 0, func(m *meter) error { m.Level.Set(2); return nil })
			return nil
		})
		if !errors.Is(inner, dm.ErrBusy) || !strings.Contains(inner.Error(), "from inside the function of an Update") {
			t.Errorf("the inner Update: %v", inner)
		}
		if got, _ := o.Get(0); err != nil || got.Level.Or(0) != 1 {
			t.Errorf("the outer Update: %v, %v", err, got.Level)
		}
	})
}

// A context that outlives its hook is an ordinary context.
func TestContextsOutliveHooks(t *testing.T) {
	var kept context.Context
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{
		Commit: func(ctx context.Context, _ *dm.Tx[meter]) error { kept = ctx; return nil },
	}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := write(m, dm.Server(8), path(t, "/33001/0/9"), dm.Replace, entries(t, "/33001/0/9", 5)...); err != nil {
		t.Fatal(err)
	}
	ctx := kept
	if err := o.Update(ctx, 0, func(m *meter) error { m.Level.Set(1); return nil }); err != nil {
		t.Errorf("an Update with a context that a hook kept: %v", err)
	}
	if _, ok := dm.SnapshotFrom(ctx); ok {
		t.Error("a transaction that is over has a snapshot")
	}
	if got := dm.OriginFrom(ctx); got != dm.Server(8) {
		t.Errorf("the origin became %v", got)
	}
	if _, ok := dm.SnapshotFrom(context.Background()); ok {
		t.Error("there is a snapshot without a transaction")
	}
}

// The hooks of one Model may write to another. A write from there back to the first Model is still
// refused.
func TestHooksAcrossModels(t *testing.T) {
	var a, b *dm.TypedObject[meter]
	var inner error
	a = newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Commit: func(ctx context.Context, _ *dm.Tx[meter]) error {
		return b.Update(ctx, 0, func(m *meter) error { m.Level.Set(2); return nil })
	}}})
	b = newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Validate: func(ctx context.Context, _ *dm.Tx[meter]) error {
		if a != nil && a.Len() > 0 {
			inner = a.Update(ctx, 0, func(*meter) error { return nil })
		}
		return nil
	}}})
	if err := b.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := a.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	newModel(t, dm.ModelConfig{}, a)
	newModel(t, dm.ModelConfig{}, b)
	if err := a.Update(t.Context(), 0, func(m *meter) error { m.Level.Set(3); return nil }); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, dm.ErrInTransaction) {
		t.Errorf("writing back to the first model: %v", inner)
	}
	if got, _ := b.Get(0); got.Level.Or(0) != 2 {
		t.Errorf("the other model has %v", got.Level)
	}
}
