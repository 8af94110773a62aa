package dm_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// lane is a goroutine with a name that runs functions for a test.
type lane struct {
	id    string
	calls chan func()
}

// do runs fn on the lane's goroutine and waits for it.
func (l *lane) do(fn func()) {
	done := make(chan struct{})
	l.calls <- func() { defer close(done); fn() }
	<-done
}

// goroutineID returns the number that stack traces show for the current goroutine.
func goroutineID() string {
	var buf [64]byte
	return strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))[1]
}

// laned is a Model of one object whose hooks record the lane on which they run.
type laned struct {
	t     *testing.T
	m     *dm.Model
	o     *dm.TypedObject[meter]
	lanes map[string]string // names by goroutine ID
	log   []string
	fail  string // the step that fails
}

func (l *laned) lane(name string) *lane {
	n := &lane{calls: make(chan func())}
	l.t.Cleanup(func() { close(n.calls) })
	go func() {
		for fn := range n.calls {
			fn()
		}
	}()
	n.do(func() { n.id = goroutineID() })
	l.lanes[n.id] = name
	return n
}

// step records that a function runs, and fails if the test wants it to.
func (l *laned) step(what string) error {
	l.log = append(l.log, what+"@"+l.lanes[goroutineID()])
	if what == l.fail {
		return errors.New("boom")
	}
	return nil
}

// expect compares the steps since the last call, separated by blanks.
func (l *laned) expect(want string) {
	l.t.Helper()
	if got := strings.Join(l.log, " "); got != want {
		l.t.Errorf("ran\n%s, want\n%s", got, want)
	}
	l.log = nil
}

func newLaned(t *testing.T) *laned {
	l := &laned{t: t, lanes: map[string]string{}}
	hook := func(what string) func(context.Context, *dm.Tx[meter]) error {
		return func(context.Context, *dm.Tx[meter]) error { return l.step(what) }
	}
	l.o = newMeters(t, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(1), Mode: dm.Int(1)},
		Hooks: dm.Hooks[meter]{
			Begin: hook("begin"), Validate: hook("validate"), Commit: hook("commit"), Rollback: hook("rollback"),
			Changed: func(context.Context, *dm.Tx[meter]) { _ = l.step("changed") },
			Create:  func(context.Context, dm.InstanceID, *meter) error { return l.step("create") },
			Delete:  func(context.Context, dm.InstanceID) error { return l.step("delete") },
		},
	})
	if err := l.o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	l.m = newModel(t, dm.ModelConfig{
		Persist: func(context.Context, dm.Committed) error { return l.step("persist") },
	}, l.o)
	l.m.Subscribe(func(dm.Batch) { _ = l.step("subscriber") })
	l.log = nil
	return l
}

// mode is a Write of the meter's mode.
func (l *laned) mode(tx *dm.Transaction, v int) error {
	return tx.Write(path(l.t, "/33001/0/9"), dm.Replace, entries(l.t, "/33001/0/9", v))
}

// check fails the test with an error, on whatever lane it occurs.
func (l *laned) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Error(err)
	}
}

// The hooks of an application's change run on the goroutine that makes it.
func TestHooksOfTheApplicationRunOnItsGoroutine(t *testing.T) {
	l := newLaned(t)
	app := l.lane("app")
	update := func(m *meter) error { m.Level.Set(m.Level.Or(0) + 1); return l.step("update") }
	for _, c := range []struct {
		name, want string
		change     func() error
	}{
		{"Update", "begin@app update@app validate@app commit@app persist@app subscriber@app changed@app",
			func() error { return l.o.Update(t.Context(), 0, update) }},
		{"Add", "begin@app validate@app commit@app persist@app subscriber@app changed@app",
			func() error { return l.o.Add(5, fullMeter()) }},
		{"Remove", "begin@app validate@app commit@app persist@app subscriber@app changed@app",
			func() error { return l.o.Remove(t.Context(), 5) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			app.do(func() { l.check(c.change()) })
			l.expect(c.want)
		})
	}
	l.t = t
	for fail, want := range map[string]string{
		"validate": "begin@app update@app validate@app rollback@app",
		"persist":  "begin@app update@app validate@app commit@app persist@app rollback@app",
	} {
		l.fail = fail
		app.do(func() {
			if err := l.o.Update(t.Context(), 0, update); err == nil {
				t.Errorf("%s fails and Update does not", fail)
			}
		})
		l.expect(want)
	}
}

// The hooks of a transaction that a runtime makes in steps run on the goroutine of each step, and
// none of them in Persist.
func TestHooksRunOnTheGoroutineOfTheStep(t *testing.T) {
	l := newLaned(t)
	loop, worker := l.lane("loop"), l.lane("worker")
	var tx *dm.Transaction
	serve := func(change func() error) {
		loop.do(func() {
			var ok bool
			if tx, ok = l.m.TryBegin(t.Context(), dm.Server(1)); !ok {
				t.Error("the slot is not free")
				return
			}
			l.check(change())
			l.check(tx.Prepare())
		})
	}
	serve(func() error {
		l.check(l.mode(tx, 5))
		l.check(tx.Create(meterID, []dm.InstanceID{7}, nil))
		return tx.Delete(dm.InstancePath(meterID, 7))
	})
	l.expect("begin@loop create@loop delete@loop validate@loop commit@loop")
	worker.do(func() { l.check(tx.Persist()) })
	l.expect("persist@worker")
	loop.do(func() { tx.Publish(); tx.Finish() })
	l.expect("subscriber@loop changed@loop")

	l.fail = "persist"
	serve(func() error { return l.mode(tx, 0) })
	worker.do(func() {
		if err := tx.Persist(); err == nil {
			t.Error("the store fails and Persist does not")
		}
	})
	l.expect("begin@loop validate@loop commit@loop persist@worker")
	loop.do(func() { tx.Rollback() })
	l.expect("rollback@loop")
}

// BeginAsync calls its function on the caller's goroutine if the slot is free, and otherwise on the
// goroutine that releases it.
func TestBeginAsyncGoroutine(t *testing.T) {
	l := newLaned(t)
	first, second, third := l.lane("first"), l.lane("second"), l.lane("third")
	var held *dm.Transaction
	begin := func(what string) {
		l.m.BeginAsync(t.Context(), dm.Server(1), func(tx *dm.Transaction) { held = tx; _ = l.step(what) })
	}
	first.do(func() { begin("a") })
	l.expect("a@first")
	second.do(func() { begin("b") })
	l.expect("")
	third.do(func() { held.Rollback() })
	l.expect("b@third")
	first.do(func() { held.Rollback() })
	l.expect("")
}

// The Begin hooks of a bootstrap sequence run on the goroutine that ends the sequence, like
// Validate and Commit. Create and Delete hooks run on that of their request.
func TestHooksOfABootstrapSequence(t *testing.T) {
	l := newLaned(t)
	one, two, end := l.lane("one"), l.lane("two"), l.lane("end")
	var tx *dm.Transaction
	one.do(func() {
		var err error
		tx, err = l.m.Begin(t.Context(), dm.Bootstrap)
		l.check(err)
		l.check(l.mode(tx, 5))
		l.check(tx.Create(meterID, []dm.InstanceID{7}, nil))
		tx.Suspend()
	})
	l.expect("create@one")
	two.do(func() {
		tx.ResumeAsync(t.Context(), func() { _ = l.step("granted") })
		l.check(tx.Delete(dm.InstancePath(meterID, 7)))
		tx.Suspend()
	})
	l.expect("granted@two delete@two")
	l.fail = "validate"
	end.do(func() {
		l.check(tx.Resume(t.Context()))
		if err := tx.Commit(); dm.CodeOf(err) != dm.NotAcceptable {
			t.Errorf("Validate fails and Commit returns %v", err)
		}
	})
	l.expect("begin@end validate@end rollback@end")
	l.fail = ""
	two.do(func() { l.check(tx.Commit()) })
	l.expect("begin@two validate@two commit@two persist@two subscriber@two changed@two")
}
