package records

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// prefix begins the names of all records.
const prefix = "dm/"

// Records keeps the instances of some objects. Make one with [Load]. After Begin its methods may be
// called from several goroutines.
type Records struct {
	store   store.Store
	objects map[dm.ObjectID]bool // that are kept
	log     *slog.Logger
	found   map[dm.ObjectID]map[dm.InstanceID][]byte // at Load
	begun   atomic.Bool
}

// Load reads the records of objects from s.
func Load(s store.Store, objects []dm.ObjectID, log *slog.Logger) (*Records, error) {
	r := &Records{store: s, objects: map[dm.ObjectID]bool{}, log: log, found: map[dm.ObjectID]map[dm.InstanceID][]byte{}}
	for _, id := range objects {
		r.objects[id] = true
	}
	err := s.Load(prefix, func(name string, value []byte) error {
		p, err := dm.ParsePath("/" + strings.TrimPrefix(name, prefix))
		if err != nil || p.IsRoot() || p.Level() > dm.InstanceLevel || nameOf(p) != name {
			return fmt.Errorf("the store has a record %q, which is no instance: use a store that has no records of another program", name)
		}
		if !r.objects[p.Object()] {
			return nil // of an object that is no longer kept
		}
		if r.found[p.Object()] == nil {
			r.found[p.Object()] = map[dm.InstanceID][]byte{}
		}
		if p.Level() == dm.InstanceLevel {
			r.found[p.Object()][p.Instance()] = slices.Clone(value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// nameOf returns the name of the record of an object or an instance.
func nameOf(p dm.Path) string { return prefix + strings.TrimPrefix(p.String(), "/") }

// Has reports whether an object was stored when the records were loaded.
func (r *Records) Has(id dm.ObjectID) bool { return r.found[id] != nil }

// Restore writes the records to a transaction of the origin dm.Bootstrap, over what the program has
// added. An instance that the program has added and a server has deleted is deleted. After an error
// the caller rolls the transaction back.
func (r *Records) Restore(t *dm.Transaction) error {
	for _, id := range slices.Sorted(maps.Keys(r.found)) {
		if t.Snapshot().Definition(id) == nil {
			r.log.Warn("the store has an object that the device no longer has: its records are left as they are", "object", id)
			continue
		}
		if err := r.restoreObject(t, id); err != nil {
			return fmt.Errorf("the stored instances of object %d cannot be used: %w", id, err)
		}
	}
	return nil
}

func (r *Records) restoreObject(t *dm.Transaction, id dm.ObjectID) error {
	records := r.found[id]
	deletes := t.Snapshot().ServersDelete(id)
	for i := range t.Snapshot().Instances(id) {
		if records[i] == nil && deletes {
			if err := t.Delete(dm.InstancePath(id, i)); err != nil {
				return err
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(records)) {
		p := dm.InstancePath(id, i)
		if !deletes && !t.Snapshot().Has(p) {
			r.log.Warn("the store has an instance that only the program can make, and does not: it is left out", "instance", p.String())
			continue
		}
		if err := r.restoreInstance(t, p, records[i]); err != nil {
			return fmt.Errorf("record %q: %w", nameOf(p), err)
		}
	}
	return nil
}

// restoreInstance writes a record, resource by resource: what the record does not know, such as a
// resource that is new in this version of the program, and what is live stays as the program has
// made it.
func (r *Records) restoreInstance(t *dm.Transaction, p dm.Path, record []byte) error {
	if !t.Snapshot().Has(p) {
		if err := t.Create(p.Object(), []dm.InstanceID{p.Instance()}, nil); err != nil {
			return err
		}
	}
	values, err := r.decode(t.Snapshot(), p, record)
	if err != nil {
		return err
	}
	for _, rp := range slices.SortedFunc(maps.Keys(values), dm.Path.Compare) {
		if entries := values[rp]; entries != nil {
			err = t.Write(rp, dm.Replace, entries)
		} else {
			err = t.Clear(rp)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// format begins a record. It is followed by the number of the resources that have no value and
// their IDs, each as an unsigned varint, and the values in SenML CBOR.
const format = 1

// decode returns the values of each resource that the record knows: none for one without a value.
// It leaves out resources that the instance does not store: another version of the program may have
// stored what is live now, or is a stream.
func (r *Records) decode(s dm.Snapshot, instance dm.Path, record []byte) (map[dm.Path][]dm.Entry, error) {
	stored, values := map[dm.Path]bool{}, map[dm.Path][]dm.Entry{}
	err := s.Stored(instance, func(p dm.Path, _ dm.Value) error { stored[p.Up(dm.ResourceLevel)] = true; return nil })
	if err != nil {
		return nil, err
	}
	add := func(p dm.Path, e ...dm.Entry) {
		rp := p.Up(dm.ResourceLevel)
		if stored[rp] {
			values[rp] = append(values[rp], e...)
			return
		}
		r.log.Info("the store has a value of a resource that is not stored any more: it is left out", "path", p.String())
	}
	empty, payload, err := split(record)
	if err != nil {
		return nil, err
	}
	for _, id := range empty {
		if rp := dm.ResourcePath(instance.Object(), instance.Instance(), id); stored[rp] {
			add(rp)
		}
	}
	if len(payload) == 0 {
		return values, nil
	}
	var d codec.Decoder
	err = d.Decode(content.SenMLCBOR, payload, content.Request{Schema: s.Definition}, func(e dm.Entry) error {
		if !instance.Contains(e.Path) || e.Path == instance {
			return fmt.Errorf("it has a value of %v", e.Path)
		}
		add(e.Path, e)
		return nil
	})
	return values, err
}

var errDamaged = errors.New("it is damaged, or another version of the program has written it")

// split returns the resources without a value, and the values.
func split(record []byte) (empty []dm.ResourceID, values []byte, err error) {
	if len(record) == 0 || record[0] != format {
		return nil, nil, errDamaged
	}
	n, size := binary.Uvarint(record[1:])
	if size <= 0 {
		return nil, nil, errDamaged
	}
	values = record[1+size:]
	for range n {
		id, size := binary.Uvarint(values)
		if size <= 0 || id >= math.MaxUint16 {
			return nil, nil, errDamaged
		}
		empty, values = append(empty, dm.ResourceID(id)), values[size:]
	}
	return empty, values, nil
}

// encode returns the record of an instance.
func encode(s dm.Snapshot, instance dm.Path) ([]byte, error) {
	var e codec.Encoder
	if err := e.Begin(content.SenMLCBOR, nil, content.Target{}); err != nil {
		return nil, err
	}
	var empty []dm.Path
	written := false
	err := s.Stored(instance, func(p dm.Path, v dm.Value) error {
		if v.Type() == registry.None {
			empty = append(empty, p) // or its resource instances follow
			return nil
		}
		if n := len(empty); n > 0 && empty[n-1] == p.Up(dm.ResourceLevel) {
			empty = empty[:n-1]
		}
		written = true
		return e.Value(p, v)
	})
	if err != nil {
		return nil, err
	}
	values, err := e.Finish()
	record := binary.AppendUvarint([]byte{format}, uint64(len(empty)))
	for _, p := range empty {
		record = binary.AppendUvarint(record, uint64(p.Resource()))
	}
	if written {
		record = append(record, values...)
	}
	return record, err
}

// Begin brings the store in line with a state of the data model, in one batch. From then on Persist
// stores.
func (r *Records) Begin(s dm.Snapshot) error {
	var batch []store.Change
	for _, id := range slices.Sorted(maps.Keys(r.objects)) {
		if s.Definition(id) == nil {
			continue
		}
		if !r.Has(id) {
			batch = append(batch, store.Put(nameOf(dm.ObjectPath(id)), nil))
		}
		for i := range r.found[id] {
			if p := dm.InstancePath(id, i); !s.Has(p) {
				batch = append(batch, store.Delete(nameOf(p)))
			}
		}
		for i := range s.Instances(id) {
			p := dm.InstancePath(id, i)
			record, err := encode(s, p)
			if err != nil {
				return fmt.Errorf("%v cannot be stored: %w", p, err)
			}
			batch = append(batch, store.Put(nameOf(p), record))
		}
	}
	for id := range r.found {
		r.found[id] = nil // its values may be secrets
	}
	r.begun.Store(true)
	if batch == nil {
		return nil
	}
	return r.store.Apply(batch...)
}

// Persist stores what a transaction has changed; see dm.ModelConfig. Before Begin it stores
// nothing.
func (r *Records) Persist(_ context.Context, c dm.Committed) error {
	if !r.begun.Load() {
		return nil
	}
	changed := map[dm.Path]bool{}
	for _, e := range c.Events {
		if p := e.Path; r.objects[p.Object()] && p.Level() >= dm.InstanceLevel {
			changed[p.Up(dm.InstanceLevel)] = true
		}
	}
	var batch []store.Change
	for _, p := range slices.SortedFunc(maps.Keys(changed), dm.Path.Compare) {
		if !c.After.Has(p) {
			batch = append(batch, store.Delete(nameOf(p)))
			continue
		}
		record, err := encode(c.After, p)
		if err != nil {
			return fmt.Errorf("%v cannot be stored: %w", p, err)
		}
		batch = append(batch, store.Put(nameOf(p), record))
	}
	if batch == nil {
		return nil
	}
	if err := r.store.Apply(batch...); err != nil {
		if errors.Is(err, store.ErrUnusable) {
			r.log.Error("the store cannot be used until it is opened again", "reason", err.Error())
		}
		return err
	}
	return nil
}
