// Package access knows what servers may do with object instances: it reads the instances of the
// Access Control object (2), answers which rights a server has, and keeps the object in line with
// the instances and servers of the device (Core 1.2.2 §8).
package access

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	gen "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// Table is the contents of the Access Control object. It is safe for concurrent use: lookups cost
// the same however many entries there are, and so does an update after a change of one instance.
type Table struct {
	mu      sync.RWMutex
	entries map[target]*entry
	// instances are the entries by instance of the Access Control object. An entry does not change
	// once it is here.
	instances map[dm.InstanceID]*entry
	// shadowed says that an entry is not in entries, because another one has the same target.
	shadowed bool
}

// target is what an entry governs. An instance of accesscontrol.WholeObject means the object.
type target struct {
	object   dm.ObjectID
	instance dm.InstanceID
}

// entry is one instance of the Access Control object.
type entry struct {
	id     dm.InstanceID
	target target
	owner  dm.ShortServerID
	grants []grant // ascending by server
}

type grant struct {
	server dm.ShortServerID // accesscontrol.Everyone is the default
	rights accesscontrol.Rights
}

// Read returns the table of a state of the data model.
func Read(s dm.Snapshot) *Table {
	t := &Table{entries: map[target]*entry{}, instances: map[dm.InstanceID]*entry{}}
	t.Update(s, dm.ObjectPath(gen.ObjectID))
	return t
}

// Update brings the table in line with a state of the data model in which the given instances of
// the Access Control object have changed, or with the path of the object all of them.
func (t *Table) Update(s dm.Snapshot, changed ...dm.Path) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.ContainsFunc(changed, func(p dm.Path) bool { return p.Level() < dm.InstanceLevel }) {
		clear(t.entries)
		clear(t.instances)
		t.shadowed = false
		changed = changed[:0:0]
		for id := range s.Instances(gen.ObjectID) {
			changed = append(changed, dm.InstancePath(gen.ObjectID, id))
		}
	}
	// Instances may have exchanged their targets, so all old entries go first.
	for _, p := range changed {
		t.remove(p.Instance())
	}
	for _, p := range changed {
		t.add(s, p.Instance())
	}
	if t.shadowed {
		t.index()
	}
}

func (t *Table) remove(id dm.InstanceID) {
	if old := t.instances[id]; old != nil {
		delete(t.instances, id)
		if t.entries[old.target] == old {
			delete(t.entries, old.target)
		}
	}
}

func (t *Table) add(s dm.Snapshot, id dm.InstanceID) {
	if t.instances[id] != nil || !s.Has(dm.InstancePath(gen.ObjectID, id)) {
		return
	}
	e := readEntry(s, id)
	t.instances[id] = e
	if _, taken := t.entries[e.target]; taken {
		t.shadowed = true
		return
	}
	t.entries[e.target] = e
}

// index finds the entries by target again where two had the same one, which the object of package
// accesscontrol refuses: the one with the lowest ID counts.
func (t *Table) index() {
	clear(t.entries)
	t.shadowed = false
	for _, id := range slices.Sorted(maps.Keys(t.instances)) {
		e := t.instances[id]
		if _, taken := t.entries[e.target]; taken {
			t.shadowed = true
			continue
		}
		t.entries[e.target] = e
	}
}

// Empty reports whether there is no entry.
func (t *Table) Empty() bool { return t.len() == 0 }

// len returns how many entries there are.
func (t *Table) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.instances)
}

// readEntry reads one instance. A resource without a value counts as 0: such an entry gives no
// rights.
func readEntry(s dm.Snapshot, id dm.InstanceID) *entry {
	e := &entry{id: id}
	// Stored fails for unknown paths only.
	_ = s.Stored(dm.InstancePath(gen.ObjectID, id), func(p dm.Path, v dm.Value) error {
		switch n := v.Integer(); p.Resource() {
		case gen.ObjectIDID:
			e.target.object = dm.ObjectID(n)
		case gen.ObjectInstanceIDID:
			e.target.instance = dm.InstanceID(n)
		case gen.AccessControlOwnerID:
			e.owner = dm.ShortServerID(n)
		case gen.ACLID:
			if p.Level() == dm.ResourceInstanceLevel {
				e.grants = append(e.grants, grant{dm.ShortServerID(p.ResourceInstance()), accesscontrol.Rights(n)})
			}
		}
		return nil
	})
	slices.SortFunc(e.grants, func(a, b grant) int { return cmp.Compare(a.server, b.server) })
	return e
}

// Rights returns the rights of a server for an object instance, or for Create where the instance is
// accesscontrol.WholeObject (Core 1.2.2 §8.2.1).
func (t *Table) Rights(server dm.ShortServerID, o dm.ObjectID, i dm.InstanceID) accesscontrol.Rights {
	switch e := t.get(target{o, i}); {
	case e == nil:
		return 0
	case i == accesscontrol.WholeObject:
		r, _ := e.grant(server) // the default is for instances
		return r
	default:
		return e.rights(server)
	}
}

func (e *entry) rights(server dm.ShortServerID) accesscontrol.Rights {
	switch r, own := e.grant(server); {
	case own:
		return r
	case e.owner == server:
		return accesscontrol.All
	}
	r, _ := e.grant(accesscontrol.Everyone)
	return r
}

func (e *entry) grant(server dm.ShortServerID) (accesscontrol.Rights, bool) {
	i, ok := slices.BinarySearchFunc(e.grants, server, func(g grant, s dm.ShortServerID) int { return cmp.Compare(g.server, s) })
	if !ok {
		return 0, false
	}
	return e.grants[i].rights, true
}

// Owns reports whether a server owns an instance of the Access Control object itself.
func (t *Table) Owns(server dm.ShortServerID, id dm.InstanceID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.instances[id]
	return e != nil && e.owner == server
}

// all returns the entries in the order of their IDs.
func (t *Table) all() []*entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.SortedFunc(maps.Values(t.entries), func(a, b *entry) int { return cmp.Compare(a.id, b.id) })
}

// get returns the entry of a target, nil if there is none.
func (t *Table) get(x target) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[x]
}

// find returns the entry of an object instance, or of a whole object, nil if there is none.
func (t *Table) find(p dm.Path) *entry {
	i := accesscontrol.WholeObject
	if p.Level() > dm.ObjectLevel {
		i = p.Instance()
	}
	return t.get(target{p.Object(), i})
}

// has reports whether an object instance has an entry.
func (t *Table) has(p dm.Path) bool { return t.find(p) != nil }
