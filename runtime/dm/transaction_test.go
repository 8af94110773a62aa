package dm_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
		"Write": tx.Write(p, dm.Replace, entries(t, "/33001/0/9", 0)), "Create": tx.Create(33001, []dm.InstanceID{9}, nil),
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
			"Prepare": tx.Prepare(), "Commit": tx.Commit(), "Resume": tx.Resume(t.Context()), "Accept": tx.Accept(&dm.Upload{}),
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

func TestBeginAsync(t *testing.T) {
	w := watch(t)
	var order []int
	var first, second *dm.Transaction
	if cancel := w.m.BeginAsync(t.Context(), dm.Server(1), func(tx *dm.Transaction) { first = tx }); first == nil || cancel() {
		t.Fatal("a free slot is not granted at once")
	}
	w.m.BeginAsync(t.Context(), dm.Server(2), func(tx *dm.Transaction) { second = tx; order = append(order, 2) })
	giveUp := w.m.BeginAsync(t.Context(), dm.Server(3), func(tx *dm.Transaction) { order = append(order, 3); tx.Rollback() })
	w.m.BeginAsync(t.Context(), dm.Server(4), func(tx *dm.Transaction) { order = append(order, 4); tx.Rollback() })
	if second != nil || !giveUp() || giveUp() {
		t.Fatal("the slot is not granted in order")
	}
	if err := first.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if second == nil {
		t.Fatal("the second was not granted")
	}
	if got := show(second.Snapshot(), path(t, "/33001/0/9")); got != "5" { // published by the first
		t.Errorf("the second sees %s", got)
	}
	second.Rollback()
	if !slices.Equal(order, []int{2, 4}) {
		t.Errorf("granted in the order %v", order)
	}
}

func TestBeginWaitsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(t)
		tx, err := w.m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.m.Begin(ctx, dm.Server(2)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting too long: %v", err)
		}
		var order []dm.ShortServerID
		done := make(chan bool)
		for id := range dm.ShortServerID(4) {
			go func() {
				err := do(w.m, dm.Server(id), func(*dm.Transaction) error { order = append(order, id); return nil })
				if err != nil {
					t.Error(err)
				}
				done <- true
			}()
			synctest.Wait()
		}
		tx.Rollback()
		for range 4 {
			<-done
		}
		if !slices.Equal(order, []dm.ShortServerID{0, 1, 2, 3}) {
			t.Errorf("served in the order %v", order)
		}
	})
}

func TestSuspendAndResume(t *testing.T) {
	w := watch(t)
	tx, err := w.m.Begin(t.Context(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	tx.Suspend()
	tx.Suspend()
	if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err == nil || errors.Is(err, dm.ErrDone) {
		t.Errorf("a write while it is suspended: %v", err)
	}
	if err := tx.Commit(); err == nil || errors.Is(err, dm.ErrDone) {
		t.Errorf("Commit while it is suspended: %v", err)
	}
	if err := w.meters.Update(t.Context(), 0, func(m *meter) error { m.Level.Set(1); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := tx.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.m.TryBegin(t.Context(), dm.Application); ok {
		t.Error("the slot is free after Resume")
	}
	if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, _ := w.meters.Get(0); got.Mode.Or(0) != 5 || got.Level.Or(0) != 1 {
		t.Errorf("the instance is %v", got)
	}
}

// A sequence is cancelled while its next request waits for the slot.
func TestRollbackBeforeResumeIsGranted(t *testing.T) {
	w := watch(t)
	tx, err := w.m.Begin(t.Context(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	tx.Suspend()
	busy, err := w.m.Begin(t.Context(), dm.Server(1))
	if err != nil {
		t.Fatal(err)
	}
	granted := false
	tx.ResumeAsync(t.Context(), func() {
		granted = true
		if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); !errors.Is(err, dm.ErrDone) {
			t.Errorf("a write of the cancelled sequence: %v", err)
		}
	})
	tx.Rollback()
	busy.Rollback()
	if !granted {
		t.Error("the turn was not granted")
	}
	if free, ok := w.m.TryBegin(t.Context(), dm.Application); !ok {
		t.Error("the slot is lost")
	} else {
		free.Rollback()
	}
	// The end of the context ends the wait for the slot.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if busy, err = w.m.Begin(t.Context(), dm.Server(1)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		seq, err := w.m.Begin(ctx, dm.Bootstrap)
		if err == nil {
			seq.Rollback()
		}
		done <- err
	}()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("beginning with a context that is over, behind another: %v", err)
	}
	busy.Rollback()
}

func TestResumeAsync(t *testing.T) {
	w := watch(t)
	tx, err := w.m.Begin(t.Context(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	tx.Suspend()
	type key struct{}
	granted := 0
	tx.ResumeAsync(context.WithValue(t.Context(), key{}, 7), func() { granted++ })
	if granted != 1 {
		t.Fatal("a free slot is not granted at once")
	}
	if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
