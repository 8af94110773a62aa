package dm_test

import (
	"context"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The bootstrap server can replace an instance without a value for its live mandatory resources.
func TestBootstrapLeavesLiveResourcesAlone(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	level := dm.Func(func(context.Context) (float64, error) { return 21.5, nil })
	if err := o.Add(0, meter{Level: level, Mode: dm.Int(1), Label: dm.Str("a")}); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := write(m, dm.Bootstrap, path(t, "/33001/0"), dm.Replace, entries(t, "/33001/0/9", 5)...); err != nil {
		t.Fatalf("replacing an instance with a live mandatory resource: %v", err)
	}
	if got, _ := o.Get(0); got.Mode.Or(0) != 5 || got.Label.Or("") != "" {
		t.Errorf("the instance is %v", got)
	}
	if v, err := m.Snapshot().Value(context.Background(), dm.Server(1), path(t, "/33001/0/0")); err != nil ||
		v.Float() != 21.5 {
		t.Errorf("the live resource reads %v, %v", v, err)
	}
	// No Commit hook would apply a written value, so the write fails.
	for who, code := range map[dm.Origin]dm.Code{dm.Bootstrap: dm.BadRequest, dm.Application: dm.MethodNotAllowed} {
		for _, base := range []string{"/33001/0", "/33001/0/0"} {
			err := write(m, who, path(t, base), dm.Update, entries(t, "/33001/0/0", 3.0)...)
			if dm.CodeOf(err) != code || !strings.Contains(err.Error(), "live") {
				t.Errorf("%v writing a live resource at %s: %v", who, base, err)
			}
		}
	}
	err := o.Update(context.Background(), 0, func(m *meter) error { m.Level.Set(3); return nil })
	checkError(t, "setting a live resource without a Commit hook", err,
		[]string{"/33001/0/0", "Level", "live", "Commit"})
}

func TestTemplateWithLiveResources(t *testing.T) {
	level := dm.Func(func(context.Context) (float64, error) { return 21.5, nil })
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: level}})
	m := newModel(t, dm.ModelConfig{}, o)
	err := write(m, dm.Bootstrap, path(t, "/33001/2"), dm.Replace, entries(t, "/33001/2/0", 3.0, "/33001/2/9", 1)...)
	if dm.CodeOf(err) != dm.BadRequest || !strings.Contains(err.Error(), "live") {
		t.Errorf("the bootstrap server writing a live resource of a new instance: %v", err)
	}
	if err := write(m, dm.Bootstrap, path(t, "/33001/2"), dm.Replace, entries(t, "/33001/2/9", 1)...); err != nil {
		t.Error(err)
	}
}
