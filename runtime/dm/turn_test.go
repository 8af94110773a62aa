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

func TestBeginAsync(t *testing.T) {
	w := watch(t)
	var order []int
	var first, second *dm.Transaction
	if cancel := w.m.BeginAsync(t.Context(), dm.Server(1),
		func(tx *dm.Transaction) { first = tx }); first == nil || cancel() {
		t.Fatal("a free slot is not granted at once")
	}
	w.m.BeginAsync(t.Context(), dm.Server(2), func(tx *dm.Transaction) { second = tx; order = append(order, 2) })
	giveUp := w.m.BeginAsync(t.Context(), dm.Server(3),
		func(tx *dm.Transaction) { order = append(order, 3); tx.Rollback() })
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
	if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace, entries(t, "/33001/0/9", 5)); err == nil ||
		errors.Is(err, dm.ErrDone) {
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
		if err := tx.Write(dm.ResourcePath(meterID, 0, modeID), dm.Replace,
			entries(t, "/33001/0/9", 5)); !errors.Is(err, dm.ErrDone) {
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
