package dm_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestModelServesObjectsInOrder(t *testing.T) {
	panels, meters := newPanels(t, dm.ObjectConfig[panel]{}), newMeters(t, dm.ObjectConfig[meter]{})
	s := newModel(t, dm.ModelConfig{}, panels, meters).Snapshot()
	if got := slices.Collect(s.Objects()); !slices.Equal(got, []dm.ObjectID{meterID, panelID}) {
		t.Errorf("the objects are %v", got)
	}
	if s.Definition(meterID) != meters.Definition() || s.Definition(1) != nil {
		t.Error("the definitions are wrong")
	}
	if got := slices.Collect(newModel(t, dm.ModelConfig{}).Snapshot().Objects()); len(got) != 0 {
		t.Errorf("a Model without objects has %v", got)
	}
}

// Two versions of one object can be linked into a program, but not used together in one device.
func TestModelRefusesTwoVersions(t *testing.T) {
	older := meterDefinition
	older.Version = registry.V(1, 1)
	o, err := dm.NewObject(&older, (*meter).cell, dm.ObjectConfig[meter]{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = dm.NewModel(dm.ModelConfig{}, newMeters(t, dm.ObjectConfig[meter]{}), o)
	checkError(t, "two versions of an object", err, []string{"33001", "1.2", "1.1"})
}

// After NewModel failed its objects are unchanged, so that the caller can try again.
func TestObjectsAfterFailedNewModel(t *testing.T) {
	meters, panels := newMeters(t, dm.ObjectConfig[meter]{}), newPanels(t, dm.ObjectConfig[panel]{})
	if err := meters.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if _, err := dm.NewModel(dm.ModelConfig{}, meters, panels, newMeters(t, dm.ObjectConfig[meter]{})); err == nil {
		t.Fatal("two objects with one ID are allowed")
	}
	m, err := dm.NewModel(dm.ModelConfig{}, meters, panels)
	if err != nil {
		t.Fatalf("trying again: %v", err)
	}
	if !m.Snapshot().Has(dm.InstancePath(meterID, 0)) {
		t.Error("the object lost its instance")
	}
}

func TestRegisterAndUnregister(t *testing.T) {
	ctx := context.Background()
	meters, panels := newMeters(t, dm.ObjectConfig[meter]{}), newPanels(t, dm.ObjectConfig[panel]{})
	m := newModel(t, dm.ModelConfig{}, panels)
	var events []dm.Event
	m.Subscribe(func(b dm.Batch) { events = append(events, b.Events...) })
	if err := meters.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := m.Register(ctx, meters); err != nil {
		t.Fatal(err)
	}
	checkError(t, "registering twice", m.Register(ctx, meters), []string{"part of a model"})
	other := newModel(t, dm.ModelConfig{})
	checkError(t, "registering in two models", other.Register(ctx, meters), []string{"part of a model"})
	if !m.Snapshot().Has(dm.InstancePath(meterID, 0)) {
		t.Error("the instance did not come along")
	}
	if err := meters.Add(1, fullMeter()); err != nil {
		t.Fatal(err)
	}
	before := m.Snapshot()
	if err := m.Unregister(ctx, meterID); err != nil {
		t.Fatal(err)
	}
	if err := m.Unregister(ctx, meterID); !errors.Is(err, dm.NotFound) {
		t.Errorf("unregistering twice: %v", err)
	}
	if m.Snapshot().Has(dm.ObjectPath(meterID)) || meters.Len() != 2 {
		t.Errorf("after Unregister the object has %d instances", meters.Len())
	}
	if !before.Has(dm.InstancePath(meterID, 1)) {
		t.Error("an earlier snapshot changed")
	}
	if err := meters.Remove(ctx, 0); err != nil { // it has its own model again
		t.Fatal(err)
	}
	if err := other.Register(ctx, meters); err != nil {
		t.Fatal(err)
	}
	if s := other.Snapshot(); s.Has(dm.InstancePath(meterID, 0)) || !s.Has(dm.InstancePath(meterID, 1)) {
		t.Error("the other model does not have the object's state")
	}
	want := []dm.Event{
		{Path: dm.ObjectPath(meterID), Kind: dm.Created},
		{Path: dm.InstancePath(meterID, 1), Kind: dm.Created},
		{Path: dm.ObjectPath(meterID), Kind: dm.Deleted},
	}
	if !slices.Equal(events, want) {
		t.Errorf("the events are %v, want %v", events, want)
	}
}

// Two models register one object at the same time: one of them gets it.
func TestRegisterInTwoModelsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newMeters(t, dm.ObjectConfig[meter]{})
		models := []*dm.Model{newModel(t, dm.ModelConfig{}), newModel(t, dm.ModelConfig{})}
		results := make(chan error, 2)
		hold, held := make(chan bool), make(chan bool)
		go func() {
			err := o.Add(0, fullMeter())
			if err == nil {
				err = o.Update(t.Context(), 0, func(*meter) error { close(held); <-hold; return nil })
			}
			if err != nil {
				t.Error(err)
			}
		}()
		<-held
		for _, m := range models {
			go func() { results <- m.Register(t.Context(), o) }()
		}
		synctest.Wait() // both wait for the Update
		close(hold)
		errs := []error{<-results, <-results}
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("registering in two models: %v, %v, want one to succeed", errs[0], errs[1])
		}
		n := 0
		for _, m := range models {
			if m.Snapshot().Has(dm.ObjectPath(meterID)) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d models have the object", n)
		}
	})
}

// No update of an object is lost while the object moves between models.
func TestUpdatesWhileObjectsMove(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Big = dm.Uint(0)
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	models := []*dm.Model{newModel(t, dm.ModelConfig{}), newModel(t, dm.ModelConfig{})}
	const writers, updates = 4, 200
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range writers {
		wg.Go(func() {
			for range updates {
				err := o.Update(t.Context(), 0, func(m *meter) error { m.Big.Set(m.Big.Or(0) + 1); return nil })
				if err != nil {
					t.Error(err)
				}
				if _, ok := o.Get(0); !ok {
					t.Error("the instance was missing for a moment")
				}
			}
		})
	}
	go func() { wg.Wait(); close(done) }()
	for i := 0; ; i++ {
		m := models[i%2]
		if err := m.Register(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := m.Unregister(t.Context(), meterID); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			if got, _ := o.Get(0); got.Big.Or(0) != writers*updates {
				t.Errorf("%d of %d updates arrived", got.Big.Or(0), writers*updates)
			}
			return
		default:
		}
	}
}

func TestAddTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newMeters(t, dm.ObjectConfig[meter]{})
		m := newModel(t, dm.ModelConfig{}, o)
		tx, err := m.Begin(t.Context(), dm.Server(1))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = o.Add(0, fullMeter())
		if !errors.Is(err, dm.ErrBusy) || dm.CodeOf(err) != dm.ServiceUnavailable {
			t.Errorf("Add behind a transaction: %v", err)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("Add waited %v", waited)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := o.AddContext(ctx, 0, fullMeter()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AddContext behind a transaction: %v", err)
		}
		tx.Rollback()
		if err := o.Add(0, fullMeter()); err != nil {
			t.Errorf("Add after it: %v", err)
		}
	})
}

func TestSnapshotDoesNotChange(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	s := m.Snapshot()
	before := dump(t, s)
	for i := range 70 {
		if err := o.Add(dm.InstanceID(i+1), fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Update(t.Context(), 0, func(m *meter) error { m.Level.Set(1); m.Tags.Set(5, "new"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := o.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if after := dump(t, s); after != before {
		t.Errorf("the snapshot became\n%s\nfrom\n%s", after, before)
	}
	if dump(t, m.Snapshot()) == before {
		t.Error("the model did not change")
	}
}
