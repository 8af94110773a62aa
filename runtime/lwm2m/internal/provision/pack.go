package provision

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// DecodePack returns the entries of a Bootstrap-Pack in SenML CBOR, SenML JSON or LwM2M CBOR for
// the objects of a data model (Core 1.2.2 §6.1.7.7). They share the bytes of the payload.
func DecodePack(f content.Format, payload []byte, s dm.Snapshot) ([]dm.Entry, error) {
	if err := content.Check(f, content.BootstrapPack, dm.Path{}); err != nil {
		return nil, err
	}
	return decode(f, payload, dm.Path{}, s)
}

// ApplyEntries writes the entries of a Bootstrap-Pack, or of a file like one, to a transaction of
// the origin dm.Bootstrap: the instances of the objects that the entries name are deleted first,
// and instances of other objects stay. As with a Bootstrap-Delete, the account of the bootstrap
// server and the Device object are not deleted, nor are instances that no server could create
// again; what the entries say about them is written. After an error the caller rolls the
// transaction back.
func ApplyEntries(t *dm.Transaction, entries []dm.Entry) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	keep := findKept(t.Snapshot())
	for len(entries) > 0 {
		object := entries[0].Path.Object()
		n := 1
		for n < len(entries) && entries[n].Path.Object() == object {
			n++
		}
		if t.Snapshot().ServersDelete(object) {
			if err := removeInstances(t, object, keep); err != nil {
				return err
			}
		}
		if err := t.Write(dm.ObjectPath(object), dm.Replace, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// applyPack writes a pack to the transaction.
func (s *Sequence) applyPack(k *task, t *dm.Transaction) error {
	entries, err := DecodePack(k.format, k.pack, t.Snapshot())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e dm.Entry) bool { return slices.Contains(s.cfg.Hidden, e.Path.Object()) }) {
		return serve.ErrNoObject
	}
	if _, err := s.checkStaged(len(k.pack), entries); err != nil {
		return err
	}
	s.touch(dm.Path{}, entries)
	return ApplyEntries(t, entries)
}
