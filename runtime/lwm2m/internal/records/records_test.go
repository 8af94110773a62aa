package records

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

var quiet = slog.New(slog.DiscardHandler)

// open returns the store of a directory.
func open(t *testing.T, dir string) *store.Dir {
	t.Helper()
	s, err := store.OpenDir(dir, store.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a second Close does nothing
	return s
}

// load returns the records of object 3308.
func load(t *testing.T, s store.Store) *Records {
	t.Helper()
	r, err := Load(s, []dm.ObjectID{setpoint.ObjectID}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// model returns a Model whose changes r stores, and its object with instances of the program.
func model(t *testing.T, r *Records, template bool, ids ...dm.InstanceID) (*dm.Model, *setpoint.Object) {
	t.Helper()
	cfg := setpoint.Config{}
	if template {
		cfg.Template = setpoint.Instance{ApplicationType: dm.Empty[string]()}
	}
	o, err := setpoint.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := o.Add(id, setpoint.Instance{SetPointValue: dm.Float(20), ApplicationType: dm.Empty[string]()}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := dm.NewModel(dm.ModelConfig{Persist: r.Persist}, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, o
}

func restore(t *testing.T, m *dm.Model, r *Records) {
	t.Helper()
	tx, err := m.Begin(context.Background(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if err := r.Restore(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := r.Begin(m.Snapshot()); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, s store.Store) (all []string) {
	t.Helper()
	err := s.Load("", func(name string, _ []byte) error { all = append(all, name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each instance is a record; what changes, comes and goes is there after the next opening.
func TestRecords(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	r := load(t, s)
	if r.Has(setpoint.ObjectID) {
		t.Error("an empty store has the object")
	}
	m, o := model(t, r, true, 0, 1)
	restore(t, m, r)
	if got, want := names(t, s), []string{"dm/3308", "dm/3308/0", "dm/3308/1"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
	ctx := context.Background()
	if err := o.Update(ctx, 0, func(i *setpoint.Instance) error { i.SetPointValue = dm.Float(30); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := o.Remove(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := o.Add(5, setpoint.Instance{SetPointValue: dm.Float(5)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir)
	r = load(t, s)
	m, o = model(t, r, true, 0, 1)
	restore(t, m, r)
	values := map[dm.InstanceID]float64{}
	for id, i := range o.All() {
		values[id] = i.SetPointValue.Or(-1)
	}
	if len(values) != 2 || values[0] != 30 || values[5] != 5 {
		t.Errorf("restored %v", values)
	}
}

// What a server has emptied stays empty, although a new instance has a value there.
func TestRecordsOfEmptiedResources(t *testing.T) {
	for _, values := range [][]dm.Entry{
		nil, // nothing is left
		{{Path: dm.ResourcePath(setpoint.ObjectID, 3, setpoint.ColourID), Value: dm.StringValue("red")}},
	} {
		s := open(t, t.TempDir())
		made := func(r *Records) (*dm.Model, *setpoint.Object) {
			o, err := setpoint.New(setpoint.Config{
				Template: setpoint.Instance{ApplicationType: dm.Str("boiler"), Colour: dm.Str("blue"), SetPointValue: dm.Float(20)},
			})
			if err != nil {
				t.Fatal(err)
			}
			m, err := dm.NewModel(dm.ModelConfig{Persist: r.Persist}, o)
			if err != nil {
				t.Fatal(err)
			}
			restore(t, m, r)
			return m, o
		}
		m, o := made(load(t, s))
		tx, err := m.Begin(t.Context(), dm.Bootstrap)
		if err == nil {
			err = tx.Create(setpoint.ObjectID, []dm.InstanceID{3}, nil)
		}
		if err == nil {
			err = tx.Write(dm.InstancePath(setpoint.ObjectID, 3), dm.Replace, values)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
		before, _ := o.Get(3)
		_, o = made(load(t, s))
		after, _ := o.Get(3)
		want := fmt.Sprint(before.ApplicationType, before.Colour, before.SetPointValue)
		if got := fmt.Sprint(after.ApplicationType, after.Colour, after.SetPointValue); got != want || before.ApplicationType.Or("") != "" {
			t.Errorf("restored %s, stored %s", got, want)
		}
	}
}

// What only the program can make is neither made nor deleted by the records.
func TestRecordsOfFixedInstances(t *testing.T) {
	s := open(t, t.TempDir())
	r := load(t, s)
	m, _ := model(t, r, false, 0, 1)
	restore(t, m, r)
	r = load(t, s)
	m, o := model(t, r, false, 0, 2)
	restore(t, m, r)
	if o.Len() != 2 || !m.Snapshot().Has(dm.InstancePath(setpoint.ObjectID, 2)) {
		t.Errorf("%d instances", o.Len())
	}
	if got, want := names(t, s), []string{"dm/3308", "dm/3308/0", "dm/3308/2"}; !slices.Equal(got, want) {
		t.Errorf("records %q, want %q", got, want)
	}
}

// FuzzRestore restores an instance from any record. It may refuse the record, and must not panic.
func FuzzRestore(f *testing.F) {
	f.Add([]byte("\x01\x01\xf6\x2c\x81\xa2\x00\x6c/3308/0/5900\x02\xf9\x42\x00"), "dm/3308/0")
	f.Add([]byte{1, 0}, "dm/3308/1")
	f.Fuzz(func(t *testing.T, record []byte, name string) {
		if len(name) == 0 || len(name) > store.MaxName {
			return
		}
		s := fixed{name: record}
		r, err := Load(s, []dm.ObjectID{setpoint.ObjectID}, quiet)
		if err != nil {
			return
		}
		m, _ := model(t, r, true, 0)
		tx, err := m.Begin(context.Background(), dm.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if r.Restore(tx) == nil && tx.Commit() == nil {
			if err := r.Begin(m.Snapshot()); err != nil {
				t.Errorf("what was restored cannot be stored: %v", err)
			}
		}
	})
}

// fixed is a store with records that nothing changes.
type fixed map[string][]byte

func (fixed) Apply(...store.Change) error { return nil }
func (fixed) Close() error                { return nil }

func (s fixed) Load(_ string, f func(string, []byte) error) error {
	for name, value := range s {
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}
