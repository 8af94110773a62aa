package dm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// describe returns what a hook sees of its transaction.
func describe(x *dm.Tx[meter]) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v:", x.Origin())
	for id, old := range x.Deleted() {
		fmt.Fprintf(&b, " %d(%v>none)", id, old.Level.Or(-1))
	}
	for c := range x.Changes() {
		if old, ok := c.Old.Level.Get(); ok == c.Created {
			fmt.Fprintf(&b, " created: %t, but the old level is %v", c.Created, old)
		}
		fmt.Fprintf(&b, " %d(%v>%v)", c.ID, c.Old.Level.Or(-1), c.New.Level.Or(-1))
		for p := range c.Written() {
			fmt.Fprintf(&b, "%v", p)
		}
	}
	return b.String()
}

func TestChanges(t *testing.T) {
	var seen []string
	hook := func(_ context.Context, x *dm.Tx[meter]) error { seen = append(seen, describe(x)); return nil }
	o := newMeters(t, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(7), Mode: dm.Int(1), Label: dm.Empty[string]()},
		Hooks: dm.Hooks[meter]{Begin: hook, Validate: hook, Commit: hook,
			Changed: func(_ context.Context, x *dm.Tx[meter]) { _ = hook(nil, x) }},
	})
	for id := range dm.InstanceID(3) {
		if err := o.Add(id, fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	m, ctx := newModel(t, dm.ModelConfig{}, o), t.Context()
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"update", func() error { return o.Update(ctx, 1, func(m *meter) error { m.Level.Set(2); return nil }) },
			"application: 1(21.5>2)"},
		{"add", func() error { return o.Add(9, fullMeter()) }, "application: 9(-1>21.5)"},
		{"remove", func() error { return o.Remove(ctx, 9) }, "application: 9(21.5>none)"},
		{"write", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0"), dm.Update,
				entries(t, "/33001/0/9", 5, "/33001/0/4/7", "x", "/33001/0/99", 1)...)
		}, "server 1: 0(21.5>21.5)/33001/0/4/7/33001/0/9"},
		{"replace a resource", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0/4"), dm.Replace,
				entries(t, "/33001/0/4/7", "x", "/33001/0/4/8", "y")...)
		}, "server 1: 0(21.5>21.5)/33001/0/4"},
		{"create and delete", func() error {
			return do(m, dm.Server(1), func(tx *dm.Transaction) error {
				if err := tx.Delete(dm.InstancePath(meterID, 2)); err != nil {
					return err
				}
				return tx.Create(meterID, []dm.InstanceID{8, 5}, entries(t, "/33001/5/2", "n"))
			})
		}, "server 1: 2(21.5>none) 5(-1>7)/33001/5/2 8(-1>7)"},
	}
	for _, step := range steps {
		seen = nil
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if len(seen) != 4 || seen[1] != step.want || seen[2] != step.want || seen[3] != step.want {
			t.Errorf("%s: the hooks saw\n%s\nwant\n%s", step.name, strings.Join(seen, "\n"), step.want)
		}
		if !strings.HasSuffix(seen[0], ":") {
			t.Errorf("%s: Begin saw changes: %s", step.name, seen[0])
		}
	}
}

func TestWrote(t *testing.T) {
	var wrote []dm.ResourceID
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Commit: func(_ context.Context, x *dm.Tx[meter]) error {
		for c := range x.Changes() {
			for id := range dm.ResourceID(15) {
				if c.Wrote(id) {
					wrote = append(wrote, id)
				}
			}
		}
		return nil
	}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := write(m, dm.Server(1), path(t, "/33001/0"), dm.Update,
		entries(t, "/33001/0/9", 5, "/33001/0/4/7", "x")...); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(wrote, []dm.ResourceID{tagsID, modeID}) {
		t.Errorf("it wrote %v", wrote)
	}
}

// Hooks see the transaction's state of the object and of the Model, and can read the published
// state.
func TestHooksSeeTheirTransaction(t *testing.T) {
	var m *dm.Model
	called := false
	panels := newPanels(t, dm.ObjectConfig[panel]{Hooks: dm.Hooks[panel]{Validate: func(ctx context.Context, x *dm.Tx[panel]) error {
		if m == nil {
			return nil
		}
		called = true
		if own, ok := x.Get(0); !ok || own.Brightness.Or(0) != 9 {
			t.Errorf("the object's new state is %v", own.Brightness)
		}
		n := 0
		for range x.All() {
			n++
		}
		if _, ok := x.Get(1); ok || n != 1 {
			t.Errorf("there are %d instances", n)
		}
		s, ok := dm.SnapshotFrom(ctx)
		if !ok {
			t.Fatal("there is no snapshot of the transaction")
		}
		for p, want := range map[string]string{"/33001/0/9": "5", "/33002/0/0": "9", "/33001/7/9": "0",
			"/33001/1/9": "<none>"} {
			if got := show(s, path(t, p)); got != want {
				t.Errorf("%s is %s in the transaction, want %s", p, got, want)
			}
		}
		for p, want := range map[string]string{"/33001/0/9": "1", "/33002/0/0": "1", "/33001/7/9": "<none>",
			"/33001/1/9": "1"} {
			if got := show(m.Snapshot(), path(t, p)); got != want {
				t.Errorf("%s is %s outside of the transaction, want %s", p, got, want)
			}
		}
		return nil
	}}})
	meters := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(0)}})
	for id := range dm.InstanceID(2) {
		if err := meters.Add(id, fullMeter()); err != nil {
			t.Fatal(err)
		}
	}
	if err := panels.Add(0, panel{Brightness: dm.Int(1), Modes: dm.Ints(1)}); err != nil {
		t.Fatal(err)
	}
	m = newModel(t, dm.ModelConfig{}, panels, meters)
	err := do(m, dm.Server(1), func(tx *dm.Transaction) error {
		if err := tx.Write(dm.Path{}, dm.Update, entries(t, "/33001/0/9", 5, "/33002/0/0", 9)); err != nil {
			return err
		}
		if err := tx.Delete(dm.InstancePath(meterID, 1)); err != nil {
			return err
		}
		return tx.Create(meterID, []dm.InstanceID{7}, nil)
	})
	if err != nil || !called {
		t.Errorf("%v, the hook was called: %t", err, called)
	}
}

// show returns a value as text.
func show(s dm.Snapshot, p dm.Path) string {
	v, err := s.Value(context.Background(), dm.Application, p)
	if err != nil {
		return "<none>"
	}
	return v.String()
}

// Validate may amend the transaction. The amendments are checked and published with it.
func TestValidateAmends(t *testing.T) {
	var amend func(dm.Change[meter])
	var commit, kept *meter
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{
		Validate: func(_ context.Context, x *dm.Tx[meter]) error {
			for c := range x.Changes() {
				if amend != nil {
					amend(c)
					kept = c.New
				}
			}
			return nil
		},
		Commit: func(_ context.Context, x *dm.Tx[meter]) error {
			for c := range x.Changes() {
				copied := *c.New
				commit = &copied
				c.New.Level.Set(-40) // has no effect
			}
			return nil
		},
	}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	got, cancel := recordBatches(m)
	defer cancel()
	amend = func(c dm.Change[meter]) { c.New.Label.Set("amended"); c.Old.Label.Set("of no effect") }
	if err := write(m, dm.Server(1), path(t, "/33001/0/9"), dm.Replace, entries(t, "/33001/0/9", 5)...); err != nil {
		t.Fatal(err)
	}
	kept.Label.Set("too late")
	now, _ := o.Get(0)
	if now.Label.Or("") != "amended" || now.Mode.Or(0) != 5 || now.Level.Or(0) != 21.5 ||
		commit.Label.Or("") != "amended" {
		t.Errorf("published is %v, Commit saw %v", now, commit)
	}
	if want := "server 1: /33001/0/2 changed /33001/0/9 changed"; strings.Join(*got, "\n") != want {
		t.Errorf("the batches are %q, want %q", *got, want)
	}
	before := dump(t, m.Snapshot())
	for name, fn := range map[string]func(dm.Change[meter]){
		"out of range":       func(c dm.Change[meter]) { c.New.Level.Set(999) },
		"without mandatory":  func(c dm.Change[meter]) { c.New.Level.Clear() },
		"the whole instance": func(c dm.Change[meter]) { *c.New = meter{} },
	} {
		amend = fn
		err := write(m, dm.Server(1), path(t, "/33001/0/9"), dm.Replace, entries(t, "/33001/0/9", 0)...)
		if dm.CodeOf(err) != dm.InternalServerError || !strings.Contains(err.Error(), "Validate") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := changes(before, dump(t, m.Snapshot())); diff != "" {
		t.Errorf("wrong amendments changed\n%s", diff)
	}
}

// A server's write to a live resource is staged: Validate and Commit see it, and the resource stays
// live.
func TestStagedWrites(t *testing.T) {
	hardware := 20.0
	var seen []string
	look := func(name string) func(context.Context, *dm.Tx[meter]) error {
		return func(ctx context.Context, x *dm.Tx[meter]) error {
			for c := range x.Changes() {
				if c.Created {
					continue
				}
				v, ok := c.New.Goal.Get()
				old, was := c.Old.Goal.Get()
				s, _ := dm.SnapshotFrom(ctx)
				seen = append(seen, fmt.Sprint(name, " ", v, ok, " ", old, was, " ", show(s, path(t, "/33001/0/1")),
					" ", c.Affects(goalID)))
				if name == "commit" && ok {
					hardware = v
				}
			}
			return nil
		}
	}
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Validate: look("validate"),
		Commit: look("commit")}})
	inst := fullMeter()
	inst.Goal = dm.Func(func(context.Context) (float64, error) { return hardware, nil })
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	var persisted []dm.Event
	m := newModel(t, dm.ModelConfig{Persist: func(_ context.Context, c dm.Committed) error {
		persisted = c.Events
		if got := show(c.After, path(t, "/33001/0/1")); got != "30" { // Commit has set the hardware
			t.Errorf("after the change the resource reads %s", got)
		}
		return nil
	}}, o)
	if err := write(m, dm.Server(1), path(t, "/33001/0/1"), dm.Replace, entries(t, "/33001/0/1", 30.0)...); err != nil {
		t.Fatal(err)
	}
	if want := []string{"validate 30 true 0 false 30 true",
		"commit 30 true 0 false 30 true"}; !slices.Equal(seen, want) {
		t.Errorf("the hooks saw %q, want %q", seen, want)
	}
	if len(persisted) != 1 || persisted[0].Path != path(t, "/33001/0/1") {
		t.Errorf("persisted %v", persisted)
	}
	hardware = 31
	if got := show(m.Snapshot(), path(t, "/33001/0/1")); got != "31" {
		t.Errorf("the resource reads %s and is no longer live", got)
	}
	if now, _ := o.Get(0); now.Goal.Supported() {
		if v, ok := now.Goal.Get(); ok {
			t.Errorf("the value %v is still staged", v)
		}
	}
	// The application's Set is staged in the same way.
	m2 := newModel(t, dm.ModelConfig{})
	if err := m.Unregister(t.Context(), meterID); err != nil {
		t.Fatal(err)
	}
	if err := m2.Register(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := o.Update(t.Context(), 0, func(m *meter) error { m.Goal.Set(40); return nil }); err != nil || hardware != 40 {
		t.Errorf("%v, the hardware has %v", err, hardware)
	}
	// A value out of range is refused before any hook runs.
	seen = nil
	if err := write(m2, dm.Server(1), path(t, "/33001/0/1"), dm.Replace,
		entries(t, "/33001/0/1", 101.0)...); dm.CodeOf(err) != dm.BadRequest || len(seen) != 0 {
		t.Errorf("%v, the hooks saw %v", err, seen)
	}
	// A Replace that leaves the resource out stages that it has no value.
	if err := write(m2, dm.Server(1), path(t, "/33001/0"), dm.Replace, entries(t, "/33001/0/9", 0)...); err != nil {
		t.Fatal(err)
	}
	if want := []string{"validate 0 false 0 false <none> true",
		"commit 0 false 0 false <none> true"}; !slices.Equal(seen, want) {
		t.Errorf("the hooks saw %q, want %q", seen, want)
	}
	if got := show(m2.Snapshot(), path(t, "/33001/0/1")); got != "40" {
		t.Errorf("the resource reads %s", got)
	}
}

// Writes to the resource instances of a live resource are staged, too.
func TestStagedResourceInstances(t *testing.T) {
	hardware := map[dm.ResourceInstanceID]int64{0: 1}
	o := newPanels(t, dm.ObjectConfig[panel]{Hooks: dm.Hooks[panel]{Commit: func(_ context.Context, x *dm.Tx[panel]) error {
		for c := range x.Changes() {
			if c.Wrote(1) {
				for id, v := range c.New.Modes.All() {
					hardware[id] = v
				}
			}
		}
		return nil
	}}})
	modes := dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) { return hardware, nil })
	if err := o.Add(0, panel{Brightness: dm.Int(1), Modes: modes}); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := write(m, dm.Server(1), path(t, "/33002/0/1"), dm.Update, entries(t, "/33002/0/1/3", 30)...); err != nil {
		t.Fatal(err)
	}
	if err := write(m, dm.Server(1), path(t, "/33002/0/1/0"), dm.Replace,
		entries(t, "/33002/0/1/0", 10)...); err != nil {
		t.Fatal(err)
	}
	if got, err := read(m.Snapshot(), dm.Server(1), path(t, "/33002/0/1")); err != nil ||
		got != "/33002/0/1/0=10\n/33002/0/1/3=30\n" {
		t.Errorf("the resource reads %v %q", err, got)
	}
	if now, _ := o.Get(0); now.Modes.Len() != 0 {
		t.Errorf("%v is still staged", now.Modes)
	}
}
