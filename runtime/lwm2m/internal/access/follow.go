package access

import (
	"fmt"
	"maps"
	"slices"

	gen "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// Rules say how the Access Control object follows the instances and servers of the device.
type Rules struct {
	// Exempt lists objects that no server reaches, whose instances have no entry.
	Exempt []dm.ObjectID
	// Own says who owns an instance that the device makes itself, and what servers may do with it.
	// The zero value means that such an instance has an entry only if somebody writes one.
	Own *Policy
	// Table is that of the published state. Follow reads the whole object if it is nil, or if the
	// transaction has changed the object.
	Table *Table
	// Servers returns the Short Server IDs in the Security object, in any order, without that of
	// the bootstrap server.
	Servers func(dm.Snapshot) []dm.ShortServerID
}

// Policy is the contents of the entries that the device makes itself.
type Policy struct {
	Owner  dm.ShortServerID
	Rights map[dm.ShortServerID]accesscontrol.Rights
}

// Follow adds to a transaction what follows from it; see dm.ModelConfig.Consequences.
//
// With a Security instance its Server instance goes, the instances that only that server could
// reach, and its part in the entries of others. A new instance gets an entry, owned by the server
// that has created it, and with an instance its entry goes, except the last one of the object:
// without any entry every server could do everything. The entries of instances are kept as soon as
// there is one; the first is up to a bootstrap, or to Own.
func (r *Rules) Follow(t *dm.Transaction) error {
	wrote := t.Origin() != dm.Application && t.Touches(gen.ObjectID)
	if t.Touches(security.ObjectID) {
		left := r.Servers(t.Snapshot())
		for _, id := range r.Servers(t.Published()) {
			if !slices.Contains(left, id) {
				if err := r.unbootstrap(t, id, left); err != nil {
					return err
				}
			}
		}
	}
	if err := r.matchInstances(t); err != nil || !wrote {
		return err
	}
	return r.check(t)
}

// check refuses entries that a server or a bootstrap server has written and that do not fit the
// device: for what is not there, or with an owner that is no server of it. The program may write
// its entries before the instances and accounts.
func (r *Rules) check(t *dm.Transaction) error {
	s := t.Snapshot()
	servers := r.Servers(s)
	for id := range s.Instances(gen.ObjectID) {
		e, old := readEntry(s, id), &entry{}
		if before := t.Published(); before.Has(dm.InstancePath(gen.ObjectID, id)) {
			old = readEntry(before, id)
		}
		aims := e.target != old.target // the last entry may outlive its instance
		whole := e.target.instance == accesscontrol.WholeObject
		switch {
		case e.equal(old):
			continue
		case aims && s.Definition(e.target.object) == nil:
			return refuse(id, gen.ObjectIDID, "the device has no object %d", e.target.object)
		case aims && !whole && !s.Has(dm.InstancePath(e.target.object, e.target.instance)):
			return refuse(id, gen.ObjectInstanceIDID, "object %d has no instance %d", e.target.object, e.target.instance)
		case e.owner != accesscontrol.BootstrapOwner && !slices.Contains(servers, e.owner):
			return refuse(id, gen.AccessControlOwnerID, "the owner is %d, which is no server of this device", e.owner)
		}
	}
	return nil
}

func (e *entry) equal(x *entry) bool {
	return e.target == x.target && e.owner == x.owner && slices.Equal(e.grants, x.grants)
}

func refuse(id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(gen.ObjectID, id, r), Err: fmt.Errorf(format, args...)}
}

// unbootstrap removes what belonged to a server whose account is gone (Core 1.1 §E.1.3).
func (r *Rules) unbootstrap(t *dm.Transaction, gone dm.ShortServerID, left []dm.ShortServerID) error {
	s := t.Snapshot()
	var accounts []dm.Path
	for id := range s.Instances(server.ObjectID) {
		_ = s.Stored(dm.ResourcePath(server.ObjectID, id, server.ShortServerIDID), func(_ dm.Path, v dm.Value) error {
			if v.Integer() == int64(gone) {
				accounts = append(accounts, dm.InstancePath(server.ObjectID, id))
			}
			return nil
		}) // an instance without the resource belongs to nobody
	}
	entries := Read(s).all()
	for _, p := range accounts {
		if err := t.Delete(p); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := r.leave(t, e, gone, left); err != nil {
			return err
		}
	}
	return nil
}

// leave removes a server from one entry. The instance goes with the entry if nobody else can reach
// it.
func (r *Rules) leave(t *dm.Transaction, e *entry, gone dm.ShortServerID, left []dm.ShortServerID) error {
	if e.owner == gone && e.target.instance != accesscontrol.WholeObject {
		heir, found := e.heir(gone, left)
		p := dm.InstancePath(e.target.object, e.target.instance)
		if !found && belongsToServers(t.Snapshot(), p) {
			// The entry goes in matchInstances, unless it is the last one.
			if err := t.Delete(p); err != nil {
				return err
			}
		}
		owner := dm.ResourcePath(gen.ObjectID, e.id, gen.AccessControlOwnerID)
		if err := t.Write(owner, dm.Replace, []dm.Entry{{Path: owner, Value: dm.IntegerValue(int64(heir))}}); err != nil {
			return err
		}
	}
	if _, own := e.grant(gone); own {
		grant, _ := dm.ResourcePath(gen.ObjectID, e.id, gen.ACLID).Child(uint16(gone))
		return t.Delete(grant)
	}
	return nil
}

// belongsToServers reports whether an instance is of use to servers only: servers can make it
// again. What the device alone can make is a part of it, and a Server instance is the account of
// another server.
func belongsToServers(s dm.Snapshot, p dm.Path) bool {
	return s.Has(p) && p.Object() != server.ObjectID && s.ServersDelete(p.Object()) && s.Definition(p.Object()).Multiple
}

// heir returns the next owner: the server with the most rights of Write and Delete, and of several
// the one with the lowest ID. If no server that is left has a right, it is the bootstrap server.
func (e *entry) heir(gone dm.ShortServerID, left []dm.ShortServerID) (dm.ShortServerID, bool) {
	heir, most := accesscontrol.BootstrapOwner, -1
	for _, id := range slices.Sorted(slices.Values(left)) {
		r := e.rights(id)
		sum := 0
		for _, x := range []accesscontrol.Rights{accesscontrol.Write, accesscontrol.Delete} {
			if r.Has(x) {
				sum++
			}
		}
		if id != gone && r != 0 && sum > most {
			heir, most = id, sum
		}
	}
	return heir, most >= 0
}

// matchInstances adds and removes entries, as instances come and go.
func (r *Rules) matchInstances(t *dm.Transaction) error {
	var created, deleted []dm.Path
	for p, kind := range t.InstanceChanges() {
		switch {
		case p.Object() == gen.ObjectID || slices.Contains(r.Exempt, p.Object()):
		case kind == dm.Created:
			created = append(created, p)
		default:
			deleted = append(deleted, p)
		}
	}
	if created == nil && deleted == nil {
		return nil
	}
	table := r.Table
	if table == nil || t.Touches(gen.ObjectID) {
		table = Read(t.Snapshot())
	}
	if table.Empty() && r.Own == nil {
		return nil
	}
	policy := r.policy(t.Origin())
	var left []*entry // of instances that are gone
	for _, p := range deleted {
		if e := table.find(p); e != nil {
			left = append(left, e)
		}
	}
	if len(left) > 0 && len(left) == table.len() && (policy == nil || created == nil) {
		left = left[1:] // without any entry every server could do everything (Core 1.2.2 §8.1)
	}
	for _, e := range left {
		if err := t.Delete(dm.InstancePath(gen.ObjectID, e.id)); err != nil {
			return err
		}
	}
	if policy == nil {
		return nil
	}
	_, byServer := t.Origin().ShortServerID()
	for _, p := range created {
		if e := table.find(p); e != nil {
			if !byServer {
				continue // written before the instance, by a bootstrap or the program
			}
			// The entry is left from another instance with this ID, in an earlier run.
			if err := t.Delete(dm.InstancePath(gen.ObjectID, e.id)); err != nil {
				return err
			}
		}
		if err := addEntry(t, p, policy.Owner, policy.Rights); err != nil {
			return err
		}
	}
	return nil
}

// policy returns what the entries of new instances hold, nil if they get none.
func (r *Rules) policy(who dm.Origin) *Policy {
	if id, ok := who.ShortServerID(); ok {
		return &Policy{Owner: id}
	}
	return r.Own
}

// AddMissing adds the entries that Own gives to instances without one, and to objects in which
// servers can create instances. It is for the start of a device.
func (r *Rules) AddMissing(t *dm.Transaction) error {
	s := t.Snapshot()
	table := Read(s)
	var missing []dm.Path
	for o := range s.Objects() {
		if o == gen.ObjectID || slices.Contains(r.Exempt, o) {
			continue
		}
		// Accounts are made by a bootstrap.
		if p := dm.ObjectPath(o); o != server.ObjectID && s.Definition(o).Multiple && s.ServersDelete(o) && !table.has(p) {
			missing = append(missing, p)
		}
		for i := range s.Instances(o) {
			if p := dm.InstancePath(o, i); !table.has(p) {
				missing = append(missing, p)
			}
		}
	}
	for _, p := range missing {
		owner, rights := r.Own.Owner, maps.Clone(r.Own.Rights)
		if p.Level() == dm.ObjectLevel {
			owner = accesscontrol.BootstrapOwner
			maps.DeleteFunc(rights, func(id dm.ShortServerID, x accesscontrol.Rights) bool {
				return id == accesscontrol.Everyone || !x.Has(accesscontrol.Create)
			})
			for id := range rights {
				rights[id] = accesscontrol.Create
			}
			if len(rights) == 0 {
				continue
			}
		}
		if err := addEntry(t, p, owner, rights); err != nil {
			return err
		}
	}
	return nil
}

// addEntry adds the entry of an object instance, or of an object. The right to Create is of no use
// to an instance.
func addEntry(t *dm.Transaction, p dm.Path, owner dm.ShortServerID, rights map[dm.ShortServerID]accesscontrol.Rights) error {
	id, err := t.NewInstanceID(gen.ObjectID, 0)
	if err != nil {
		return err
	}
	instance, mask := accesscontrol.WholeObject, accesscontrol.All
	if p.Level() > dm.ObjectLevel {
		instance, mask = p.Instance(), accesscontrol.All&^accesscontrol.Create
	}
	values := []dm.Entry{
		{Path: dm.ResourcePath(gen.ObjectID, id, gen.ObjectIDID), Value: dm.IntegerValue(int64(p.Object()))},
		{Path: dm.ResourcePath(gen.ObjectID, id, gen.ObjectInstanceIDID), Value: dm.IntegerValue(int64(instance))},
	}
	acl := dm.ResourcePath(gen.ObjectID, id, gen.ACLID)
	for _, server := range slices.Sorted(maps.Keys(rights)) {
		grant, _ := acl.Child(uint16(server))
		values = append(values, dm.Entry{Path: grant, Value: dm.IntegerValue(int64(rights[server] & mask))})
	}
	values = append(values, dm.Entry{
		Path: dm.ResourcePath(gen.ObjectID, id, gen.AccessControlOwnerID), Value: dm.IntegerValue(int64(owner)),
	})
	return t.Create(gen.ObjectID, []dm.InstanceID{id}, values)
}
