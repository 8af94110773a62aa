package behaviour_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// Join runs both hooks of each kind in order, and runs the second one only after success.
func TestJoin(t *testing.T) {
	var order []string
	fail := ""
	note := func(who, kind string) error {
		order = append(order, who+" "+kind)
		if fail == who+" "+kind {
			return errors.New(fail)
		}
		return nil
	}
	hooks := func(who string) portfolio.Hooks {
		hook := func(kind string) func(context.Context, *portfolio.Tx) error {
			return func(context.Context, *portfolio.Tx) error { return note(who, kind) }
		}
		return portfolio.Hooks{
			Begin: hook("begin"), Validate: hook("validate"), Commit: hook("commit"), Rollback: hook("rollback"),
			Changed: func(context.Context, *portfolio.Tx) { _ = note(who, "changed") },
			Create:  func(context.Context, dm.InstanceID, *portfolio.Instance) error { return note(who, "create") },
			Delete:  func(context.Context, dm.InstanceID) error { return note(who, "delete") },
		}
	}
	both := behaviour.Join(hooks("object"), hooks("program"))
	ctx := context.Background()
	run := func(h portfolio.Hooks) {
		order = nil
		for _, hook := range []func(context.Context, *portfolio.Tx) error{h.Begin, h.Validate, h.Commit, h.Rollback} {
			_ = hook(ctx, nil)
		}
		h.Changed(ctx, nil)
		_ = h.Create(ctx, 0, nil)
		_ = h.Delete(ctx, 0)
	}
	kinds := []string{"begin", "validate", "commit", "rollback", "changed", "create", "delete"}
	for _, kind := range append([]string{""}, kinds...) {
		fail = "object " + kind
		run(both)
		var want []string
		for _, k := range kinds {
			switch {
			case k == "rollback":
				want = append(want, "program rollback", "object rollback")
			case k == kind && k != "changed":
				want = append(want, "object "+k)
			default:
				want = append(want, "object "+k, "program "+k)
			}
		}
		if !slices.Equal(order, want) {
			t.Errorf("%s fails: hooks ran as %q, want %q", kind, order, want)
		}
	}
	fail = ""
	for who, one := range map[string]portfolio.Hooks{
		"object":  behaviour.Join(hooks("object"), portfolio.Hooks{}),
		"program": behaviour.Join(portfolio.Hooks{}, hooks("program")),
	} {
		run(one)
		if len(order) != len(kinds) || order[0] != who+" begin" {
			t.Errorf("alone, the hooks of the %s ran as %q", who, order)
		}
	}
	none := behaviour.Join(portfolio.Hooks{}, portfolio.Hooks{})
	if none.Begin != nil || none.Commit != nil || none.Changed != nil || none.Create != nil || none.Delete != nil {
		t.Error("two empty hooks make one that is not empty")
	}
}

// Apply hands over what a transaction leaves, and what was there before if it is rolled back.
func TestApply(t *testing.T) {
	var calls []string
	var fail error
	apply := behaviour.Apply(func(_ context.Context, id dm.InstanceID, i *portfolio.Instance) error {
		text := "deleted"
		if i != nil {
			text, _ = i.Identity.Get(0)
		}
		calls = append(calls, fmt.Sprint(id, " ", text))
		return nil
	})
	last := portfolio.Hooks{Commit: func(context.Context, *portfolio.Tx) error { return fail }}
	o, err := portfolio.New(portfolio.Config{Hooks: behaviour.Join(apply, last)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	want := func(what string, expected ...string) {
		t.Helper()
		if !slices.Equal(calls, expected) {
			t.Errorf("%s: called %q, want %q", what, calls, expected)
		}
		calls = nil
	}
	add := func() error { return o.Add(0, portfolio.Instance{Identity: dm.Strs("a")}) }
	d := objecttest.New(t, o)
	change := func() error { return d.Write("/16/0/0/0", dm.StringValue("b")) }
	fail = errors.New("no")
	if add() == nil {
		t.Error("a failed Commit added the instance")
	}
	want("a rolled back Add", "0 a", "0 deleted")
	fail = nil
	if err := add(); err != nil {
		t.Error(err)
	}
	want("an Add", "0 a")
	fail = errors.New("no")
	if change() == nil {
		t.Error("a failed Commit changed the instance")
	}
	want("a rolled back change", "0 b", "0 a")
	if o.Remove(ctx, 0) == nil {
		t.Error("a failed Commit removed the instance")
	}
	want("a rolled back Remove", "0 deleted", "0 a")
	fail = nil
	err = o.Update(ctx, 0, func(i *portfolio.Instance) error { i.Identity.Set(0, "c"); return nil })
	if err != nil {
		t.Error(err)
	}
	want("the program's own change")
	if err := o.Remove(ctx, 0); err != nil {
		t.Error(err)
	}
	want("a Remove", "0 deleted")
}
