package dm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// twins is a Model of three objects. Every operation of the test keeps one invariant: all objects
// have the same instances, and all instances hold the same number.
type twins struct {
	m       *dm.Model
	objects []*dm.TypedObject[meter]
	mayFail atomic.Bool // hooks of the last object refuse
}

var errRefused = errors.New("refused")

func newTwins(t *testing.T) *twins {
	t.Helper()
	w := &twins{}
	var all []dm.Object
	for n := range 3 {
		def := meterDefinition
		def.ID += uint16(n)
		refuse := func(context.Context, *dm.Tx[meter]) error {
			if n == 2 && w.mayFail.Load() {
				return errRefused
			}
			return nil
		}
		o, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{
			Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Big: dm.Uint(0), Counts: dm.Ints(0)},
			Hooks:    dm.Hooks[meter]{Validate: refuse, Commit: refuse},
		})
		if err != nil {
			t.Fatal(err)
		}
		inst := fullMeter()
		inst.Big = dm.Uint(0)
		inst.Counts = dm.Ints(0)
		for id := range dm.InstanceID(4) {
			if err := o.Add(id, inst); err != nil {
				t.Fatal(err)
			}
		}
		w.objects = append(w.objects, o)
		all = append(all, o)
	}
	w.m = newModel(t, dm.ModelConfig{}, all...)
	return w
}

// numbers returns the payload that sets every number to v.
func (w *twins) numbers(s dm.Snapshot, v uint64) []dm.Entry {
	var list []dm.Entry
	for _, o := range w.objects {
		for id := range s.Instances(o.ID()) {
			list = append(list, dm.Entry{Path: dm.ResourcePath(o.ID(), id, bigID), Value: dm.UnsignedValue(v)})
		}
	}
	return list
}

// act performs one random operation that keeps the invariant, or that is refused.
func (w *twins) act(r *rand.Rand, who dm.Origin) error {
	return do(w.m, who, func(tx *dm.Transaction) error {
		s := tx.Snapshot()
		switch r.IntN(4) {
		case 0: // create an instance in each object
			id, err := tx.NewInstanceID(w.objects[0].ID(), dm.InstanceID(r.IntN(200)))
			if err != nil {
				return err
			}
			for _, o := range w.objects {
				if err := tx.Create(o.ID(), []dm.InstanceID{id}, nil); err != nil {
					return err
				}
			}
			return tx.Write(dm.Path{}, dm.Update, w.numbers(tx.Snapshot(), r.Uint64()))
		case 1: // delete an instance in each object
			skip := r.IntN(3)
			for id := range s.Instances(w.objects[0].ID()) {
				if skip--; skip >= 0 {
					continue
				}
				for _, o := range w.objects {
					if err := tx.Delete(dm.InstancePath(o.ID(), id)); err != nil {
						return err
					}
				}
				break
			}
			return nil
		case 2: // write to the objects in turn, in one transaction
			v := r.Uint64()
			for _, e := range w.numbers(s, v) {
				if err := tx.Write(e.Path, dm.Replace, []dm.Entry{e}); err != nil {
					return err
				}
			}
			return nil
		}
		return tx.Write(dm.Path{}, dm.Update, w.numbers(s, r.Uint64()))
	})
}

// check reads everything in one snapshot and reports a violation of the invariant.
func (w *twins) check(s dm.Snapshot) error {
	seen := map[dm.ObjectID]string{}
	number, first := uint64(0), true
	err := s.Read(context.Background(), dm.Application, dm.Path{}, func(p dm.Path, v dm.Value) error {
		if p.Resource() != bigID {
			return nil
		}
		seen[p.Object()] += fmt.Sprint(p.Instance(), " ")
		if n := v.Unsigned(); first {
			number, first = n, false
		} else if n != number {
			return fmt.Errorf("%v holds %d, others %d", p, n, number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	a, b, c := seen[w.objects[0].ID()], seen[w.objects[1].ID()], seen[w.objects[2].ID()]
	if a != b || b != c {
		return fmt.Errorf("the instances are %s/ %s/ %s", a, b, c)
	}
	return nil
}

// glance is a quick check that runs between as many steps of a writer as possible: the first
// instances hold the same number.
func (w *twins) glance(s dm.Snapshot) error {
	number := uint64(0)
	for n, o := range w.objects {
		for id := range s.Instances(o.ID()) {
			v, err := s.Value(context.Background(), dm.Application, dm.ResourcePath(o.ID(), id, bigID))
			if err != nil {
				return err
			}
			if n == 0 {
				number = v.Unsigned()
			} else if v.Unsigned() != number {
				return fmt.Errorf("object %d holds %d, the first %d", o.ID(), v.Unsigned(), number)
			}
			break
		}
	}
	return nil
}

// A read over several objects never sees a part of a write over several objects. In the meantime
// there are other servers, refused transactions, updates of the application and bootstrap
// sequences.
func TestReadsNeverSeeHalfAWrite(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 60
	}
	for seed := range uint64(3) {
		w := newTwins(t)
		var writers, readers sync.WaitGroup
		var stop atomic.Bool
		var refused, done atomic.Int64
		for n := range dm.ShortServerID(2) {
			writers.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(n)))
				for range rounds {
					w.mayFail.Store(r.IntN(3) == 0)
					switch err := w.act(r, dm.Server(n)); {
					case errors.Is(err, errRefused):
						refused.Add(1)
					case err != nil:
						t.Errorf("seed %d: %v", seed, err)
					default:
						done.Add(1)
					}
				}
			})
		}
		writers.Go(func() { // the application, which writes other resources
			r := rand.New(rand.NewPCG(seed, 77))
			for range rounds {
				err := w.objects[r.IntN(2)].Update(t.Context(), dm.InstanceID(r.IntN(4)), func(m *meter) error {
					m.Level.Set(float64(r.IntN(100)))
					m.Counts.Set(dm.ResourceInstanceID(r.IntN(50)), 1)
					return nil
				})
				if err != nil && !errors.Is(err, dm.NotFound) {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
		for _, check := range []func(dm.Snapshot) error{w.check, w.glance, w.glance} {
			readers.Go(func() {
				for !stop.Load() {
					s := w.m.Snapshot()
					for range 2 { // the same snapshot, read again
						if err := check(s); err != nil {
							t.Errorf("seed %d: %v", seed, err)
							return
						}
					}
				}
			})
		}
		writers.Wait()
		stop.Store(true)
		readers.Wait()
		if err := w.check(w.m.Snapshot()); err != nil || refused.Load() == 0 || done.Load() == 0 {
			t.Errorf("seed %d: in the end %v; %d were refused, %d done", seed, err, refused.Load(), done.Load())
		}
	}
}

// A read that is inside the function of a live resource keeps the state in which it began, while
// transactions are published.
func TestReadsKeepTheirSnapshot(t *testing.T) {
	w := newTwins(t)
	r := rand.New(rand.NewPCG(1, 1))
	calls := 0
	level := dm.Func(func(context.Context) (float64, error) {
		calls++
		return 1, w.act(r, dm.Server(1))
	})
	for _, o := range w.objects {
		for id := range o.All() {
			if err := o.Update(t.Context(), id, func(m *meter) error { m.Level = level; return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 20 {
		if err := w.check(w.m.Snapshot()); err != nil {
			t.Fatal(err)
		}
	}
	if calls == 0 {
		t.Error("nothing was written during the reads")
	}
}

// Every method that may be called at any time, called concurrently.
func TestRace(t *testing.T) {
	w := newTwins(t)
	ctx := t.Context()
	var group, background sync.WaitGroup
	var stop atomic.Bool
	rounds := 100
	each := func(fn func(r *rand.Rand) error) {
		group.Go(func() {
			r := rand.New(rand.NewPCG(5, 5))
			for range rounds {
				if err := fn(r); err != nil && !errors.Is(err, dm.NotFound) && !errors.Is(err, dm.BadRequest) {
					t.Error(err)
				}
			}
		})
	}
	each(func(r *rand.Rand) error { return w.act(r, dm.Server(1)) })
	each(func(r *rand.Rand) error {
		return w.objects[0].Update(ctx, dm.InstanceID(r.IntN(5)), func(m *meter) error { m.Level.Set(1); return nil })
	})
	each(func(r *rand.Rand) error { return w.objects[1].Remove(ctx, dm.InstanceID(r.IntN(5))) })
	each(func(r *rand.Rand) error { return w.objects[1].Add(dm.InstanceID(r.IntN(5)), fullMeter()) })
	each(func(r *rand.Rand) error {
		if err := w.m.Unregister(ctx, w.objects[2].ID()); err != nil {
			return err
		}
		return w.m.Register(ctx, w.objects[2])
	})
	each(func(r *rand.Rand) error {
		tx, err := w.m.Begin(ctx, dm.Bootstrap)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		p := dm.ResourcePath(33001, dm.InstanceID(r.IntN(5)), labelID)
		_ = tx.Write(p, dm.Replace, []dm.Entry{{Path: p, Value: dm.StringValue("b")}})
		tx.Suspend()
		if err := tx.Resume(ctx); err != nil {
			return err
		}
		return tx.Commit()
	})
	for _, fn := range []func(){
		func() { _, _ = read(w.m.Snapshot(), dm.Server(1), dm.Path{}) },
		func() { _, _ = discover(w.m.Snapshot(), dm.Server(1), dm.ObjectPath(33001), 3) },
		func() { w.m.Status() },
		func() {
			for range w.objects[1].All() {
				w.objects[1].Len()
			}
		},
		func() { w.m.Subscribe(func(dm.Batch) {})() },
	} {
		background.Go(func() {
			for !stop.Load() {
				fn()
			}
		})
	}
	group.Wait()
	stop.Store(true)
	background.Wait()
}
