package dm_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func BenchmarkReadStored(b *testing.B) {
	o := newMeters(b, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	if err := o.Add(0, inst); err != nil {
		b.Fatal(err)
	}
	m := newModel(b, dm.ModelConfig{}, o)
	benchmarkRead(b, m, dm.ResourcePath(meterID, 0, goalID))
}

func BenchmarkReadLive(b *testing.B) {
	o := newMeters(b, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Level = dm.Func(func(context.Context) (float64, error) { return 21.5, nil })
	if err := o.Add(0, inst); err != nil {
		b.Fatal(err)
	}
	m := newModel(b, dm.ModelConfig{}, o)
	benchmarkRead(b, m, dm.ResourcePath(meterID, 0, levelID))
}

func benchmarkRead(b *testing.B, m *dm.Model, p dm.Path) {
	ctx, who := context.Background(), dm.Server(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Snapshot().Value(ctx, who, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadInstance(b *testing.B) {
	o := newMeters(b, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		b.Fatal(err)
	}
	m := newModel(b, dm.ModelConfig{}, o)
	n := 0
	count := func(dm.Path, dm.Value) error { n++; return nil }
	ctx, who, p := context.Background(), dm.Server(1), dm.InstancePath(meterID, 0)
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Snapshot().Read(ctx, who, p, count); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1, 256, 10_000} {
		b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) {
			o := newMeters(b, dm.ObjectConfig[meter]{})
			for i := range n {
				if err := o.Add(dm.InstanceID(i), fullMeter()); err != nil {
					b.Fatal(err)
				}
			}
			m := newModel(b, dm.ModelConfig{}, o)
			p := dm.ResourcePath(meterID, dm.InstanceID(n-1), goalID)
			entries := make([]dm.Entry, 1)
			ctx, who, v := context.Background(), dm.Server(1), 0.0
			b.ReportAllocs()
			for b.Loop() {
				v = 50 - v
				entries[0] = dm.Entry{Path: p, Value: dm.FloatValue(v)}
				t, err := m.Begin(ctx, who)
				if err != nil {
					b.Fatal(err)
				}
				if err := t.Write(p, dm.Replace, entries); err != nil {
					b.Fatal(err)
				}
				if err := t.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	o := newMeters(b, dm.ObjectConfig[meter]{})
	if err := o.Add(0, fullMeter()); err != nil {
		b.Fatal(err)
	}
	ctx, v := context.Background(), 0.0
	b.ReportAllocs()
	for b.Loop() {
		v = 50 - v
		if err := o.Update(ctx, 0, func(m *meter) error { m.Goal.Set(v); return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// The time of a large payload grows linearly with its size.
func BenchmarkWriteLarge(b *testing.B) {
	for _, n := range []int{1000, 16_000} {
		b.Run(fmt.Sprintf("values=%d", n), func(b *testing.B) {
			o := newMeters(b, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1)}})
			if err := o.Add(0, fullMeter()); err != nil {
				b.Fatal(err)
			}
			m := newModel(b, dm.ModelConfig{}, o)
			defer m.Subscribe(func(dm.Batch) {})()
			tags, instances := make([]dm.Entry, n), make([]dm.Entry, n)
			for i := range n {
				tags[i] = dm.Entry{Path: dm.ResourceInstancePath(meterID, 0, tagsID, dm.ResourceInstanceID(i)),
					Value: dm.StringValue("t")}
				instances[i] = dm.Entry{Path: dm.ResourcePath(meterID, dm.InstanceID(i), modeID),
					Value: dm.IntegerValue(1)}
			}
			b.Run("resource instances", func(b *testing.B) {
				for b.Loop() {
					if err := write(m, dm.Server(1), dm.ResourcePath(meterID, 0, tagsID), dm.Update,
						tags...); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("instances", func(b *testing.B) {
				for b.Loop() {
					if err := write(m, dm.Bootstrap, dm.ObjectPath(meterID), dm.Update, instances...); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
