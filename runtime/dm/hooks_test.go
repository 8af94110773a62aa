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

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// scripted is a Model of three objects, 33001 to 33003, whose hooks log that they were called and
// fail where the test says so.
type scripted struct {
	m       *dm.Model
	objects []*dm.TypedObject[meter]
	log     []string
	fail    map[string]error // by the step's name in the log
	panics  string
}

func (s *scripted) step(name string) error {
	s.log = append(s.log, name)
	if s.panics == name {
		panic(name)
	}
	return s.fail[name]
}

// take returns the log and clears it.
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
				Begin: named("begin"), Validate: named("validate"), Commit: named("commit"),
				Rollback: named("rollback"),
				Changed:  func(context.Context, *dm.Tx[meter]) { _ = s.step(fmt.Sprintf("changed%d", n+1)) },
				Create:   func(context.Context, dm.InstanceID, *meter) error { return s.step(fmt.Sprintf("create%d", n+1)) },
				Delete:   func(context.Context, dm.InstanceID) error { return s.step(fmt.Sprintf("delete%d", n+1)) },
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
	slices.Reverse(all) // hooks do not run in the order of registration
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
	s.m.Subscribe(func(b dm.Batch) { _ = s.step(fmt.Sprint("subscriber", len(b.Events))) })
	if err := s.writeAll(dm.Server(1)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), strings.Replace(wholeTransaction, "persist", "persist subscriber3", 1); got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	// A composite touches the objects in the order of their paths, each once.
	err := write(s.m, dm.Server(1), dm.Path{}, dm.Update,
		entries(t, "/33003/0/9", 0, "/33001/0/9", 0, "/33001/1/9", 0)...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 begin3 validate1 validate3 commit1 commit3 persist subscriber3 changed1 changed3"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := s.objects[1].Update(t.Context(), 0,
		func(m *meter) error { _ = s.step("update"); m.Level.Set(3); return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 update validate2 commit2 persist subscriber1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := create(s.m, dm.Server(1), 33002, []dm.InstanceID{4}); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 create2 validate2 commit2 persist subscriber1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if err := del(s.m, dm.Server(1), dm.InstancePath(33002, 4)); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin2 delete2 validate2 commit2 persist subscriber1 changed2"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	// A transaction that changes nothing is neither stored nor published to subscribers.
	if err := write(s.m, dm.Server(1), path(t, "/33001/0/9"), dm.Replace, entries(t, "/33001/0/9", 0)...); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 validate1 commit1 changed1"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
}

// A failure at any step rolls back every begun object in reverse order, including those that
// committed, and leaves everything as it was.
func TestFailureAtEveryStep(t *testing.T) {
	boom := dm.Errorf(dm.Conflict, "boom")
	for step, rollbacks := range map[string]string{
		"begin2": "", "begin1": "rollback2", "begin3": "rollback1 rollback2",
		"validate1": "rollback3 rollback1 rollback2", "validate2": "rollback3 rollback1 rollback2",
		"validate3": "rollback3 rollback1 rollback2",
		"commit1":   "rollback3 rollback1 rollback2", "commit2": "rollback3 rollback1 rollback2",
		"commit3": "rollback3 rollback1 rollback2",
		"persist": "rollback3 rollback1 rollback2",
	} {
		s := newScripted(t)
		s.fail[step] = boom
		cancel := s.m.Subscribe(func(dm.Batch) { t.Errorf("%s failed: subscribers were called", step) })
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
			t.Errorf("after %s failed a good transaction fails: %v", step, err)
		}
	}
}

func TestErrorsOfHooksNameTheirObject(t *testing.T) {
	s := newScripted(t)
	for step, want := range map[string]string{
		"begin1": "/33001: boom", "validate2": "/33002: boom", "commit3": "/33003: boom", "persist": "boom",
	} {
		clear(s.fail)
		s.fail[step] = errors.New("boom")
		if err := s.writeAll(dm.Server(1)); err == nil || !strings.HasPrefix(err.Error(), want) ||
			!strings.HasSuffix(err.Error(), "boom") {
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
	if st.RollbackFailures != 2 || st.LastRollbackError == nil ||
		!strings.Contains(st.LastRollbackError.Error(), "stuck again") ||
		!strings.Contains(st.LastRollbackError.Error(), "/33001") {
		t.Errorf("the status is %+v", st)
	}
	if st := newScripted(t).m.Status(); st != (dm.Status{}) {
		t.Errorf("a new Model has the status %+v", st)
	}
}
