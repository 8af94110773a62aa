package dm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// scripted is a Model of three objects, 33001 to 33003, whose hooks write down that they were called
// and fail where the test says so.
type scripted struct {
	m       *dm.Model
	objects []*dm.TypedObject[meter]
	log     []string
	fail    map[string]error // by what the log says
	panics  string
}

func (s *scripted) step(name string) error {
	s.log = append(s.log, name)
	if s.panics == name {
		panic(name)
	}
	return s.fail[name]
}

// take returns what was logged, and starts anew.
func (s *scripted) take() string {
	line := strings.Join(s.log, " ")
	s.log = nil
	return line
}

func newScripted(t testing.TB) *scripted {
	t.Helper()
	s := &scripted{fail: map[string]error{}}
	var all []dm.Object
	for n := range 3 {
		def := meterDefinition
		def.ID += uint16(n)
		named := func(name string) func(context.Context, *dm.Tx[meter]) error {
			return func(context.Context, *dm.Tx[meter]) error { return s.step(fmt.Sprintf("%s%d", name, n+1)) }
		}
		o, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{
			Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Image: scriptedSink(s, n+1)},
			Hooks: dm.Hooks[meter]{
				Begin: named("begin"), Validate: named("validate"), Commit: named("commit"), Rollback: named("rollback"),
				Changed: func(context.Context, *dm.Tx[meter]) { _ = s.step(fmt.Sprintf("changed%d", n+1)) },
				Create:  func(context.Context, dm.InstanceID, *meter) error { return s.step(fmt.Sprintf("create%d", n+1)) },
				Delete:  func(context.Context, dm.InstanceID) error { return s.step(fmt.Sprintf("delete%d", n+1)) },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		inst := fullMeter()
		inst.Image = scriptedSink(s, n+1)
		for id := range dm.InstanceID(2) {
			if err := o.Add(id, inst); err != nil {
				t.Fatal(err)
			}
		}
		s.objects = append(s.objects, o)
		all = append(all, o)
	}
	slices.Reverse(all) // the order of registering is not that of hooks
	s.m = newModel(t, dm.ModelConfig{
		Persist: func(context.Context, dm.Committed) error { return s.step("persist") },
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, all...)
	s.log = nil
	return s
}

// writeAll writes to the objects in the order 2, 1, 3, as one transaction.
func (s *scripted) writeAll(who dm.Origin) error {
	return do(s.m, who, func(t *dm.Transaction) error {
		for _, o := range []dm.ObjectID{33002, 33001, 33003} {
			p := dm.ResourcePath(o, 0, modeID)
			if err := t.Write(p, dm.Replace, []dm.Entry{{Path: p, Value: dm.IntegerValue(5)}}); err != nil {
				return err
			}
		}
		return nil
	})
}

const wholeTransaction = "begin2 begin1 begin3 validate1 validate2 validate3 commit1 commit2 commit3 persist changed1 changed2 changed3"

func TestHookOrder(t *testing.T) {
	s := newScripted(t)
	s.m.Subscribe(func(b dm.Batch) { _ = s.step(fmt.Sprint("told", len(b.Events))) })
	if err := s.writeAll(dm.Server(1)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), strings.Replace(wholeTransaction, "persist", "persist told3", 1); got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	// A composite touches the objects in the order of their paths, each once.
	err := write(s.m, dm.Server(1), dm.Path{}, dm.Update, entries(t, "/33003/0/9", 0, "/33001/0/9", 0, "/33001/1/9", 0)...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 begin3 validate1 validate3 commit1 commit3 persist told3 changed1 changed3"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := s.objects[1].Update(t.Context(), 0, func(m *meter) error { _ = s.step("update"); m.Level.Set(3); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 update validate2 commit2 persist told1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := create(s.m, dm.Server(1), 33002, []dm.InstanceID{4}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 create2 validate2 commit2 persist told1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := del(s.m, dm.Server(1), dm.InstancePath(33002, 4)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 delete2 validate2 commit2 persist told1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	// What makes no difference is neither persisted nor told.
	if err := write(s.m, dm.Server(1), path(t, "/33001/0/9"), dm.Replace, entries(t, "/33001/0/9", 0)...); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 validate1 commit1 changed1"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
}

// A failure at any step rolls every begun object back, in reverse order, those that committed
// included, and leaves everything as it was.
func TestFailureAtEveryStep(t *testing.T) {
	boom := dm.Errorf(dm.Conflict, "boom")
	for step, rollbacks := range map[string]string{
		"begin2": "", "begin1": "rollback2", "begin3": "rollback1 rollback2",
		"validate1": "rollback3 rollback1 rollback2", "validate2": "rollback3 rollback1 rollback2", "validate3": "rollback3 rollback1 rollback2",
		"commit1": "rollback3 rollback1 rollback2", "commit2": "rollback3 rollback1 rollback2", "commit3": "rollback3 rollback1 rollback2",
		"persist": "rollback3 rollback1 rollback2",
	} {
		s := newScripted(t)
		s.fail[step] = boom
		cancel := s.m.Subscribe(func(dm.Batch) { t.Errorf("%s failed: subscribers were told", step) })
		before := dump(t, s.m.Snapshot())
		err := s.writeAll(dm.Server(1))
		if !errors.Is(err, boom) || dm.CodeOf(err) != dm.Conflict {
			t.Errorf("%s failed: the error is %v", step, err)
		}
		until, _, _ := strings.Cut(wholeTransaction, step)
		if got, want := s.take(), strings.TrimSpace(until+step+" "+rollbacks); got != want {
			t.Errorf("%s failed: the hooks ran as\n%s, want\n%s", step, got, want)
		}
		if got := changes(before, dump(t, s.m.Snapshot())); got != "" {
			t.Errorf("%s failed, and this changed:\n%s", step, got)
		}
		cancel()
		delete(s.fail, step)
		if err := s.writeAll(dm.Server(2)); err != nil {
			t.Errorf("after %s failed nothing works any more: %v", step, err)
		}
	}
}

func TestErrorsOfHooksNameTheirObject(t *testing.T) {
	s := newScripted(t)
	for step, want := range map[string]string{
		"begin1": "/33001: 5.00", "validate2": "/33002: 5.00", "commit3": "/33003: 5.00", "persist": "5.00",
	} {
		clear(s.fail)
		s.fail[step] = errors.New("boom")
		if err := s.writeAll(dm.Server(1)); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "boom") {
			t.Errorf("%s failed: %v, want it to start with %s", step, err, want)
		}
	}
}

func TestFailingRollback(t *testing.T) {
	s := newScripted(t)
	s.fail["commit2"] = dm.Errorf(dm.BadRequest, "no")
	s.fail["rollback3"], s.fail["rollback1"] = errors.New("stuck valve"), errors.New("stuck again")
	if err := s.writeAll(dm.Server(1)); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("the error is %v, want that of Commit", err)
	}
	if got := s.take(); !strings.HasSuffix(got, "commit2 rollback3 rollback1 rollback2") {
		t.Errorf("the hooks ran as %s", got)
	}
	st := s.m.Status()
	if st.RollbackFailures != 2 || st.LastRollbackError == nil || !strings.Contains(st.LastRollbackError.Error(), "stuck again") || !strings.Contains(st.LastRollbackError.Error(), "/33001") {
		t.Errorf("the status is %+v", st)
	}
	if st := newScripted(t).m.Status(); st != (dm.Status{}) {
		t.Errorf("a new Model has the status %+v", st)
	}
}

// A panic of the user's passes through, and keeps neither the slot nor half a change.
func TestPanics(t *testing.T) {
	rollbacks := map[string]string{
		"begin1": "", "create1": "rollback1", "delete1": "rollback1", "update": "rollback1", "validate1": "rollback1", "commit1": "rollback1",
		"persist": "rollback1", "rollback1": "", "changed1": "", "told": "changed1",
	}
	for step, want := range rollbacks {
		s := newScripted(t)
		defer s.m.Subscribe(func(dm.Batch) { _ = s.step("told") })()
		before := dump(t, s.m.Snapshot())
		s.panics = step
		if step == "rollback1" {
			s.fail["commit1"] = errors.New("boom")
		}
		func() {
			defer func() {
				if r := recover(); r != step {
					t.Errorf("%s: the panic is %v", step, r)
				}
			}()
			switch step {
			case "create1":
				_ = create(s.m, dm.Server(1), 33001, []dm.InstanceID{8})
			case "delete1":
				_ = del(s.m, dm.Server(1), dm.InstancePath(33001, 0))
			default:
				_ = s.objects[0].Update(t.Context(), 0, func(m *meter) error { m.Level.Set(3); return s.step("update") })
			}
			t.Errorf("%s: no panic", step)
		}()
		_, after, _ := strings.Cut(s.take(), step)
		if got := strings.TrimSpace(after); got != want {
			t.Errorf("%s panicked: then ran %q, want %q", step, got, want)
		}
		published := step == "changed1" || step == "told"
		if got := changes(before, dump(t, s.m.Snapshot())); (got != "") != published {
			t.Errorf("%s panicked, and this changed:\n%s", step, got)
		}
		s.panics = ""
		clear(s.fail)
		if tx, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
			t.Errorf("%s panicked and the slot is kept", step)
		} else {
			tx.Rollback()
		}
	}
}

// One Rollback hook that panics keeps the others from nothing.
func TestPanickingRollbackAmongOthers(t *testing.T) {
	s := newScripted(t)
	s.fail["commit3"], s.panics = errors.New("boom"), "rollback1"
	func() {
		defer func() { _ = recover() }()
		_ = s.writeAll(dm.Server(1))
	}()
	if got := s.take(); !strings.HasSuffix(got, "rollback3 rollback1 rollback2") {
		t.Errorf("the hooks ran as %s", got)
	}
	if tx, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
		t.Error("the slot is kept")
	} else {
		tx.Rollback()
	}
}

// testKey is the key of some value in a context.
type testKey struct{}

// Writing from inside a hook, with its context, is refused at once by whatever could wait.
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
		if m.Snapshot().Has(dm.InstancePath(meterID, 7)) { // reading is possible
			t.Error("there is an instance 7")
		}
	}
	hook := func(ctx context.Context, _ *dm.Tx[meter]) error { try(ctx); return nil }
	failCommit := false
	o = newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1)}, Hooks: dm.Hooks[meter]{
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
		t.Error("the failing Commit is not told")
	}
	if want := 7 + 6 + 4; calls != want {
		t.Errorf("%d hooks were called, want %d", calls, want)
	}
}

// The function of an Update has no context that could tell on it: it waits for itself, but not for
// ever.
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

// A context that outlives its hook is an ordinary one.
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

// The hooks of one Model may write to another; back from there is still inside.
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
