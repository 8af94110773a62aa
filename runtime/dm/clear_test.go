package dm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Clear empties a stored resource and nothing else.
func TestClear(t *testing.T) {
	ctx := context.Background()
	var emptied []string
	meters := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Commit: func(_ context.Context, tx *dm.Tx[meter]) error {
		for c := range tx.Changes() {
			for p := range c.Emptied() {
				emptied = append(emptied, p.String())
			}
		}
		return nil
	}}})
	inst := fullMeter()
	inst.Goal = dm.Func(func(context.Context) (float64, error) { return 3, nil })
	must(t, meters.Add(0, inst))
	m := newModel(t, dm.ModelConfig{}, meters)
	tx, err := m.Begin(ctx, dm.Bootstrap)
	must(t, err)
	defer tx.Rollback()
	for _, p := range []string{
		"/33001", "/33001/0", "/33001/0/4/0", // no resource
		"/33001/7/2", "/33001/0/999", "/33009/0/0", // not there
		"/33001/0/3", // executable
	} {
		if err := tx.Clear(path(t, p)); !errors.Is(err, dm.BadRequest) {
			t.Errorf("Clear(%s): %v, want 4.00", p, err)
		}
	}
	for _, p := range []string{"/33001/0/1", "/33001/0/2", "/33001/0/4"} { // live, single, multiple
		must(t, tx.Clear(path(t, p)))
	}
	must(t, tx.Commit())
	if want := []string{"/33001/0/2", "/33001/0/4"}; !slices.Equal(emptied, want) {
		t.Errorf("emptied %v, want %v", emptied, want)
	}
	got, _ := meters.Get(0)
	if v, err := got.Goal.Read(ctx); err != nil || v != 3 {
		t.Errorf("the live resource is %v (%v)", v, err)
	}
	if _, has := got.Label.Get(); has || got.Tags.Len() > 0 || !m.Snapshot().Has(path(t, "/33001/0/2")) {
		t.Errorf("the label is %v, the tags are %v", got.Label, got.Tags)
	}
	if _, has := got.Level.Get(); !has {
		t.Error("another resource was emptied")
	}
	server, err := m.Begin(ctx, dm.Server(1))
	must(t, err)
	defer server.Rollback()
	if err := server.Clear(path(t, "/33001/0/2")); !errors.Is(err, dm.MethodNotAllowed) {
		t.Errorf("Clear by a server: %v", err)
	}
}
