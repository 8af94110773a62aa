package provision

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// write makes a Bootstrap-Write, of an object, an instance or a resource (Core 1.2.2 §6.1.7.5).
func (s *Sequence) write(k *task, t *dm.Transaction) error { return s.writePayload(k, t, k.r.Body()) }

func (s *Sequence) writePayload(k *task, t *dm.Transaction, payload []byte) error {
	entries, err := decode(k.format, payload, k.path, t.Snapshot())
	if err != nil {
		return err
	}
	cost, err := s.checkStaged(len(payload), entries)
	if err != nil {
		return err
	}
	if err := t.Write(k.path, dm.Replace, entries); err != nil {
		return err
	}
	s.staged += cost
	s.touch(k.path, entries)
	return nil
}

// touch notes the accounts that a payload for p writes.
func (s *Sequence) touch(p dm.Path, entries []dm.Entry) {
	note := func(p dm.Path) {
		if p.Level() >= dm.InstanceLevel && (p.Object() == securityObject || p.Object() == serverObject) {
			if s.touched == nil {
				s.touched = map[dm.Path]struct{}{}
			}
			s.touched[p.Up(dm.InstanceLevel)] = struct{}{}
		}
	}
	note(p)
	for _, e := range entries {
		note(e.Path)
	}
}

// checkStaged refuses a payload that would exceed Limits.Staged, and otherwise returns its cost.
func (s *Sequence) checkStaged(size int, entries []dm.Entry) (cost int, err error) {
	cost = size + valueCost*len(entries) + instanceCost
	for i := 1; i < len(entries); i++ {
		if entries[i].Path.Up(dm.InstanceLevel) != entries[i-1].Path.Up(dm.InstanceLevel) {
			cost += instanceCost
		}
	}
	if s.staged+cost > s.cfg.Limits.Staged {
		return 0, errStaged
	}
	return cost, nil
}

// decode returns the entries of a payload at and below base for the data model that snap shows.
// They share the payload's bytes. Payloads of the bootstrap interface have neither an alternate
// path nor a prefix (Transport 1.2.2 §6.4.1).
func decode(f content.Format, payload []byte, base dm.Path, snap dm.Snapshot) ([]dm.Entry, error) {
	var d codec.Decoder
	var entries []dm.Entry
	err := d.Decode(f, payload, content.Request{
		Base:   base,
		Schema: func(id dm.ObjectID) *registry.Object { return snap.Definition(id) },
	}, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}
