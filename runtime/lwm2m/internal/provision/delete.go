package provision

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// remove makes a Bootstrap-Delete of everything, an object or an instance (Core 1.2.2 §6.1.7.6).
// The bootstrap server's account and the Device object are not affected.
func (s *Sequence) remove(k *task, t *dm.Transaction) error {
	snap := t.Snapshot()
	switch k.path.Level() {
	case dm.RootLevel:
		return s.removeAll(t)
	case dm.ObjectLevel:
		if snap.Definition(k.path.Object()) == nil {
			return &dm.Error{Code: dm.BadRequest, Path: k.path}
		}
		return removeInstances(t, k.path.Object(), findKept(snap))
	}
	if s.isOwn(snap, k.path) {
		return serve.Refuse(dm.BadRequest, k.path.String()+": the instance is not affected by a Bootstrap-Delete")
	}
	return t.Delete(k.path)
}

// removeAll deletes the instances that servers can create or that a Delete hook lets go.
func (s *Sequence) removeAll(t *dm.Transaction) error {
	snap := t.Snapshot()
	keep := findKept(snap)
	for _, id := range slices.Collect(snap.Objects()) {
		if !snap.ServersDelete(id) || slices.Contains(s.cfg.Hidden, id) {
			continue
		}
		for _, p := range removable(t.Snapshot(), id, keep) {
			if err := t.Delete(p); err != nil && coap.Code(dm.CodeOf(err)).Class() != 4 {
				return err
			}
		}
	}
	return nil
}

// kept are the instances that a Bootstrap-Delete of their object leaves alone.
type kept struct{ security, oscore []dm.InstanceID }

func findKept(snap dm.Snapshot) kept {
	var k kept
	for _, x := range readAccounts(snap).security {
		if !x.bootstrap {
			continue
		}
		k.security = append(k.security, x.id)
		if x.hasOSCORE {
			k.oscore = append(k.oscore, x.oscore)
		}
	}
	return k
}

func (k *kept) has(object dm.ObjectID, id dm.InstanceID) bool {
	switch object {
	case deviceObject:
		return true
	case securityObject:
		return slices.Contains(k.security, id)
	case oscoreObject:
		return slices.Contains(k.oscore, id)
	}
	return false
}

// isOwn reports whether an instance cannot be deleted by its path. A bootstrap account that the
// sequence has made can.
func (s *Sequence) isOwn(snap dm.Snapshot, p dm.Path) bool {
	keep := findKept(snap)
	keep.security = slices.DeleteFunc(keep.security, func(id dm.InstanceID) bool { return !slices.Contains(s.own, id) })
	return keep.has(p.Object(), p.Instance())
}

// removable returns the instances of an object that a Bootstrap-Delete of the object takes.
func removable(snap dm.Snapshot, object dm.ObjectID, keep kept) []dm.Path {
	var all []dm.Path
	for i := range snap.Instances(object) {
		if !keep.has(object, i) {
			all = append(all, dm.InstancePath(object, i))
		}
	}
	return all
}

// removeInstances deletes the instances of an object that are not kept, all or none.
func removeInstances(t *dm.Transaction, object dm.ObjectID, keep kept) error {
	if object != securityObject && object != oscoreObject && object != deviceObject {
		return t.Delete(dm.ObjectPath(object))
	}
	for _, p := range removable(t.Snapshot(), object, keep) {
		if err := t.Delete(p); err != nil {
			return err
		}
	}
	return nil
}
