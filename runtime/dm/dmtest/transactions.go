package dmtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// operation is one step of a transaction.
type operation struct {
	name string
	do   func(*dm.Transaction) error
}

// steps are the places where a transaction is made to fail, in addition to its operations. Commit
// of the witness before runs before Commit of the tested object; Commit of the witness after and
// the store run after it.
var steps = []string{
	"Begin before", "Begin after", "Validate before", "Validate after", "Commit before", "Commit after", "Persist",
}

// checkTransactions changes the object between two states that differ in as many resources as its
// hooks allow, and makes the change fail at every step.
func (k *kit) checkTransactions(who dm.Origin) {
	k.t.Helper()
	var writable []*target
	for _, x := range k.targets {
		if _, ok := k.writer(x); ok && len(x.good) > 1 && (who == dm.Bootstrap || x.def.Ops.Writable()) {
			writable = append(writable, x)
		}
	}
	if len(writable) == 0 || k.checkMoves(who, writable) {
		return
	}
	for _, x := range writable { // the hooks refuse all together
		k.checkMoves(who, []*target{x})
	}
}

// checkMoves returns false if the hooks refuse the change.
func (k *kit) checkMoves(who dm.Origin, group []*target) bool {
	k.t.Helper()
	there, back := k.move(group, 1), k.move(group, 0)
	run := func(list []operation) error { return k.try("a transaction", who, all(list)) }
	if run(back) != nil {
		return false
	}
	home := k.tree(k.m.Snapshot())
	if run(there) != nil {
		return false
	}
	away := k.tree(k.m.Snapshot())
	if run(back) != nil {
		return false
	}
	if d := home.diff(k.tree(k.m.Snapshot())); d != "" {
		k.t.Errorf("writing the same values again gives something else: %s", d)
		home = k.tree(k.m.Snapshot())
	}
	k.checkFailures(who, there, home)
	if who == dm.Bootstrap {
		k.checkCorrection(there, home, away)
		return true
	}
	if err := run(there); err != nil {
		k.t.Errorf("after failures a transaction that succeeded before fails: %v", err)
	} else if d := away.diff(k.tree(k.m.Snapshot())); d != "" {
		k.t.Errorf("after failures a transaction has another result: %s", d)
	}
	return true
}

// move returns the operations that write the n-th good value of every resource in the group,
// between writes to the witnesses.
func (k *kit) move(group []*target, n int) []operation {
	list := k.witnessed(k.before, n)
	for _, x := range group {
		list = append(list, operation{"writing " + x.path.String(), func(tx *dm.Transaction) error {
			return tx.Write(x.path, dm.Replace, entriesFor(x.def, x.path, x.good[n]))
		}})
	}
	return append(list, k.witnessed(k.after, n)...)
}

func (k *kit) witnessed(o *dm.TypedObject[witness], n int) []operation {
	if o == nil {
		return nil
	}
	p := dm.ResourcePath(o.ID(), 0, 0)
	return []operation{{"writing " + p.String(), func(tx *dm.Transaction) error {
		return tx.Write(p, dm.Replace, []dm.Entry{{Path: p, Value: dm.IntegerValue(int64(n))}})
	}}}
}

func all(list []operation) func(*dm.Transaction) error {
	return func(tx *dm.Transaction) error {
		for _, o := range list {
			if err := o.do(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// checkFailures runs the operations with a failure at every step. Each failure must leave the state
// home.
func (k *kit) checkFailures(who dm.Origin, list []operation, home tree) {
	k.t.Helper()
	for n := range len(list) + 1 {
		what := fmt.Sprintf("a failure of operation %d of %d", n+1, len(list)+1)
		err := k.transact(who, func(tx *dm.Transaction) error {
			if err := all(list[:n])(tx); err != nil {
				return err
			}
			return errInjected
		})
		if !errors.Is(err, errInjected) {
			k.t.Errorf("%s is reported as %v", what, err)
		}
		k.checkSame(what, home)
	}
	for _, step := range k.reachable() {
		k.arm(step, home)
		err := k.transact(who, all(list))
		hits := k.disarm()
		if hits != 1 || !errors.Is(err, errInjected) {
			k.t.Errorf("a failure of the step %q was reached %d times and is reported as %v", step, hits, err)
		}
		k.checkSame(fmt.Sprintf("a failure of the step %q", step), home)
	}
}

// reachable returns the steps that this Model has.
func (k *kit) reachable() []string {
	var list []string
	for i, step := range steps {
		if o := []*dm.TypedObject[witness]{k.before, k.after}[i%2]; o != nil || step == "Persist" {
			list = append(list, step)
		}
	}
	return list
}

// arm makes a step fail. It also makes every hook of the witnesses check that no change is visible
// before it is published.
func (k *kit) arm(step string, home tree) {
	seen := false
	k.faults.at, k.faults.hits = step, 0
	k.faults.spy = func() {
		if d := differences(home.stored, k.tree(k.m.Snapshot()).stored, ""); len(d) > 0 && !seen {
			seen = true
			k.t.Errorf("before the transaction is published a read shows: %s", d[0])
		}
	}
}

func (k *kit) disarm() (hits int) {
	k.faults.at, k.faults.spy = "", nil
	return k.faults.hits
}

// checkCorrection runs the operations as a bootstrap sequence of one request each. Its end fails at
// every step and succeeds after the cause is removed.
func (k *kit) checkCorrection(list []operation, home, away tree) {
	k.t.Helper()
	ctx := context.Background()
	tx, err := k.m.Begin(ctx, dm.Bootstrap)
	if err != nil {
		k.t.Errorf("a bootstrap sequence cannot begin: %v", err)
		return
	}
	defer tx.Rollback()
	for _, o := range list {
		err := o.do(tx)
		tx.Suspend()
		if err == nil {
			err = tx.Resume(ctx)
		}
		if err != nil {
			k.t.Errorf("in a bootstrap sequence %s fails: %v", o.name, err)
			return
		}
		k.checkSame(o.name+" in a bootstrap sequence", home)
	}
	for _, step := range k.reachable() {
		k.arm(step, home)
		err := tx.Commit()
		k.disarm()
		if !errors.Is(err, errInjected) {
			k.t.Errorf("the end of a bootstrap sequence with a failure of the step %q returns %v", step, err)
			return
		}
		k.checkSame(fmt.Sprintf("the end of a bootstrap sequence with a failure of the step %q", step), home)
	}
	if err := tx.Commit(); err != nil {
		k.t.Errorf("the corrected bootstrap sequence cannot end: %v", err)
	} else if d := away.diff(k.tree(k.m.Snapshot())); d != "" {
		k.t.Errorf("the corrected bootstrap sequence has another result than one transaction: %s", d)
	}
}
