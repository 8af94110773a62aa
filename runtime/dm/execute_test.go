package dm_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestExecute(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	var got dm.Args
	var origin dm.Origin
	var fault error
	inst := fullMeter()
	inst.Reset = func(ctx context.Context, args dm.Args) error {
		got, origin = args, dm.OriginFrom(ctx)
		return fault
	}
	if err := o.Add(4, inst); err != nil {
		t.Fatal(err)
	}
	if err := o.Add(5, meter{Level: dm.Float(1), Mode: dm.Int(1)}); err != nil {
		t.Fatal(err)
	}
	s := newModel(t, dm.ModelConfig{}, o).Snapshot()
	args, err := dm.ParseArgs("2='x'")
	if err != nil {
		t.Fatal(err)
	}
	p := dm.ResourcePath(meterID, 4, resetID)
	if err := s.Execute(ctx, dm.Server(9), p, args); err != nil {
		t.Fatal(err)
	}
	if v, _ := got.Get(2); v != "x" || got.Instance != 4 || got.Origin != dm.Server(9) || origin != dm.Server(9) {
		t.Errorf("the function got %+v from %v", got, origin)
	}
	for _, test := range []struct {
		fault error
		want  dm.Code
	}{{errors.New("broken"), dm.InternalServerError}, {dm.Errorf(dm.BadRequest, "no such argument"), dm.BadRequest},
		{dm.ErrSlow, dm.InternalServerError}} {
		fault = test.fault
		if err := s.Execute(ctx, dm.Server(9), p, args); dm.CodeOf(err) != test.want || !errors.Is(err, fault) {
			t.Errorf("%v became %v", fault, err)
		}
	}
	for p, want := range map[string]dm.Code{
		"/": dm.MethodNotAllowed, "/33001": dm.MethodNotAllowed, "/33001/4": dm.MethodNotAllowed,
		"/33001/4/3/0": dm.MethodNotAllowed,
		"/33001/4/0":   dm.MethodNotAllowed, "/33001/5/3": dm.NotFound, "/33001/6/3": dm.NotFound,
		"/1/0/3": dm.NotFound, "/33001/4/99": dm.NotFound,
	} {
		if err := s.Execute(ctx, dm.Server(9), path(t, p), args); dm.CodeOf(err) != want {
			t.Errorf("executing %s: %v, want %v", p, err, want)
		}
	}
}

// An executable changes the data model through Update, like the application.
func TestExecutableUpdates(t *testing.T) {
	o, ctx := newMeters(t, dm.ObjectConfig[meter]{}), context.Background()
	inst := fullMeter()
	inst.Reset = func(ctx context.Context, args dm.Args) error {
		return o.Update(ctx, args.Instance, func(m *meter) error { m.Level.Set(0); return nil })
	}
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	if err := m.Snapshot().Execute(ctx, dm.Server(1), dm.ResourcePath(meterID, 0, resetID), dm.Args{}); err != nil {
		t.Fatal(err)
	}
	if got, _ := o.Get(0); got.Level.Or(-1) != 0 {
		t.Errorf("the level is %v", got.Level)
	}
}
