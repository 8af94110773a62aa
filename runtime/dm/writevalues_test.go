package dm_test

import (
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A write copies the values, so that the caller can reuse the payload's buffer.
func TestWriteCopies(t *testing.T) {
	w := watch(t)
	b := []byte("abc")
	if err := write(w.m, dm.Server(1), path(t, "/33001/0/10"), dm.Replace,
		dm.Entry{Path: path(t, "/33001/0/10"), Value: dm.OpaqueValue(b)}); err != nil {
		t.Fatal(err)
	}
	copy(b, "XYZ")
	if got, _ := w.meters.Get(0); string(got.Blob.Or(nil)) != "abc" {
		t.Errorf("the value became %q", got.Blob.Or(nil))
	}
}

// The caller's entries keep their order.
func TestWriteLeavesEntriesAlone(t *testing.T) {
	w := watch(t)
	list := entries(t, "/33001/0/9", 5, "/33001/0/99", 1, "/33001/0/1", 3.0)
	kept := slices.Clone(list)
	if err := write(w.m, dm.Server(1), path(t, "/33001/0"), dm.Update, list...); err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i].Path != kept[i].Path || !list[i].Value.Equal(kept[i].Value) {
			t.Errorf("entry %d became %v", i, list[i])
		}
	}
}

func TestLargePayloads(t *testing.T) {
	w := watch(t)
	const n = 2000
	tags := make([]dm.Entry, n)
	for i := range tags {
		tags[n-1-i] = dm.Entry{Path: dm.ResourceInstancePath(meterID, 0, tagsID, dm.ResourceInstanceID(i)),
			Value: dm.StringValue("t")}
	}
	for _, mode := range []dm.Mode{dm.Update, dm.Replace} {
		n := 0
		cancel := w.m.Subscribe(func(b dm.Batch) { n += len(b.Events) })
		if err := write(w.m, dm.Server(1), path(t, "/33001/0/4"), mode, tags...); err != nil {
			t.Fatal(err)
		}
		cancel()
		if got, _ := w.meters.Get(0); got.Tags.Len() != len(tags) {
			t.Errorf("%d resource instances are there", got.Tags.Len())
		}
		if mode == dm.Update && n != len(tags) {
			t.Errorf("subscribers received %d events", n)
		}
	}
	instances := make([]dm.Entry, 500)
	for i := range instances {
		instances[i] = dm.Entry{Path: dm.ResourcePath(meterID, dm.InstanceID(i), modeID), Value: dm.IntegerValue(5)}
	}
	err := do(w.m, dm.Bootstrap, func(tx *dm.Transaction) error {
		if err := tx.Write(dm.ObjectPath(meterID), dm.Update, instances); err != nil {
			return err
		}
		return tx.Write(dm.ObjectPath(meterID), dm.Update, instances)
	})
	if err != nil || w.meters.Len() != len(instances) {
		t.Errorf("%d instances are there: %v", w.meters.Len(), err)
	}
}
