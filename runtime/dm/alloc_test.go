package dm_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A write of one resource makes about ten allocations, with one instance and with many.
func TestWriteAllocations(t *testing.T) {
	for n, limit := range map[int]float64{1: 10, 10_000: 16} {
		o := newMeters(t, dm.ObjectConfig[meter]{})
		for i := range n {
			if err := o.Add(dm.InstanceID(i), fullMeter()); err != nil {
				t.Fatal(err)
			}
		}
		m := newModel(t, dm.ModelConfig{}, o)
		p := dm.ResourcePath(meterID, dm.InstanceID(n-1), goalID)
		list, v := make([]dm.Entry, 1), 0.0
		allocs := testing.AllocsPerRun(100, func() {
			v = 50 - v
			list[0] = dm.Entry{Path: p, Value: dm.FloatValue(v)}
			tx, err := m.Begin(t.Context(), dm.Server(1))
			if err == nil {
				err = tx.Write(p, dm.Replace, list)
			}
			if err == nil {
				err = tx.Commit()
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if allocs > limit {
			t.Errorf("with %d instances a write allocates %v times, want at most %v", n, allocs, limit)
		}
	}
}
