package dm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// pair is a Model of two objects. Each Changed hook logs what it sees and calls a function.
type pair struct {
	m         *dm.Model
	o         [2]*dm.TypedObject[meter]
	log       []string
	onChanged [2]func(ctx context.Context, c dm.Change[meter])
	fail      error // of Validate of the second object
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{}
	var all []dm.Object
	for i := range p.o {
		def := meterDefinition
		def.ID += uint16(i)
		var err error
		p.o[i], err = dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{
			Validate: func(context.Context, *dm.Tx[meter]) error {
				if i == 1 {
					return p.fail
				}
				return nil
			},
			Changed: func(ctx context.Context, tx *dm.Tx[meter]) {
				for c := range tx.Changes() {
					p.log = append(p.log, fmt.Sprintf("%d by %v: %v to %v", i+1, tx.Origin(), c.Old.Goal, c.New.Goal))
					if fn := p.onChanged[i]; fn != nil {
						fn(ctx, c)
					}
				}
			},
		}})
		if err != nil {
			t.Fatal(err)
		}
		inst := fullMeter()
		inst.Goal = dm.Float(0)
		if err := p.o[i].Add(0, inst); err != nil {
			t.Fatal(err)
		}
		all = append(all, p.o[i])
	}
	p.m = newModel(t, dm.ModelConfig{Persist: func(_ context.Context, c dm.Committed) error {
		p.log = append(p.log, fmt.Sprintf("stored by %v: %v", c.Origin, c.Events))
		return nil
	}}, all...)
	t.Cleanup(p.m.Subscribe(func(b dm.Batch) { p.log = append(p.log, fmt.Sprintf("told by %v: %v", b.Origin, b.Events)) }))
	p.log = nil
	return p
}

func setGoal(v float64) func(*meter) error {
	return func(m *meter) error { m.Goal.Set(v); return nil }
}

// writeBoth writes the goals of both objects as a server.
func (p *pair) writeBoth(t *testing.T, v float64) error {
	return write(p.m, dm.Server(1), dm.Path{}, dm.Update, entries(t, "/33001/0/1", v, "/33002/0/1", v)...)
}

// An Update of a Changed hook is a transaction of its own: checked, stored, published and told to
// subscribers after the change that it reacts to, also where several objects were changed.
func TestChangedHookUpdates(t *testing.T) {
	p := newPair(t)
	p.onChanged[0] = func(ctx context.Context, c dm.Change[meter]) {
		if err := p.o[1].Update(ctx, 0, setGoal(c.New.Goal.Or(0)+5)); err != nil {
			t.Error(err)
		}
		if got, _ := p.o[1].Get(0); got.Goal.Or(0) != 65 {
			t.Errorf("after the Update the goal is %v", got.Goal)
		}
		p.log = append(p.log, "end of 1")
	}
	if err := p.writeBoth(t, 60); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"stored by server 1: [{/33001/0/1 changed} {/33002/0/1 changed}]",
		"told by server 1: [{/33001/0/1 changed} {/33002/0/1 changed}]",
		"1 by server 1: 0 to 60",
		"2 by server 1: 0 to 60", // before the hook of the newer change
		"stored by application: [{/33002/0/1 changed}]",
		"told by application: [{/33002/0/1 changed}]",
		"2 by application: 60 to 65",
		"end of 1",
	}
	if !slices.Equal(p.log, want) {
		t.Errorf("this happened:\n%s\nwant\n%s", strings.Join(p.log, "\n"), strings.Join(want, "\n"))
	}
}

// A refused Update of a Changed hook changes nothing, and the change that it reacts to stays.
func TestChangedHookUpdateRefused(t *testing.T) {
	p := newPair(t)
	var inner error
	p.onChanged[0] = func(ctx context.Context, _ dm.Change[meter]) { inner = p.o[1].Update(ctx, 0, setGoal(7)) }
	p.fail = dm.Errorf(dm.BadRequest, "no")
	if err := p.o[0].Update(t.Context(), 0, setGoal(60)); err != nil {
		t.Fatal(err)
	}
	a, _ := p.o[0].Get(0)
	b, _ := p.o[1].Get(0)
	if !errors.Is(inner, dm.BadRequest) || a.Goal.Or(0) != 60 || b.Goal.Or(0) != 0 {
		t.Errorf("the Update of the hook: %v; the goals are %v and %v", inner, a.Goal, b.Goal)
	}
}

// Hooks that update each other end with an error instead of without end.
func TestChangedHooksUpdateEachOther(t *testing.T) {
	p := newPair(t)
	var last error
	n := 0
	for i := range p.o {
		p.onChanged[i] = func(ctx context.Context, c dm.Change[meter]) {
			n++
			if err := p.o[1-i].Update(ctx, 0, setGoal(float64(n))); err != nil {
				last = err
			}
		}
	}
	if err := p.o[0].Update(t.Context(), 0, setGoal(60)); err != nil {
		t.Fatal(err)
	}
	if n != 17 || last == nil || !strings.Contains(last.Error(), "does each Update cause the next") {
		t.Errorf("%d hooks ran, the last Update returned %v", n, last)
	}
	p.onChanged = [2]func(context.Context, dm.Change[meter]){}
	if err := p.writeBoth(t, 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A transaction that a Changed hook begins and does not end is rolled back when the hook returns.
func TestChangedHookForgetsItsTransaction(t *testing.T) {
	p := newPair(t)
	var tx *dm.Transaction
	p.onChanged[0] = func(ctx context.Context, _ dm.Change[meter]) {
		var err error
		if tx, err = p.m.Begin(ctx, dm.Application); err != nil {
			t.Fatal(err)
		}
		tx.Suspend() // has no effect
		if err := tx.Write(path(t, "/33002/0/1"), dm.Replace, entries(t, "/33002/0/1", 9.0)); err != nil {
			t.Error(err)
		}
		if _, err := p.m.Begin(ctx, dm.Application); !errors.Is(err, dm.ErrInTransaction) {
			t.Errorf("a second transaction beside the first: %v", err)
		}
		if _, err := p.m.Begin(ctx, dm.Bootstrap); !errors.Is(err, dm.ErrInTransaction) {
			t.Errorf("a bootstrap sequence in a hook: %v", err)
		}
	}
	if err := p.o[0].Update(t.Context(), 0, setGoal(60)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); !errors.Is(err, dm.ErrDone) {
		t.Errorf("committing it later: %v", err)
	}
	if b, _ := p.o[1].Get(0); b.Goal.Or(0) != 0 {
		t.Errorf("the goal is %v", b.Goal)
	}
	if err := p.writeBoth(t, 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A goroutine that a Changed hook starts waits for the hook, with the hook's context and with
// another one.
func TestChangedHookStartsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		done := make(chan error, 2)
		p.onChanged[0] = func(ctx context.Context, _ dm.Change[meter]) {
			go func() { done <- p.o[1].Update(ctx, 0, setGoal(1)) }()
			go func() { done <- p.o[1].Update(context.Background(), 0, setGoal(2)) }()
			synctest.Wait()
			if b, _ := p.o[1].Get(0); b.Goal.Or(0) != 0 || len(done) > 0 {
				t.Errorf("an Update went ahead of the hook's transaction: %v", b.Goal)
			}
		}
		if err := p.o[0].Update(t.Context(), 0, setGoal(60)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// A hook of one Model may wait for another Model that a hook on another goroutine holds.
func TestHookWaitsForAnotherModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPair(t), newPair(t)
		b.onChanged[0] = func(context.Context, dm.Change[meter]) { <-time.After(time.Second) }
		go func() { _ = b.o[0].Update(context.Background(), 0, setGoal(1)) }()
		synctest.Wait()
		var inner error
		a.onChanged[0] = func(context.Context, dm.Change[meter]) {
			inner = b.o[1].Update(context.Background(), 0, setGoal(2))
		}
		if err := a.o[0].Update(t.Context(), 0, setGoal(1)); err != nil || inner != nil {
			t.Errorf("%v, %v", err, inner)
		}
	})
}

// An executable on the loop updates the Model with any context. While the loop itself must end a
// transaction, the Update is refused at once.
func TestExecutableOnTheLoopUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newMeters(t, dm.ObjectConfig[meter]{})
		inst := fullMeter()
		inst.Reset = func(ctx context.Context, _ dm.Args) error {
			return errors.Join(o.Update(ctx, 0, setGoal(1)), o.Update(context.Background(), 0, setGoal(2)))
		}
		if err := o.Add(0, inst); err != nil {
			t.Fatal(err)
		}
		m := newModel(t, dm.ModelConfig{}, o)
		loop, reset := dm.RefuseSlow(t.Context()), path(t, "/33001/0/3")
		if err := m.Snapshot().Execute(loop, dm.Server(1), reset, dm.Args{}); err != nil {
			t.Errorf("with a free slot: %v", err)
		}
		tx, ok := m.TryBegin(t.Context(), dm.Server(1)) // a request whose store has not returned
		if !ok {
			t.Fatal("the slot is not free")
		}
		began := time.Now()
		err := m.Snapshot().Execute(loop, dm.Server(1), reset, dm.Args{})
		if !errors.Is(err, dm.ErrBusy) || strings.Count(err.Error(), "SlowExec") != 2 {
			t.Errorf("while the loop must end a transaction: %v", err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited for %v", waited)
		}
		tx.Rollback()
	})
}
