package accesscontrol_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

func ExampleEntry() {
	ac, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Server 1 owns the clock, server 2 may read it, and all others may not.
	fmt.Println(ac.Add(0, accesscontrol.Entry(dm.InstancePath(3, 0), 1, map[dm.ShortServerID]accesscontrol.Rights{
		2: accesscontrol.Read,
	})))
	// Server 2 may create instances of object 3303.
	fmt.Println(ac.Add(1, accesscontrol.Entry(dm.ObjectPath(3303), accesscontrol.BootstrapOwner,
		map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Create})))
	// Each instance has one entry.
	fmt.Println(ac.Add(2, accesscontrol.Entry(dm.InstancePath(3, 0), 2, nil)))
	// Output:
	// <nil>
	// <nil>
	// /2/2/1: instance 0 is for instance 0 of object 3 already
}

func newObject(t *testing.T) *accesscontrol.Object {
	t.Helper()
	o, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestObject(t *testing.T) {
	o := newObject(t)
	if err := o.Add(0, accesscontrol.Entry(dm.InstancePath(3, 0), 1, map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Read})); err != nil {
		t.Fatal(err)
	}
	// The values of one instance depend on each other and on those of all others.
	dmtest.Object(t, o, dmtest.Except(0, 1, 3))
}

func TestValidate(t *testing.T) {
	o := newObject(t)
	if err := o.Add(0, accesscontrol.Entry(dm.InstancePath(3, 0), 1, nil)); err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		inst accesscontrol.Instance
		path string
	}{
		"second entry":       {accesscontrol.Entry(dm.InstancePath(3, 0), 2, nil), "/2/1/1"},
		"no owner":           {accesscontrol.Entry(dm.InstancePath(3, 1), 0, nil), "/2/1/3"},
		"object of a server": {accesscontrol.Entry(dm.ObjectPath(3303), 1, nil), "/2/1/3"},
		"unknown right":      {accesscontrol.Entry(dm.InstancePath(3, 1), 1, map[dm.ShortServerID]accesscontrol.Rights{1: 32}), "/2/1/2/1"},
		"itself":             {accesscontrol.Entry(dm.InstancePath(2, 0), 1, nil), "/2/1/0"},
		"security":           {accesscontrol.Entry(dm.InstancePath(0, 1), 1, nil), "/2/1/0"},
	} {
		err := o.AddContext(t.Context(), 1, c.inst)
		var e *dm.Error
		if !errors.As(err, &e) || e.Path.String() != c.path || dm.CodeOf(err) != dm.BadRequest {
			t.Errorf("%s: %v, want 4.00 at %s", name, err, c.path)
		}
	}
	owner := dm.ResourcePath(2, 0, 3)
	give := func(who dm.Origin, to int64) error {
		tx, err := m.Begin(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := tx.Write(owner, dm.Replace, []dm.Entry{{Path: owner, Value: dm.IntegerValue(to)}}); err != nil {
			return err
		}
		return tx.Commit()
	}
	if err := give(dm.Server(1), 2); err != nil {
		t.Errorf("a server gives its instance to another: %v", err)
	}
	if err := give(dm.Server(2), 65535); dm.CodeOf(err) != dm.BadRequest {
		t.Errorf("a server gives its instance to the bootstrap server: %v, want 4.00", err)
	}
	if err := give(dm.Application, 65535); err != nil {
		t.Errorf("the application gives it to the bootstrap server: %v", err)
	}
}

func TestRightsString(t *testing.T) {
	for r, want := range map[accesscontrol.Rights]string{
		0: "none", accesscontrol.Read | accesscontrol.Delete: "RD", accesscontrol.All: "RWEDC", accesscontrol.Read | 64: "R+0x40",
	} {
		if got := r.String(); got != want {
			t.Errorf("%d is %q, want %q", r, got, want)
		}
	}
	if !accesscontrol.All.Has(accesscontrol.Create|accesscontrol.Read) || accesscontrol.Read.Has(accesscontrol.Read|accesscontrol.Write) {
		t.Error("Has does not ask for all of the rights")
	}
}
