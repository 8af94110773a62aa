package dm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func del(m *dm.Model, who dm.Origin, p dm.Path) error {
	return do(m, who, func(t *dm.Transaction) error { return t.Delete(p) })
}

func TestDelete(t *testing.T) {
	tests := []struct {
		name string
		who  dm.Origin
		path string
		want string // the remaining instances
		code dm.Code
	}{
		{"an instance", dm.Server(1), "/33001/1", "[0] [0]", 0},
		{"a resource instance", dm.Server(1), "/33001/0/4/1", "[0 1] [0]", 0},
		{"an instance that is not there", dm.Server(1), "/33001/7", "[0 1] [0]", dm.NotFound},
		{"no such object", dm.Server(1), "/1/0", "[0 1] [0]", dm.NotFound},
		{"a single instance", dm.Server(1), "/33002/0", "[0 1] [0]", dm.MethodNotAllowed},
		{"an object", dm.Server(1), "/33001", "[0 1] [0]", dm.MethodNotAllowed},
		{"a resource", dm.Server(1), "/33001/0/4", "[0 1] [0]", dm.MethodNotAllowed},
		{"everything", dm.Server(1), "/", "[0 1] [0]", dm.MethodNotAllowed},
		{"an instance of a single resource", dm.Server(1), "/33001/0/1/0", "[0 1] [0]", dm.MethodNotAllowed},
		{"a read-only resource instance", dm.Server(1), "/33001/0/5/1", "[0 1] [0]", dm.MethodNotAllowed},
		{"a resource instance that is not there", dm.Server(1), "/33001/0/4/9", "[0 1] [0]", dm.NotFound},
		{"a resource instance of an absent instance", dm.Server(1), "/33001/9/4/9", "[0 1] [0]", dm.NotFound},
		{"a resource instance of an unsupported resource", dm.Server(1), "/33001/1/4/0", "[0 1] [0]", dm.NotFound},
		// Core 1.2.2 §6.3.7: the last resource instance of a mandatory resource stays.
		{"the last instance of a mandatory resource", dm.Server(1), "/33002/0/1/0", "[0 1] [0]", dm.MethodNotAllowed},
		{"bootstrap: an instance", dm.Bootstrap, "/33001/1", "[0] [0]", 0},
		{"bootstrap: an object", dm.Bootstrap, "/33001", "[] [0]", 0},
		{"bootstrap: a single instance", dm.Bootstrap, "/33002/0", "[0 1] []", 0},
		{"bootstrap: a single-instance object", dm.Bootstrap, "/33002", "[0 1] []", 0},
		{"bootstrap: an instance that does not exist", dm.Bootstrap, "/33001/7", "[0 1] [0]", dm.BadRequest},
		{"bootstrap: a resource", dm.Bootstrap, "/33001/0/4", "[0 1] [0]", dm.BadRequest},
		{"bootstrap: a resource instance", dm.Bootstrap, "/33001/0/4/0", "[0 1] [0]", dm.BadRequest},
		{"the application: a single instance", dm.Application, "/33002/0", "[0 1] []", 0},
	}
	for _, test := range tests {
		w := watch(t)
		if err := del(w.m, test.who, path(t, test.path)); dm.CodeOf(err) != test.code {
			t.Errorf("deleting %s: %v, want %v", test.name, err, test.code)
		}
		got := [2][]dm.InstanceID{}
		for i, o := range []dm.ObjectID{meterID, panelID} {
			for id := range w.m.Snapshot().Instances(o) {
				got[i] = append(got[i], id)
			}
		}
		if s := fmt.Sprint(got[0], " ", got[1]); s != test.want {
			t.Errorf("deleting %s leaves %s, want %s", test.name, s, test.want)
		}
	}
}

func TestDeleteLastInstanceOfOptionalResource(t *testing.T) {
	w := watch(t)
	for _, p := range []string{"/33001/0/4/0", "/33001/0/4/1"} {
		if err := del(w.m, dm.Server(1), path(t, p)); err != nil {
			t.Errorf("deleting %s: %v", p, err)
		}
	}
	if got, _ := w.meters.Get(0); !got.Tags.Supported() || got.Tags.Len() != 0 {
		t.Errorf("the remaining resource instances are %v", got.Tags)
	}
	if err := write(w.m, dm.Server(1), path(t, "/33001/0/4"), dm.Update,
		entries(t, "/33001/0/4/3", "again")...); err != nil {
		t.Errorf("writing to the empty resource: %v", err)
	}
}

func TestDeleteLiveResourceInstance(t *testing.T) {
	o := newPanels(t, dm.ObjectConfig[panel]{Hooks: dm.Hooks[panel]{Commit: commits[panel]}})
	err := o.Add(0, panel{Brightness: dm.Int(1),
		Modes: dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
			t.Error("the function was called")
			return nil, nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := del(m, dm.Server(1), path(t, "/33002/0/1/0")); dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("got %v", err)
	}
}

func TestDeleteHook(t *testing.T) {
	boom := errors.New("in use")
	var asked []string
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Delete: func(ctx context.Context, id dm.InstanceID) error {
		asked = append(asked, fmt.Sprint(id, " for ", dm.OriginFrom(ctx)))
		if id == 2 {
			return boom
		}
		return nil
	}}})
	for id := range dm.InstanceID(3) {
		if err := o.Add(id, fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := del(m, dm.Server(1), path(t, "/33001/0")); err != nil {
		t.Error(err)
	}
	if err := del(m, dm.Server(1), path(t, "/33001/2")); !errors.Is(err, boom) ||
		dm.CodeOf(err) != dm.InternalServerError {
		t.Errorf("a hook that refuses: %v", err)
	}
	if err := del(m, dm.Bootstrap, path(t, "/33001")); !errors.Is(err, boom) || o.Len() != 2 {
		t.Errorf("a hook that refuses one of all: %v, %d are left", err, o.Len())
	}
	if want := "[0 for server 1 2 for server 1 1 for bootstrap server 2 for bootstrap server]"; fmt.Sprint(asked) != want {
		t.Errorf("the hook was asked %v", asked)
	}
	if err := o.Remove(t.Context(), 2); err != nil { // the application is always allowed
		t.Error(err)
	}
	if err := del(m, dm.Application, path(t, "/33001/1")); err != nil || len(asked) != 4 {
		t.Errorf("%v; the hook was asked %v", err, asked)
	}
}

// A management server deletes no instance that only the application can make, unless a Delete hook
// lets it go.
func TestDeleteWithoutTemplate(t *testing.T) {
	noop := func(context.Context, dm.InstanceID) error { return nil }
	for _, test := range []struct {
		name   string
		config dm.ObjectConfig[meter]
		who    dm.Origin
		want   dm.Code
	}{
		{"neither", dm.ObjectConfig[meter]{}, dm.Server(1), dm.MethodNotAllowed},
		{"a Template", dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1)}}, dm.Server(1), 0},
		{"a Delete hook", dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Delete: noop}}, dm.Server(1), 0},
		{"neither, the bootstrap server", dm.ObjectConfig[meter]{}, dm.Bootstrap, 0},
		{"neither, the application", dm.ObjectConfig[meter]{}, dm.Application, 0},
	} {
		o := newMeters(t, test.config)
		if err := o.Add(1, meter{Level: dm.Float(1), Mode: dm.Int(1), Tags: dm.List("a", "b")}); err != nil {
			t.Fatal(err)
		}
		m := newModel(t, dm.ModelConfig{}, o)
		if err := del(m, test.who, dm.InstancePath(meterID, 1)); dm.CodeOf(err) != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if has := m.Snapshot().Has(dm.InstancePath(meterID, 1)); has != (test.want != 0) {
			t.Errorf("%s: the instance is there: %v", test.name, has)
		}
	}
}
