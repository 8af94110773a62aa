package dmtest

import (
	"context"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// checkLifecycle creates and deletes instances like a server.
func (k *kit) checkLifecycle() {
	k.t.Helper()
	o := k.obj.ID()
	for _, who := range []dm.Origin{dm.Server(1), dm.Bootstrap} {
		err := k.try("making the reserved instance", who, func(tx *dm.Transaction) error {
			return tx.Create(o, []dm.InstanceID{registry.ReservedID}, nil)
		})
		if err == nil {
			k.t.Errorf("%v makes the reserved instance 65535", who)
		}
	}
	if !k.def.Multiple {
		k.checkSingle()
		return
	}
	id, err := k.freeInstance()
	if err != nil {
		return // all IDs are taken
	}
	p := dm.InstancePath(o, id)
	create := func(payload []dm.Entry) operation {
		return operation{"making an instance", func(tx *dm.Transaction) error {
			return tx.Create(o, []dm.InstanceID{id}, payload)
		}}
	}
	writable := create(k.payload(p, func(r *registry.Resource) bool { return r.Ops.Writable() }))
	home := k.tree(k.m.Snapshot())
	if err := k.try(writable.name, dm.Server(1), writable.do); err != nil {
		writable = create(k.payload(p, func(r *registry.Resource) bool { return r.Ops.Writable() && r.Mandatory }))
		if k.try(writable.name, dm.Server(1), writable.do) != nil {
			return // servers cannot create one, or the hooks refuse the values
		}
	}
	k.checkMade(p)
	remove := operation{"deleting an instance", func(tx *dm.Transaction) error { return tx.Delete(p) }}
	if k.try(remove.name, dm.Server(1), remove.do) != nil { // the hook refuses
		if err := k.try(remove.name, dm.Application, remove.do); err != nil {
			k.t.Errorf("the application cannot delete %v: %v", p, err)
			return
		}
		k.checkSame("making and deleting an instance", home)
		return
	}
	k.checkSame("making and deleting an instance", home)
	k.checkFailures(dm.Server(1), k.between(writable), home)
	if err := k.try(writable.name, dm.Server(1), writable.do); err != nil {
		k.t.Errorf("after failures an instance cannot be created: %v", err)
		return
	}
	k.checkFailures(dm.Server(1), k.between(remove), k.tree(k.m.Snapshot()))
	if err := k.try(remove.name, dm.Server(1), remove.do); err != nil {
		k.t.Errorf("after failures an instance cannot be deleted: %v", err)
	}
}

// between returns the operation between writes that change the witnesses.
func (k *kit) between(o operation) []operation {
	return append(append(k.witnessed(k.before, 7), o), k.witnessed(k.after, 7)...)
}

func (k *kit) freeInstance() (id dm.InstanceID, err error) {
	err = k.transact(dm.Application, func(tx *dm.Transaction) error {
		id, err = tx.NewInstanceID(k.obj.ID(), 0)
		return err
	})
	return id, err
}

// checkMade reports mandatory resources that are missing from an instance that a server created.
func (k *kit) checkMade(p dm.Path) {
	k.t.Helper()
	s := k.m.Snapshot()
	for i := range k.def.Resources {
		r := &k.def.Resources[i]
		if rp, _ := p.Child(r.ID); r.Mandatory && !s.Has(rp) {
			k.t.Errorf("an instance that a server creates lacks the mandatory %s (%d)", r.Name, r.ID)
		}
	}
	err := s.Read(context.Background(), dm.Server(1), p, func(dm.Path, dm.Value) error { return nil })
	if err != nil {
		k.t.Errorf("an instance that a server creates cannot be read: %v", err)
	}
}

// checkSingle reports a single-instance object whose instance a management server can create or
// delete.
func (k *kit) checkSingle() {
	k.t.Helper()
	o := k.obj.ID()
	for what, do := range map[string]func(*dm.Transaction) error{
		"makes":   func(tx *dm.Transaction) error { return tx.Create(o, []dm.InstanceID{1}, nil) },
		"deletes": func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(o, 0)) },
	} {
		if err := k.try("that", dm.Server(1), do); dm.CodeOf(err) != dm.MethodNotAllowed {
			k.t.Errorf("a server that %s the instance of a single-instance object gets %v, want 4.05", what, err)
		}
	}
}
