package dm_test

import (
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A runtime whose loop must not wait does in four steps what Commit does.
func TestCommitInSteps(t *testing.T) {
	s := newScripted(t)
	defer s.m.Subscribe(func(dm.Batch) { _ = s.step("subscriber") })()
	tx, err := s.m.Begin(t.Context(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	p := dm.ResourcePath(33001, 0, modeID)
	if err := tx.Write(p, dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
		t.Fatal(err)
	}
	tx.Publish() // too early: no effect
	tx.Finish()
	if err := tx.Persist(); err == nil {
		t.Error("Persist before Prepare is allowed")
	}
	if err := tx.Prepare(); err != nil {
		t.Fatal(err)
	}
	if !tx.Persists() {
		t.Error("there is a change, and Persists reports false")
	}
	if got := show(s.m.Snapshot(), p); got != "1" {
		t.Errorf("after Prepare it reads %s", got)
	}
	for what, err := range map[string]error{
		"Prepare": tx.Prepare(), "Commit": tx.Commit(), "Delete": tx.Delete(dm.InstancePath(33001, 0)),
		"Write":  tx.Write(p, dm.Replace, entries(t, "/33001/0/9", 0)),
		"Create": tx.Create(33001, []dm.InstanceID{9}, nil),
	} {
		if err == nil {
			t.Errorf("%s after Prepare is allowed", what)
		}
	}
	done := make(chan error)
	go func() { done <- tx.Persist() }() // on a worker
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	tx.Finish() // before Publish: no effect
	if got := show(s.m.Snapshot(), p); got != "1" {
		t.Errorf("after Persist it reads %s", got)
	}
	tx.Publish()
	tx.Publish()
	if got := show(s.m.Snapshot(), p); got != "5" {
		t.Errorf("after Publish it reads %s", got)
	}
	if _, ok := s.m.TryBegin(t.Context(), dm.Application); ok {
		t.Error("the slot is free before Finish")
	}
	tx.Finish()
	tx.Finish()
	tx.Rollback()
	if got, want := s.take(), "begin1 validate1 commit1 persist subscriber changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	if err := s.objects[0].Update(t.Context(), 0, func(m *meter) error { m.Mode.Set(0); return nil }); err != nil {
		t.Fatal(err)
	}
	tx.Publish() // after the end: no effect
	if got := show(s.m.Snapshot(), p); got != "0" {
		t.Errorf("after a late Publish it reads %s", got)
	}
}

// Rollback undoes between Prepare and Publish; after Publish it ends the transaction without
// undoing.
func TestRollbackInSteps(t *testing.T) {
	for _, published := range []bool{false, true} {
		s := newScripted(t)
		tx, err := s.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		p := dm.ResourcePath(33001, 0, modeID)
		if err := tx.Write(p, dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
			t.Fatal(err)
		}
		if err := tx.Prepare(); err != nil {
			t.Fatal(err)
		}
		value, steps := "1", "begin1 validate1 commit1 rollback1"
		if published {
			tx.Publish()
			value, steps = "5", "begin1 validate1 commit1 changed1"
		}
		tx.Rollback()
		tx.Rollback()
		if err := tx.Commit(); !errors.Is(err, dm.ErrDone) {
			t.Errorf("Commit after Rollback: %v", err)
		}
		if err := tx.Persist(); err == nil {
			t.Error("Persist after Rollback is allowed")
		}
		if got := show(s.m.Snapshot(), p); got != value {
			t.Errorf("published: %t, it reads %s", published, got)
		}
		if got := s.take(); got != steps {
			t.Errorf("published: %t, the steps were %s, want %s", published, got, steps)
		}
	}
}

// A change that could not be stored is not published, and its Rollback hooks run in Rollback, not
// in Persist.
func TestPersistFailsInSteps(t *testing.T) {
	s := newScripted(t)
	s.fail["persist"] = errors.New("disk full")
	tx, err := s.m.Begin(t.Context(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	p := dm.ResourcePath(33001, 0, modeID)
	if err := tx.Write(p, dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Prepare(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- tx.Persist() }() // on a worker
	if err := <-done; dm.CodeOf(err) != dm.InternalServerError {
		t.Errorf("Persist: %v", err)
	}
	tx.Publish()
	tx.Finish()
	if got, want := s.take(), "begin1 validate1 commit1 persist"; got != want {
		t.Errorf("before Rollback the steps were %s, want %s", got, want)
	}
	if got := show(s.m.Snapshot(), p); got != "1" {
		t.Errorf("before Rollback it reads %s", got)
	}
	tx.Rollback()
	if got := s.take(); got != "rollback1" {
		t.Errorf("Rollback runs %s", got)
	}
	if _, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
		t.Error("the slot is not free")
	}
}

func TestTransactionAfterItsEnd(t *testing.T) {
	w := watch(t)
	for _, end := range []func(*dm.Transaction){
		func(tx *dm.Transaction) { tx.Rollback() },
		func(tx *dm.Transaction) {
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
		},
	} {
		tx, err := w.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		end(tx)
		for what, err := range map[string]error{
			"Write":   tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)),
			"Create":  tx.Create(meterID, []dm.InstanceID{9}, nil),
			"Delete":  tx.Delete(dm.InstancePath(meterID, 0)),
			"Prepare": tx.Prepare(), "Commit": tx.Commit(), "Resume": tx.Resume(t.Context()),
			"Accept": tx.Accept(&dm.Upload{}),
		} {
			if !errors.Is(err, dm.ErrDone) {
				t.Errorf("%s after the end: %v", what, err)
			}
		}
		tx.Suspend() // must not release the slot of another transaction
		other, err := w.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		tx.Suspend()
		tx.Rollback()
		if _, ok := w.m.TryBegin(t.Context(), dm.Application); ok {
			t.Error("the end of one transaction freed the slot of another")
		}
		other.Rollback()
	}
	var zero dm.Transaction
	zero.Rollback()
	if err := zero.Commit(); err == nil {
		t.Error("the zero Transaction commits")
	}
}

// A failed Commit ends the transaction, except that of the bootstrap server.
func TestFailedCommitEndsTheTransaction(t *testing.T) {
	for _, step := range []string{"validate1", "commit1", "persist"} {
		s := newScripted(t)
		s.fail[step] = errors.New("boom")
		tx, err := s.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Write(dm.ResourcePath(33001, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err == nil {
			t.Errorf("%s does not fail", step)
		}
		if err := tx.Commit(); !errors.Is(err, dm.ErrDone) {
			t.Errorf("after %s: %v", step, err)
		}
		if free, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
			t.Errorf("after %s the slot is held", step)
		} else {
			free.Rollback()
		}
	}
}

// An object whose Begin failed is not touched, and the transaction can continue.
func TestContinueAfterFailedBegin(t *testing.T) {
	s := newScripted(t)
	s.fail["begin1"] = errors.New("locked")
	err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error {
		for range 2 {
			if err := tx.Write(dm.ResourcePath(33001, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err == nil {
				t.Error("Begin fails and Write does not")
			}
		}
		return tx.Write(dm.ResourcePath(33002, 0, modeID), dm.Replace, entries(t, "/33002/0/9", 5))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 begin1 begin2 validate2 commit2 persist changed2"; got != want {
		t.Errorf("the hooks ran as %s, want %s", got, want)
	}
	if got := show(s.m.Snapshot(), path(t, "/33001/0/9")); got != "1" {
		t.Errorf("the refused write left %s", got)
	}
}
