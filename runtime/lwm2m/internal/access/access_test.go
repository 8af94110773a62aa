package access

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

func tableOf(t *testing.T, instances ...accesscontrol.Instance) *Table {
	t.Helper()
	o, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i, inst := range instances {
		if err := o.Add(dm.InstanceID(i), inst); err != nil {
			t.Fatal(err)
		}
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return Read(m.Snapshot())
}

type rights = map[dm.ShortServerID]accesscontrol.Rights

func TestRights(t *testing.T) {
	const r, w, d, c, all = accesscontrol.Read, accesscontrol.Write, accesscontrol.Delete, accesscontrol.Create, accesscontrol.All
	table := tableOf(t,
		accesscontrol.Entry(dm.InstancePath(3, 0), 1, rights{2: r, accesscontrol.Everyone: w}),
		// An owner with rights of its own.
		accesscontrol.Entry(dm.InstancePath(3303, 0), 1, rights{1: r, accesscontrol.Everyone: all}),
		accesscontrol.Entry(dm.InstancePath(3303, 1), 2, nil),
		accesscontrol.Entry(dm.InstancePath(3303, 2), accesscontrol.BootstrapOwner, rights{3: d}),
		accesscontrol.Entry(dm.ObjectPath(3303), accesscontrol.BootstrapOwner, rights{2: c}),
	)
	for _, x := range []struct {
		server   dm.ShortServerID
		object   dm.ObjectID
		instance dm.InstanceID
		want     accesscontrol.Rights
	}{
		{1, 3, 0, all}, {2, 3, 0, r}, {3, 3, 0, w},
		{1, 3303, 0, r}, {2, 3303, 0, all},
		{1, 3303, 1, 0}, {2, 3303, 1, all},
		{1, 3303, 2, 0}, {3, 3303, 2, d},
		{1, 3303, accesscontrol.WholeObject, 0}, {2, 3303, accesscontrol.WholeObject, c},
		{1, 3303, 3, 0}, {1, 4, 0, 0},
	} {
		if got := table.Rights(x.server, x.object, x.instance); got != x.want {
			t.Errorf("server %d has %v on /%d/%d, want %v", x.server, got, x.object, x.instance, x.want)
		}
	}
	if !table.Owns(2, 2) || table.Owns(1, 2) || table.Owns(2, 9) {
		t.Error("the owner of /2/2 is server 2 alone")
	}
	if table.Empty() || !tableOf(t).Empty() || tableOf(t).Rights(1, 3, 0) != 0 {
		t.Error("a table without instances is not empty, or gives rights")
	}
}

// The new owner is the server with the highest sum of Write and Delete, of several the first.
func TestHeir(t *testing.T) {
	const r, w, e, d = accesscontrol.Read, accesscontrol.Write, accesscontrol.Execute, accesscontrol.Delete
	for _, c := range []struct {
		rights rights
		left   []dm.ShortServerID
		want   dm.ShortServerID
		found  bool
	}{
		{rights{2: r, 3: w, 4: w | d}, []dm.ShortServerID{2, 3, 4}, 4, true},
		{rights{2: r, 3: w, 4: d}, []dm.ShortServerID{4, 3, 2}, 3, true},
		{rights{2: r | e}, []dm.ShortServerID{2}, 2, true},
		// The default is everyone's.
		{rights{accesscontrol.Everyone: w}, []dm.ShortServerID{5, 2}, 2, true},
		// No account any more.
		{rights{4: w | d}, []dm.ShortServerID{2, 3}, accesscontrol.BootstrapOwner, false},
		// The one that has gone.
		{rights{1: w | d}, []dm.ShortServerID{1, 2}, accesscontrol.BootstrapOwner, false},
		{rights{2: 0}, []dm.ShortServerID{2}, accesscontrol.BootstrapOwner, false},
		{nil, nil, accesscontrol.BootstrapOwner, false},
	} {
		e := tableOf(t, accesscontrol.Entry(dm.InstancePath(3303, 0), 1, c.rights)).find(dm.InstancePath(3303, 0))
		if got, found := e.heir(1, c.left); got != c.want || found != c.found {
			t.Errorf("with %v and the servers %v the new owner is %d (%v), want %d (%v)", c.rights, c.left, got, found, c.want, c.found)
		}
	}
}
