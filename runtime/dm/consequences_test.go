package dm_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// What follows from a transaction of any origin is part of it: it is validated, persisted and
// published with it, and gone where it fails.
func TestConsequences(t *testing.T) {
	const notes = meterID + 1
	var log []string
	refuse := error(nil)
	stored := 0
	def := meterDefinition
	def.ID++
	validated := 0
	o, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Label: dm.Empty[string]()},
		Hooks:    dm.Hooks[meter]{Validate: func(context.Context, *dm.Tx[meter]) error { validated++; return refuse }},
	})
	if err != nil {
		t.Fatal(err)
	}
	meters := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1)}})
	if err := meters.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{
		Persist: func(_ context.Context, c dm.Committed) error {
			stored = len(c.Events)
			return nil
		},
		Consequences: func(tx *dm.Transaction) error {
			if !tx.Touches(meterID) {
				return nil
			}
			changes := map[dm.Path]dm.EventKind{}
			for p, k := range tx.InstanceChanges() {
				log = append(log, tx.Origin().String()+" "+k.String()+" "+p.String())
				changes[p] = k
			}
			for p, k := range changes {
				note := dm.InstancePath(notes, p.Instance())
				if tx.Published().Has(p) == (k == dm.Created) {
					t.Errorf("%v is %v, and it is published: %v", p, k, k != dm.Created)
				}
				var err error
				if k == dm.Deleted {
					err = tx.Delete(note)
				} else {
					// Level cannot be written by servers.
					level := dm.ResourcePath(notes, p.Instance(), 0)
					err = tx.Create(notes, []dm.InstanceID{p.Instance()}, []dm.Entry{{Path: level, Value: dm.FloatValue(7)}})
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}, meters, o)
	took := func(want ...string) {
		t.Helper()
		if !slices.Equal(log, want) {
			t.Errorf("the function saw %v, want %v", log, want)
		}
		log = nil
	}
	note := func(id dm.InstanceID) string { return show(m.Snapshot(), dm.ResourcePath(notes, id, 0)) }

	create := func(who dm.Origin, id dm.InstanceID) error {
		return do(m, who, func(tx *dm.Transaction) error { return tx.Create(meterID, []dm.InstanceID{id}, nil) })
	}
	if err := create(dm.Server(1), 5); err != nil || note(5) != "7" || stored != 2 || validated != 1 {
		t.Errorf("Create by a server: %v, note %s, %d events stored, validated %d times", err, note(5), stored, validated)
	}
	took("server 1 created /33001/5")
	if err := meters.Add(6, fullMeter()); err != nil || note(6) != "7" {
		t.Errorf("Add by the application: %v, note %s", err, note(6))
	}
	took("application created /33001/6")
	if err := write(m, dm.Server(1), path(t, "/33001/5/9"), dm.Replace, entries(t, "/33001/5/9", 5)...); err != nil {
		t.Error(err)
	}
	took()

	refuse = errors.New("no")
	before := dump(t, m.Snapshot())
	if err := create(dm.Server(2), 7); err == nil {
		t.Error("Create succeeds although the consequence is refused")
	}
	if diff := changes(before, dump(t, m.Snapshot())); diff != "" {
		t.Errorf("after the refusal this has changed:\n%s", diff)
	}
	took("server 2 created /33001/7")
	refuse = nil

	// In a bootstrap sequence the function sees what was published in the meantime.
	seq := startSequence(t, m)
	seq.delete("/33001/5")
	seq.write("/33001/8", dm.Replace, entries(t, "/33001/8/0", 2.0, "/33001/8/9", 1)...)
	if err := meters.Remove(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	took("application deleted /33001/6")
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	took("bootstrap server deleted /33001/5", "bootstrap server created /33001/8")
	if m.Snapshot().Has(path(t, "/33002/5")) || note(8) != "7" || m.Snapshot().Has(path(t, "/33002/6")) {
		t.Errorf("after the sequence:\n%s", dump(t, m.Snapshot()))
	}
}
