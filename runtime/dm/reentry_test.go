package dm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// testKey is a context key.
type testKey struct{}

// place is a function of the program that runs while its transaction holds the writer slot.
type place struct {
	name   string
	advice string // part of the error for a write from there
}

var places = []place{
	{"Begin", "a hook must not write"}, {"Create", "a hook must not write"}, {"Delete", "a hook must not write"},
	{"Validate", "a hook must not write"}, {"Commit", "a hook must not write"}, {"Rollback", "a hook must not write"},
	{"Changed", "a hook must not write"}, {"Persist", "Persist must not write"},
	{"Subscribe", "a function of Subscribe must not write"}, {"the function of Update", "the function of an Update"},
	{"opening a Sink", "a Sink must not write"}, {"Sink.Write", "a Sink must not write"},
	{"Sink.Commit", "a Sink must not write"}, {"Sink.Abort", "a Sink must not write"},
}

// reentrant is a device on which the function of one place calls try.
type reentrant struct {
	m     *dm.Model
	o     *dm.TypedObject[meter]
	place string
	try   func(ctx context.Context) // ctx is nil if the place receives none
	calls int
}

func (r *reentrant) at(place string, ctx context.Context) error {
	if r.try != nil && r.place == place {
		r.calls++
		r.try(ctx)
	}
	if r.place == "Rollback" && place == "Commit" || r.place == "Sink.Abort" && place == "Sink.Commit" {
		return errors.New("boom")
	}
	return nil
}

type reentrantSink struct{ r *reentrant }

func (s reentrantSink) Write(b []byte) (int, error)      { return len(b), s.r.at("Sink.Write", nil) }
func (s reentrantSink) Commit(ctx context.Context) error { return s.r.at("Sink.Commit", ctx) }
func (s reentrantSink) Abort()                           { _ = s.r.at("Sink.Abort", nil) }

func newReentrant(t *testing.T) *reentrant {
	t.Helper()
	r := &reentrant{}
	hook := func(place string) func(context.Context, *dm.Tx[meter]) error {
		return func(ctx context.Context, _ *dm.Tx[meter]) error { return r.at(place, ctx) }
	}
	image := dm.SinkFunc(func(ctx context.Context) (dm.Sink, error) { return reentrantSink{r}, r.at("opening a Sink", ctx) })
	r.o = newMeters(t, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(1), Mode: dm.Int(1)},
		Hooks: dm.Hooks[meter]{
			Begin: hook("Begin"), Validate: hook("Validate"), Commit: hook("Commit"), Rollback: hook("Rollback"),
			Changed: func(ctx context.Context, _ *dm.Tx[meter]) { _ = r.at("Changed", ctx) },
			Create:  func(ctx context.Context, _ dm.InstanceID, _ *meter) error { return r.at("Create", ctx) },
			Delete:  func(ctx context.Context, _ dm.InstanceID) error { return r.at("Delete", ctx) },
		},
	})
	for id := range dm.InstanceID(2) {
		inst := fullMeter()
		inst.Image = image
		if err := r.o.Add(id, inst); err != nil {
			t.Fatal(err)
		}
	}
	r.m = newModel(t, dm.ModelConfig{Persist: func(ctx context.Context, _ dm.Committed) error { return r.at("Persist", ctx) }}, r.o)
	t.Cleanup(r.m.Subscribe(func(dm.Batch) { _ = r.at("Subscribe", nil) }))
	return r
}

// visit makes the function of the place call try.
func (r *reentrant) visit(t *testing.T, place string, try func(context.Context)) {
	t.Helper()
	r.place, r.try, r.calls = place, try, 0
	var err error
	switch place {
	case "Create":
		err = create(r.m, dm.Server(1), meterID, []dm.InstanceID{7})
	case "Delete":
		err = del(r.m, dm.Server(1), dm.InstancePath(meterID, 1))
	case "opening a Sink", "Sink.Write", "Sink.Commit", "Sink.Abort":
		err = write(r.m, dm.Server(1), path(t, "/33001/0/6"), dm.Replace, image(t, meterID, "abc"))
	default:
		err = r.o.Update(t.Context(), 0, func(m *meter) error {
			m.Level.Set(m.Level.Or(0) + 1)
			return r.at("the function of Update", nil)
		})
	}
	if fails := place == "Rollback" || place == "Sink.Abort"; (err != nil) != fails {
		t.Errorf("%s: %v", place, err)
	}
	if r.calls != 1 {
		t.Errorf("%s: called %d times", place, r.calls)
	}
}

// A write from inside of a function that runs under the writer slot would wait for itself. It is
// refused at once, with or without the context of the function. Only a Changed hook may write, with
// its context.
func TestWritesFromInsideATransaction(t *testing.T) {
	for _, p := range places {
		for _, own := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				r := newReentrant(t)
				began := time.Now()
				r.visit(t, p.name, func(ctx context.Context) {
					r.try = nil
					if !own {
						ctx = context.Background()
					} else if ctx == nil {
						return // there is no context
					}
					writes := r.writes(t, ctx)
					for what, err := range writes {
						if mayWrite := p.name == "Changed" && own && what != "Register" && what != "Unregister" && what != "Add"; mayWrite {
							if err != nil {
								t.Errorf("%s in %s with the hook's context: %v", what, p.name, err)
							}
							continue
						}
						if !errors.Is(err, dm.ErrInTransaction) {
							t.Errorf("%s in %s, with its context %t: %v", what, p.name, own, err)
						} else if !own && !strings.Contains(err.Error(), p.advice) {
							t.Errorf("%s in %s: the advice is %q", what, p.name, err)
						}
					}
				})
				if waited := time.Since(began); waited != 0 {
					t.Errorf("%s waited for %v", p.name, waited)
				}
				if err := r.o.Update(t.Context(), 0, func(m *meter) error { m.Goal.Set(3); return nil }); err != nil && r.place != "Rollback" {
					t.Errorf("after %s: %v", p.name, err)
				}
			})
		}
	}
}

// writes calls every method that writes.
func (r *reentrant) writes(t *testing.T, ctx context.Context) map[string]error {
	within, cancel := context.WithCancel(context.WithValue(ctx, testKey{}, 1))
	defer cancel()
	begin := func(who dm.Origin) error {
		tx, err := r.m.Begin(ctx, who)
		if err == nil {
			tx.Rollback()
		}
		return err
	}
	if tx, ok := r.m.TryBegin(ctx, dm.Server(1)); ok {
		t.Error("TryBegin got a transaction")
		tx.Rollback()
	}
	return map[string]error{
		"Update":            r.o.Update(ctx, 0, func(m *meter) error { m.Goal.Set(1); return nil }),
		"a derived context": r.o.Update(within, 0, func(m *meter) error { m.Goal.Set(2); return nil }),
		"AddContext":        r.o.AddContext(ctx, 8, fullMeter()),
		"Remove":            r.o.Remove(ctx, 8),
		"Begin":             begin(dm.Application),
		"Add":               r.o.Add(9, fullMeter()), // with a context of its own
		"Register":          r.m.Register(ctx, newPanels(t, dm.ObjectConfig[panel]{})),
		"Unregister":        r.m.Unregister(ctx, meterID),
	}
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
