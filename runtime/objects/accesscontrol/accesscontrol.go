// Package accesscontrol is the LwM2M Access Control object (2) with its checks. Each instance says
// which server owns an instance of another object, and what each server may do with it. Its
// instances are those of generated/accesscontrol.
//
// A client obeys the object as soon as it has an instance and the device has several servers (Core
// 1.2.2 §8). As a rule a bootstrap server or the factory file writes the instances, and the client
// makes the object itself. Use this package to make them in the program:
//
//	ac, err := accesscontrol.New(accesscontrol.Config{})
//	if err != nil {
//		return err
//	}
//	// Server 1 owns the Device object and may do everything with it. Server 2 may read it.
//	err = ac.Add(0, accesscontrol.Entry(dm.InstancePath(3, 0), 1,
//		map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Read}))
//
// The main names are [New], [Config], [Entry], [Rights] and [Object].
package accesscontrol

import (
	"context"
	"fmt"
	"strings"

	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

type (
	// Object is the Access Control object with its instances.
	Object = accesscontrol.Object
	// Instance is one instance of it.
	Instance = accesscontrol.Instance
	// Hooks run around transactions that touch the object.
	Hooks = accesscontrol.Hooks
)

// Rights is a set of access rights, with the bits of an ACL entry (/2/x/2).
type Rights uint8

// The rights.
const (
	Read    Rights = 1 << iota // Read, Observe and Write-Attributes
	Write                      // Write
	Execute                    // Execute
	Delete                     // Delete
	Create                     // Create; has an effect in the entry of a whole object only
	All     Rights = 1<<iota - 1
)

// Has reports whether r contains all of x.
func (r Rights) Has(x Rights) bool { return r&x == x }

// String returns the letters of the rights, such as "RW", or "none".
func (r Rights) String() string {
	var b strings.Builder
	for i, letter := range "RWEDC" {
		if r&(1<<i) != 0 {
			b.WriteRune(letter)
		}
	}
	if r&^All != 0 {
		fmt.Fprintf(&b, "+0x%x", uint8(r&^All))
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

const (
	// Everyone is the ID of the ACL entry of all servers that have no entry of their own. It does
	// not apply to the owner, nor to Create, which needs an entry of the server's own (Core 1.2.2
	// §8.2).
	Everyone dm.ShortServerID = 0
	// BootstrapOwner is the owner of what only a bootstrap server may change.
	BootstrapOwner dm.ShortServerID = 65535
	// WholeObject takes the place of the instance ID in the entry of a whole object, which holds
	// the right to Create.
	WholeObject dm.InstanceID = 65535
)

// Entry returns the instance that governs the object instance at p, or Create where p is an object.
// An owner without rights of its own has all; an owner with rights of its own has only these. The
// owner of a whole object is BootstrapOwner.
func Entry(p dm.Path, owner dm.ShortServerID, rights map[dm.ShortServerID]Rights) Instance {
	instance := WholeObject
	if p.Level() > dm.ObjectLevel {
		instance = p.Instance()
	}
	acl := make(map[dm.ResourceInstanceID]int64, len(rights))
	for id, r := range rights {
		acl[dm.ResourceInstanceID(id)] = int64(r)
	}
	return Instance{
		ObjectID:           dm.Int(int64(p.Object())),
		ObjectInstanceID:   dm.Int(int64(instance)),
		ACL:                dm.Map(acl),
		AccessControlOwner: dm.Int(int64(owner)),
	}
}

// Config is the configuration of New. The zero value means the object with the behaviour of this
// package only.
type Config struct {
	// Hooks run in addition to the hooks of this package: Validate after this package's Validate.
	// The zero value means none.
	Hooks Hooks
	// MaxInstances is how many instances the object may have when a bootstrap server or the client
	// creates one. The zero value means as many as there are IDs.
	MaxInstances int
}

// New returns the object without instances. Its Validate hook refuses with 4.00 two instances for
// the same object instance, one for the Access Control object itself, an owner that cannot be a
// server, an entry for a whole object that a server owns, and a server that gives an instance to
// the bootstrap server.
func New(c Config) (*Object, error) {
	hooks := c.Hooks
	hooks.Validate = func(ctx context.Context, tx *accesscontrol.Tx) error {
		if err := validate(tx); err != nil || c.Hooks.Validate == nil {
			return err
		}
		return c.Hooks.Validate(ctx, tx)
	}
	return accesscontrol.New(accesscontrol.Config{Hooks: hooks, Template: Template(), MaxInstances: c.MaxInstances})
}

// Template returns what an instance that a bootstrap server creates starts with.
func Template() Instance {
	return Instance{
		ObjectID:           dm.Empty[int64](),
		ObjectInstanceID:   dm.Empty[int64](),
		ACL:                dm.Ints(),
		AccessControlOwner: dm.Empty[int64](),
	}
}

type target struct{ object, instance int64 }

// targetOf returns what an instance governs.
func targetOf(i *Instance) target { return target{i.ObjectID.Or(-1), i.ObjectInstanceID.Or(-1)} }

// validate checks every instance that the transaction changes.
func validate(tx *accesscontrol.Tx) error {
	changed := map[target]dm.InstanceID{}
	for c := range tx.Changes() {
		if err := check(tx.Origin(), c.ID, c.Old, c.New); err != nil {
			return err
		}
		changed[targetOf(c.New)] = c.ID
	}
	if len(changed) == 0 {
		return nil
	}
	for id, inst := range tx.All() {
		t := targetOf(&inst)
		if other, taken := changed[t]; taken && other != id {
			return refuse(max(id, other), accesscontrol.ObjectInstanceIDID,
				"instance %d is for instance %d of object %d already", min(id, other), t.instance, t.object)
		}
	}
	return nil
}

// check checks one instance. old is the zero value where it is new.
func check(who dm.Origin, id dm.InstanceID, old, i *Instance) error {
	owner := i.AccessControlOwner.Or(0)
	_, byServer := who.ShortServerID()
	switch {
	case i.ObjectID.Or(0) == int64(accesscontrol.ObjectID):
		return refuse(id, accesscontrol.ObjectIDID,
			"the Access Control object has no entries for itself: each instance belongs to its owner")
	case owner == 0:
		return refuse(id, accesscontrol.AccessControlOwnerID,
			"the owner is 0, which is no server: write a Short Server ID from 1 to 65534, or 65535 for the bootstrap server")
	case i.ObjectInstanceID.Or(0) == int64(WholeObject) && owner != int64(BootstrapOwner):
		return refuse(id, accesscontrol.AccessControlOwnerID,
			"the owner is %d; only the bootstrap server, 65535, owns what governs Create", owner)
	case byServer && owner == int64(BootstrapOwner) && old.AccessControlOwner.Or(0) != owner:
		return refuse(id, accesscontrol.AccessControlOwnerID, "a server cannot make the bootstrap server the owner")
	}
	return nil
}

func refuse(id dm.InstanceID, r dm.ResourceID, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: dm.ResourcePath(accesscontrol.ObjectID, id, r),
		Err: fmt.Errorf(format, args...)}
}
