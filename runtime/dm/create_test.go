package dm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// create runs one Create by who.
func create(m *dm.Model, who dm.Origin, o dm.ObjectID, ids []dm.InstanceID, list ...dm.Entry) error {
	return do(m, who, func(t *dm.Transaction) error { return t.Create(o, ids, list) })
}

func TestCreate(t *testing.T) {
	w := watch(t)
	before := dump(t, w.m.Snapshot())
	// Level is read-only and Key hidden: a server cannot set them. Goal keeps the template's
	// value, the payload's Tags replace the template's, Mode is mandatory and not in the
	// template, and the template does not support Flag.
	err := create(w.m, dm.Server(1), meterID, []dm.InstanceID{9}, entries(t,
		"/33001/9/0", 99.0, "/33001/9/2", "new", "/33001/9/4/5", "t", "/33001/9/7", dm.OpaqueValue([]byte("k")),
		"/33001/9/9", 5, "/33001/9/13", true, "/33001/9/99", 1)...)
	if err != nil {
		t.Fatal(err)
	}
	want := "+/33001/9/0 Float 7\n+/33001/9/1 Float 50\n+/33001/9/2 String new\n+/33001/9/4  \n+/33001/9/4/5 String t\n+/33001/9/7  \n+/33001/9/9 Integer 5\n"
	if got := changes(before, dump(t, w.m.Snapshot())); got != want {
		t.Errorf("Create changes\n%swant\n%s", got, want)
	}
}

// Core 1.2.2 §6.3.6: the payload has a value for each mandatory resource that the device does not
// set itself.
func TestCreateNeedsMandatoryResources(t *testing.T) {
	w := watch(t)
	before := dump(t, w.m.Snapshot())
	err := create(w.m, dm.Server(1), meterID, []dm.InstanceID{9}, entries(t, "/33001/9/2", "new")...)
	if dm.CodeOf(err) != dm.BadRequest || !strings.Contains(err.Error(), "/33001/9") ||
		!strings.Contains(err.Error(), "missing: Mode (9)") {
		t.Errorf("without a mandatory resource: %v", err)
	}
	if got := changes(before, dump(t, w.m.Snapshot())); got != "" {
		t.Errorf("it changes\n%s", got)
	}
}

func TestCreateRefuses(t *testing.T) {
	one := []dm.InstanceID{9}
	tests := []struct {
		name    string
		who     dm.Origin
		object  dm.ObjectID
		ids     []dm.InstanceID
		payload []dm.Entry
		code    dm.Code
	}{
		{"no such object", dm.Server(1), 1, one, nil, dm.NotFound},
		{"the reserved object", dm.Server(1), 65535, one, nil, dm.NotFound},
		{"an instance that is there", dm.Server(1), meterID, []dm.InstanceID{1}, nil, dm.BadRequest},
		{"the reserved instance", dm.Server(1), meterID, []dm.InstanceID{65535}, nil, dm.BadRequest},
		{"an instance twice", dm.Server(1), meterID, []dm.InstanceID{9, 8, 9}, nil, dm.BadRequest},
		{"values of another instance", dm.Server(1), meterID, one, entries(t, "/33001/1/9", 1), dm.BadRequest},
		{"values of another object", dm.Server(1), meterID, one, entries(t, "/33002/9/0", 1), dm.BadRequest},
		{"out of range", dm.Server(1), meterID, one, entries(t, "/33001/9/9", 7), dm.BadRequest},
		{"another type", dm.Server(1), meterID, one, entries(t, "/33001/9/9", "x"), dm.BadRequest},
		{"twice", dm.Server(1), meterID, one, entries(t, "/33001/9/9", 1, "/33001/9/9", 1), dm.BadRequest},
		// Single-instance objects refuse a management server for every ID.
		{"a single-instance object", dm.Server(1), panelID, []dm.InstanceID{0}, nil, dm.MethodNotAllowed},
		{"a single-instance object, another ID", dm.Server(1), panelID, one, nil, dm.MethodNotAllowed},
		{"bootstrap: no such object", dm.Bootstrap, 1, one, nil, dm.BadRequest},
		{"bootstrap: an instance that is there", dm.Bootstrap, meterID, []dm.InstanceID{1}, nil, dm.BadRequest},
	}
	for _, test := range tests {
		w := watch(t)
		before := dump(t, w.m.Snapshot())
		if err := create(w.m, test.who, test.object, test.ids, test.payload...); dm.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %v", test.name, err, test.code)
		}
		if got := changes(before, dump(t, w.m.Snapshot())); got != "" {
			t.Errorf("%s changes\n%s", test.name, got)
		}
		if w.hooks != 0 {
			t.Errorf("%s: %d hooks were called", test.name, w.hooks)
		}
	}
}

// Without a template and a Create hook servers cannot create instances; the object itself exists.
func TestCreateNeedsATemplate(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	m := newModel(t, dm.ModelConfig{}, o)
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{0}); dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("a server creates: %v, want 4.05", err)
	}
	if err := write(m, dm.Bootstrap, path(t, "/33001/0"), dm.Replace); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("the bootstrap server creates: %v, want 4.00", err)
	}
	if o.Len() != 0 {
		t.Error("an instance was created")
	}
}

func TestMaxInstances(t *testing.T) {
	template := meter{Level: dm.Float(1), Mode: dm.Int(1)}
	o := newMeters(t, dm.ObjectConfig[meter]{Template: template, MaxInstances: 2})
	m := newModel(t, dm.ModelConfig{}, o)
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{5}); err != nil {
		t.Fatal(err)
	}
	if err := create(m, dm.Server(1), meterID,
		[]dm.InstanceID{6, 7}); dm.CodeOf(err) != dm.MethodNotAllowed || o.Len() != 1 {
		t.Errorf("two instances above the limit: %v, there are %d", err, o.Len())
	}
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{6}); err != nil {
		t.Error(err)
	}
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{7}); dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("one instance above the limit: %v", err)
	}
	if err := o.Add(7, template); err != nil { // the limit applies to servers only
		t.Error(err)
	}
}

// The bootstrap server can create the instance of a single-instance object, and no other instance.
func TestBootstrapMakesSingleInstance(t *testing.T) {
	o := newPanels(t, dm.ObjectConfig[panel]{Template: panel{Modes: dm.Ints(1)}})
	m := newModel(t, dm.ModelConfig{}, o)
	if err := write(m, dm.Bootstrap, path(t, "/33002/1"), dm.Replace,
		entries(t, "/33002/1/0", 1)...); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("instance 1: %v", err)
	}
	if err := write(m, dm.Bootstrap, path(t, "/33002/0"), dm.Replace, entries(t, "/33002/0/0", 1)...); err != nil {
		t.Errorf("instance 0: %v", err)
	}
	if err := write(m, dm.Bootstrap, path(t, "/33002/1"), dm.Replace,
		entries(t, "/33002/1/0", 1)...); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("a second instance: %v", err)
	}
	if o.Len() != 1 {
		t.Errorf("there are %d instances", o.Len())
	}
}

func TestCreateHook(t *testing.T) {
	var kept *meter
	var boom error
	var wrong bool
	var asked []string
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Create: func(ctx context.Context, id dm.InstanceID, m *meter) error {
		asked = append(asked, fmt.Sprint(id, " for ", dm.OriginFrom(ctx)))
		kept = m
		m.Level = dm.Float(float64(id))
		m.Label = dm.Str("made")
		if wrong {
			m.Level = dm.Float(999)
		}
		return boom
	}}})
	m := newModel(t, dm.ModelConfig{}, o)
	if err := create(m, dm.Server(4), meterID, []dm.InstanceID{7},
		entries(t, "/33001/7/9", 1, "/33001/7/2", "mine")...); err != nil {
		t.Fatal(err)
	}
	kept.Level.Set(50) // after the transaction this must have no effect
	if got, _ := o.Get(7); got.Level.Or(0) != 7 || got.Label.Or("") != "mine" || got.Mode.Or(0) != 1 {
		t.Errorf("the instance is %v", got)
	}
	boom = dm.Errorf(dm.Forbidden, "no more")
	if err := create(m, dm.Server(4), meterID, []dm.InstanceID{8},
		entries(t, "/33001/8/9", 1)...); dm.CodeOf(err) != dm.Forbidden || !errors.Is(err, boom) {
		t.Errorf("a hook that refuses: %v", err)
	}
	boom, wrong = nil, true
	if err := create(m, dm.Server(4), meterID, []dm.InstanceID{8},
		entries(t, "/33001/8/9", 1)...); dm.CodeOf(err) != dm.InternalServerError ||
		!strings.Contains(err.Error(), "999") {
		t.Errorf("a hook that returns an invalid instance: %v", err)
	}
	if o.Len() != 1 || fmt.Sprint(asked) != "[7 for server 4 8 for server 4 8 for server 4]" {
		t.Errorf("there are %d instances; the hook was called for %v", o.Len(), asked)
	}
}

// A refused Create does not affect a later Create in the same transaction.
func TestCreateAfterRefusedCreate(t *testing.T) {
	fails := true
	o := newMeters(t, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Label: dm.Empty[string]()},
		Hooks: dm.Hooks[meter]{Create: func(_ context.Context, id dm.InstanceID, m *meter) error {
			if fails && id == 3 {
				return dm.Forbidden
			}
			m.Label = dm.Str(fmt.Sprint(fails))
			return nil
		}},
	})
	m := newModel(t, dm.ModelConfig{}, o)
	err := do(m, dm.Server(1), func(tx *dm.Transaction) error {
		if err := tx.Create(meterID, []dm.InstanceID{2, 3}, nil); !errors.Is(err, dm.Forbidden) {
			t.Errorf("creating 2 and 3: %v", err)
		}
		fails = false
		return tx.Create(meterID, []dm.InstanceID{2}, nil)
	})
	if got, _ := o.Get(2); err != nil || o.Len() != 1 || got.Label.Or("") != "false" {
		t.Errorf("%v; instance 2 is %v among %d", err, got.Label, o.Len())
	}
}

// A write to an instance that was made from a template changes neither the template nor other
// instances.
func TestInstancesOfATemplateShareNothing(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Tags: dm.List("t"),
		Blob: dm.Bytes([]byte("b"))}})
	m := newModel(t, dm.ModelConfig{}, o)
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := write(m, dm.Server(1), path(t, "/33001/1"), dm.Update,
		entries(t, "/33001/1/4/0", "changed", "/33001/1/10", dm.OpaqueValue([]byte("x")))...); err != nil {
		t.Fatal(err)
	}
	if err := create(m, dm.Server(1), meterID, []dm.InstanceID{3}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []dm.InstanceID{2, 3} {
		got, _ := o.Get(id)
		if tag, _ := got.Tags.Get(0); tag != "t" || string(got.Blob.Or(nil)) != "b" {
			t.Errorf("instance %d is %v", id, got)
		}
	}
}

func TestNewInstanceID(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1)}})
	for _, id := range []dm.InstanceID{0, 1, 3, 65534} {
		if err := o.Add(id, fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	m := newModel(t, dm.ModelConfig{}, o)
	err := do(m, dm.Server(1), func(tx *dm.Transaction) error {
		for least, want := range map[dm.InstanceID]dm.InstanceID{0: 2, 1: 2, 2: 2, 3: 4, 4: 4, 65533: 65533} {
			if id, err := tx.NewInstanceID(meterID, least); err != nil || id != want {
				t.Errorf("the first free ID from %d is %d, %v, want %d", least, id, err, want)
			}
		}
		for _, least := range []dm.InstanceID{65534, 65535} {
			if id, err := tx.NewInstanceID(meterID, least); dm.CodeOf(err) != dm.MethodNotAllowed {
				t.Errorf("the first free ID from %d is %d, %v", least, id, err)
			}
		}
		if _, err := tx.NewInstanceID(1, 0); !errors.Is(err, dm.NotFound) {
			t.Errorf("an ID for no object: %v", err)
		}
		if err := tx.Create(meterID, []dm.InstanceID{2}, nil); err != nil {
			return err
		}
		if id, err := tx.NewInstanceID(meterID, 0); err != nil || id != 4 {
			t.Errorf("after creating 2 it is %d, %v", id, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A mandatory executable comes from the template or the Create hook; a server cannot send it.
func TestCreateKeepsMandatoryExecutables(t *testing.T) {
	def := registry.Object{ID: 33004, Name: "Runner", Multiple: true, Resources: []registry.Resource{
		{ID: 3, Name: "Reset", Ops: registry.E, Mandatory: true},
	}}
	hook := func(_ context.Context, _ dm.InstanceID, m *meter) error { return nil }
	o, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Create: hook}})
	if err != nil {
		t.Fatal(err)
	}
	err = create(newModel(t, dm.ModelConfig{}, o), dm.Server(1), 33004, []dm.InstanceID{0})
	checkError(t, "an instance without its mandatory executable", err, []string{"Reset (3)"})
}
