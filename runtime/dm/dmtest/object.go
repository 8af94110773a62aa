package dmtest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// An Option changes what Object checks.
type Option func(*kit)

// Except leaves the values of resources alone. Use it for resources that a hook amends, that
// hardware rounds, or that a test must not write at random.
func Except(ids ...dm.ResourceID) Option {
	return func(k *kit) {
		for _, id := range ids {
			k.except[id] = true
		}
	}
}

// Object checks an object with its instances. The object must not be part of a Model yet. If it has
// no instance, Object creates one like a bootstrap server. It reports as errors of t:
//
//   - a definition with faults, and resources that allow operations that their definition does not;
//   - values that the definition allows and that do not read as they were written (for resources
//     with a stored value), or that the hooks always refuse;
//   - values of other types, and values just outside of a bound, that are not refused with 4.00;
//   - transactions that fail and do not leave everything as it was. They fail at each write, at
//     Begin, Validate and Commit of an object before and an object after this one, and at the
//     store. This includes live resources that can be written: Rollback must undo what Commit did
//     to them;
//   - changes that are visible before they are published, or that differ when they are repeated;
//   - instances that a server can create and that lack mandatory resources or have the reserved ID;
//   - streams that accept a second writer.
//
// Hooks may refuse values; then everything must be as before. Object does not call executables.
// Afterwards the object is not part of a Model and has other values than before.
func Object(t testing.TB, obj dm.Object, options ...Option) {
	t.Helper()
	k := &kit{t: t, obj: obj, except: map[dm.ResourceID]bool{}}
	for _, o := range options {
		o(k)
	}
	if !k.open() {
		return
	}
	defer k.close()
	k.checkDefinition()
	if !k.populate() {
		return
	}
	k.collect()
	for _, x := range k.targets {
		k.checkAccess(x)
		k.checkRoundTrips(x)
		k.checkRefusals(x)
		k.checkStream(x)
	}
	k.checkTransactions(dm.Server(1))
	k.checkTransactions(dm.Bootstrap)
	k.checkLifecycle()
	if s := k.m.Status(); s.RollbackFailures > 0 {
		t.Errorf("%d Rollback hooks failed, the last with: %v", s.RollbackFailures, s.LastRollbackError)
	}
}

// kit is one run of Object.
type kit struct {
	t      testing.TB
	obj    dm.Object
	def    *registry.Object
	m      *dm.Model
	faults faults
	except map[dm.ResourceID]bool
	// before and after are witnesses with a lower and a higher object ID, if there is one.
	before, after *dm.TypedObject[witness]
	targets       []*target
}

// target is one supported resource of one instance.
type target struct {
	path         dm.Path
	def          *registry.Resource
	live, stream bool
	good         []dm.Value // values that were accepted
}

// open puts the object and the witnesses into a Model.
func (k *kit) open() bool {
	k.t.Helper()
	m, err := dm.NewModel(dm.ModelConfig{
		Persist: func(context.Context, dm.Committed) error { return k.faults.step("Persist") },
		Logger:  slog.New(slog.DiscardHandler), // the test reports what would be logged
	}, k.obj)
	if err != nil {
		k.t.Errorf("the object cannot be part of a Model: %v", err)
		return false
	}
	k.m, k.def = m, k.obj.Definition()
	id := k.obj.ID()
	if id > 0 {
		k.before = k.witness(id-1, "before")
	}
	if id < registry.ReservedID-1 {
		k.after = k.witness(id+1, "after")
	}
	return true
}

func (k *kit) witness(id dm.ObjectID, where string) *dm.TypedObject[witness] {
	o, err := k.faults.newWitness(id, where)
	if err == nil {
		err = k.m.Register(context.Background(), o)
	}
	if err != nil {
		k.t.Errorf("the witness %s the object: %v", where, err)
		return nil
	}
	return o
}

// close removes the object from the Model.
func (k *kit) close() {
	if err := k.m.Unregister(context.Background(), k.obj.ID()); err != nil {
		k.t.Errorf("taking the object out of its Model: %v", err)
	}
}

// transact runs one transaction.
func (k *kit) transact(who dm.Origin, fn func(*dm.Transaction) error) error {
	tx, err := k.m.Begin(context.Background(), who)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// try runs one transaction that may be refused. If it is, try checks that everything is as before.
func (k *kit) try(what string, who dm.Origin, fn func(*dm.Transaction) error) error {
	k.t.Helper()
	was := k.tree(k.m.Snapshot())
	err := k.transact(who, fn)
	if err != nil {
		k.checkSame(what+" was refused", was)
	}
	return err
}

// checkSame reports the differences from before.
func (k *kit) checkSame(after string, was tree) {
	k.t.Helper()
	if d := was.diff(k.tree(k.m.Snapshot())); d != "" {
		k.t.Errorf("after %s not everything is as before: %s (a Rollback hook must undo what Begin and Commit did)", after, d)
	}
}

func (k *kit) checkDefinition() {
	k.t.Helper()
	for _, f := range k.def.Validate() {
		if f.Severity == registry.Error {
			k.t.Errorf("the definition has a fault: %v", f)
		}
	}
}

// populate creates an instance if there is none.
func (k *kit) populate() bool {
	k.t.Helper()
	for range k.m.Snapshot().Instances(k.obj.ID()) {
		return true
	}
	p := dm.InstancePath(k.obj.ID(), 0)
	err := k.try("making an instance", dm.Bootstrap, func(tx *dm.Transaction) error {
		return tx.Write(p, dm.Replace, k.payload(p, func(r *registry.Resource) bool { return r.Mandatory }))
	})
	if err != nil {
		k.t.Errorf("%s has no instance, and the bootstrap server cannot make one (%v): add one before", k.def.Name, err)
	}
	return err == nil
}

// payload returns a value for each resource with values for which wanted returns true.
func (k *kit) payload(p dm.Path, wanted func(*registry.Resource) bool) []dm.Entry {
	var list []dm.Entry
	for i := range k.def.Resources {
		r := &k.def.Resources[i]
		values := samples(r)
		if r.Ops.Executable() || k.except[dm.ResourceID(r.ID)] || len(values) == 0 || !wanted(r) {
			continue
		}
		rp, _ := p.Child(r.ID)
		list = append(list, entriesFor(r, rp, values[0])...)
	}
	return list
}

// entriesFor returns the entries that write v to a resource: as its value, or as two resource
// instances.
func entriesFor(r *registry.Resource, p dm.Path, v dm.Value) []dm.Entry {
	if !r.Multiple {
		return []dm.Entry{{Path: p, Value: v}}
	}
	first, _ := p.Child(0)
	last, _ := p.Child(registry.ReservedID - 1)
	return []dm.Entry{{Path: first, Value: v}, {Path: last, Value: v}}
}

// collect finds the supported resources of the first few instances.
func (k *kit) collect() {
	s := k.m.Snapshot()
	stored := k.tree(s).stored
	n := 0
	for id := range s.Instances(k.obj.ID()) {
		for i := range k.def.Resources {
			r := &k.def.Resources[i]
			p := dm.ResourcePath(k.obj.ID(), id, dm.ResourceID(r.ID))
			if !s.Has(p) {
				continue
			}
			_, isStored := stored[p]
			x := &target{path: p, def: r, live: s.Live(dm.Application, p)}
			x.stream = !isStored && !x.live && !r.Ops.Executable()
			k.targets = append(k.targets, x)
		}
		if n++; n == 3 {
			return
		}
	}
}
