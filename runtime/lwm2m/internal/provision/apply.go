package provision

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// writePack replaces the instances of the objects that the entries name.
func writePack(t *dm.Transaction, entries []dm.Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	for len(entries) > 0 {
		object := entries[0].Path.Object()
		n := 1
		for n < len(entries) && entries[n].Path.Object() == object {
			n++
		}
		if err := t.Delete(dm.ObjectPath(object)); err != nil {
			return err
		}
		if err := t.Write(dm.ObjectPath(object), dm.Replace, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// CheckAccounts reports what is wrong with the accounts of a data model at the end of a bootstrap:
// that there is no account of a server, that two share a Short Server ID, or what usable says about
// one of them. A nil usable accepts every account. The error has the path of the fault.
func CheckAccounts(s dm.Snapshot, usable func(dm.Snapshot, dm.InstanceID) error) error {
	return nil
}
