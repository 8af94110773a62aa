package docs_test

import (
	"context"
	"errors"
	"log"
	"maps"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// recorder keeps a record for each instance, as docs/persistence.md prints it.
type recorder struct{ store store.Store }

// persist is a Config.Persist: what one transaction changed is one batch.
func (r *recorder) persist(_ context.Context, c dm.Committed) error {
	instances := map[dm.Path]store.Change{}
	for _, e := range c.Events {
		if e.Path.Level() == dm.ObjectLevel {
			continue
		}
		p := e.Path.Up(dm.InstanceLevel)
		if e.Path == p && e.Kind == dm.Deleted {
			instances[p] = store.Delete("dm" + p.String())
			continue
		}
		record, err := encodeInstance(c.After, p)
		if err != nil {
			return err
		}
		instances[p] = store.Put("dm"+p.String(), record)
	}
	var batch []store.Change
	for _, change := range instances {
		batch = append(batch, change)
	}
	return r.store.Apply(batch...)
}

func encodeInstance(s dm.Snapshot, instance dm.Path) ([]byte, error) {
	var enc codec.Encoder
	if err := enc.Begin(content.SenMLCBOR, nil, content.Target{}); err != nil {
		return nil, err
	}
	err := s.Stored(instance, func(p dm.Path, v dm.Value) error {
		if v.Type() == registry.None {
			return nil // supported, but empty
		}
		return enc.Value(p, v)
	})
	if err != nil {
		return nil, err
	}
	return enc.Finish()
}

// restore writes the records of an object over what the program has added.
func (r *recorder) restore(ctx context.Context, m *dm.Model, object dm.ObjectID) error {
	var entries []dm.Entry
	request := content.Request{Schema: m.Snapshot().Definition}
	err := r.store.Load("dm"+dm.ObjectPath(object).String()+"/", func(_ string, record []byte) error {
		var dec codec.Decoder
		return dec.Decode(content.SenMLCBOR, record, request, func(e dm.Entry) error {
			entries = append(entries, e)
			return nil
		})
	})
	if err != nil || len(entries) == 0 {
		return err
	}
	t, err := m.Begin(ctx, dm.Bootstrap)
	if err != nil {
		return err
	}
	defer t.Rollback() // does nothing after Commit
	// The first Write makes missing instances as their template has them. The second empties what
	// the records do not have.
	for range 2 {
		if err := t.Write(dm.ObjectPath(object), dm.Replace, entries); err != nil {
			return err
		}
	}
	return t.Commit()
}

// openAlways opens a store, also if it is damaged.
func openAlways(dir string, cfg store.Config) (*store.Dir, error) {
	s, err := store.OpenDir(dir, cfg)
	var damage *store.DamageError
	if errors.As(err, &damage) {
		log.Print(err) // says where, why and what to do
		if _, err := store.Reset(dir); err != nil {
			return nil, err
		}
		return store.OpenDir(dir, cfg) // empty: the device starts from its factory settings
	}
	return s, err
}

// runStored runs a client with a store.
func runStored(ctx context.Context, goals *setpoint.Object) error {
	s, err := store.OpenDir("/var/lib/probe", store.Config{})
	if err != nil {
		return err
	}
	defer s.Close()
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "probe-7", Factory: lwm2m.FactoryFile("/etc/probe/factory.cbor"),
		Objects: []dm.Object{goals}, Store: s, StoredObjects: []dm.ObjectID{setpoint.ObjectID},
	})
	if err != nil {
		return err
	}
	return client.Run(ctx)
}

var _ = runStored // it is compiled and never called

// A Sessions is a SessionStore of the sockets.
var _ socket.SessionStore = (*store.Sessions)(nil)

// Changes of a server reach the store instance by instance, and come back at the next start.
func TestInstancesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*store.Dir, *dm.Model, *setpoint.Object) {
		s, err := openAlways(dir, store.Config{})
		if err != nil {
			t.Fatal(err)
		}
		r := &recorder{s}
		goals, err := setpoint.New(setpoint.Config{Template: setpoint.Instance{ApplicationType: dm.Empty[string]()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21)}); err != nil {
			t.Fatal(err)
		}
		m, err := dm.NewModel(dm.ModelConfig{Persist: r.persist}, goals)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.restore(t.Context(), m, setpoint.ObjectID); err != nil {
			t.Fatal(err)
		}
		return s, m, goals
	}
	write := func(m *dm.Model, instance dm.InstanceID, value float64) {
		t.Helper()
		tx, err := m.Begin(t.Context(), dm.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		err = tx.Write(dm.ObjectPath(setpoint.ObjectID), dm.Replace, []dm.Entry{{
			Path:  dm.ResourcePath(setpoint.ObjectID, instance, setpoint.SetPointValueID),
			Value: dm.FloatValue(value),
		}})
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	values := func(o *setpoint.Object) map[dm.InstanceID]float64 {
		got := map[dm.InstanceID]float64{}
		for id, i := range o.All() {
			got[id] = i.SetPointValue.Or(-1)
		}
		return got
	}

	s, m, goals := start()
	write(m, 0, 60)
	write(m, 7, 5)
	want := values(goals)
	if !maps.Equal(want, map[dm.InstanceID]float64{0: 60, 7: 5}) {
		t.Fatal(want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, m, goals = start()
	if got := values(goals); !maps.Equal(got, want) {
		t.Errorf("after the restart: %v, want %v", got, want)
	}
	tx, err := m.Begin(t.Context(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := errors.Join(tx.Delete(dm.InstancePath(setpoint.ObjectID, 7)), tx.Commit(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s, _, goals = start()
	if got := values(goals); !maps.Equal(got, map[dm.InstanceID]float64{0: 60}) {
		t.Errorf("after a Delete and a restart: %v", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// runUntilUpdated ends without a De-register when the program has been replaced, as
// docs/lifecycle.md prints it.
func runUntilUpdated(ctx context.Context, factory lwm2m.Factory, objects []dm.Object, s store.Store, updated chan struct{}) error {
	client, err := lwm2m.New(lwm2m.Config{Endpoint: "probe-7", Factory: factory, Objects: objects, Store: s})
	if err != nil {
		return err
	}
	go func() {
		<-updated // the program has been replaced, and is to start again
		client.Detach()
	}()
	return client.Run(ctx)
}

var _ = runUntilUpdated // it is compiled and never called

// sleepyDevice is a device in queue mode on a machine that sleeps, as docs/lifecycle.md prints it.
func sleepyDevice(ctx context.Context, factory lwm2m.Factory, objects []dm.Object, s store.Store, suspendUntil func(time.Time)) error {
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "probe-7", Factory: factory, Objects: objects, Store: s,
		QueueMode: &lwm2m.QueueMode{}, // with every server; a field restricts it to some
	})
	if err != nil {
		return err
	}
	for {
		if err := client.ServeAny(ctx, time.Minute); err != nil {
			return err
		}
		at, ok := client.NextWake()
		if ok {
			suspendUntil(at)
		}
	}
}

var _ = sleepyDevice // it is compiled and never called
