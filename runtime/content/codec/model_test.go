package codec_test

import (
	"context"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// device is an instance of object 3 as the generator writes it, with the resources of the examples.
type device struct {
	Manufacturer, Model, Serial, Firmware dm.Res[string]
	Sources, Voltage, Current, Errors     dm.Multi[int64]
	Battery, Memory                       dm.Res[int64]
	Clock                                 dm.Res[time.Time]
	Offset, Binding                       dm.Res[string]
}

func (d *device) cell(id dm.ResourceID) dm.Cell {
	switch id {
	case 0:
		return &d.Manufacturer
	case 1:
		return &d.Model
	case 2:
		return &d.Serial
	case 3:
		return &d.Firmware
	case 6:
		return &d.Sources
	case 7:
		return &d.Voltage
	case 8:
		return &d.Current
	case 9:
		return &d.Battery
	case 10:
		return &d.Memory
	case 11:
		return &d.Errors
	case 13:
		return &d.Clock
	case 14:
		return &d.Offset
	case 16:
		return &d.Binding
	}
	return nil
}

var definition = registry.Object{ID: 3, Name: "Device", Resources: []registry.Resource{
	{ID: 0, Name: "Manufacturer", Ops: registry.R, Type: registry.String},
	{ID: 1, Name: "Model Number", Ops: registry.R, Type: registry.String},
	{ID: 2, Name: "Serial Number", Ops: registry.R, Type: registry.String},
	{ID: 3, Name: "Firmware Version", Ops: registry.R, Type: registry.String},
	{ID: 6, Name: "Available Power Sources", Ops: registry.R, Type: registry.Integer, Multiple: true},
	{ID: 7, Name: "Power Source Voltage", Ops: registry.R, Type: registry.Integer, Multiple: true},
	{ID: 8, Name: "Power Source Current", Ops: registry.R, Type: registry.Integer, Multiple: true},
	{ID: 9, Name: "Battery Level", Ops: registry.R, Type: registry.Integer},
	{ID: 10, Name: "Memory Free", Ops: registry.R, Type: registry.Integer},
	{ID: 11, Name: "Error Code", Ops: registry.R, Type: registry.Integer, Multiple: true},
	{ID: 13, Name: "Current Time", Ops: registry.RW, Type: registry.Time},
	{ID: 14, Name: "UTC Offset", Ops: registry.RW, Type: registry.String},
	{ID: 16, Name: "Supported Binding and Modes", Ops: registry.R, Type: registry.String},
}}

// newModel returns a data model with instance /3/0 of the examples.
func newModel(t testing.TB) *dm.Model {
	t.Helper()
	o, err := dm.NewObject(&definition, (*device).cell, dm.ObjectConfig[device]{})
	if err != nil {
		t.Fatal(err)
	}
	err = o.Add(0, device{
		Manufacturer: dm.Str("Open Mobile Alliance"), Model: dm.Str("Lightweight M2M Client"), Serial: dm.Str("345000123"), Firmware: dm.Str("1.0"),
		Sources: dm.List[int64](1, 5), Voltage: dm.List[int64](3800, 5000), Current: dm.List[int64](125, 900), Errors: dm.List[int64](0),
		Battery: dm.Int(100), Memory: dm.Int(15), Clock: dm.Time(time.Unix(1367491215, 0)), Offset: dm.Str("+02:00"), Binding: dm.Str("U"),
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reading is a Read of a server: the Encoder is the yield function of a walk over the data model.
type reading struct {
	enc   codec.Encoder
	yield dm.Yield
	buf   []byte
}

func newReading() *reading {
	r := &reading{buf: make([]byte, 0, 1024)}
	r.yield = r.enc.Value
	return r
}

func (r *reading) read(t testing.TB, m *dm.Model, f content.Format, p dm.Path) []byte {
	if err := r.enc.Begin(f, r.buf[:0], content.Target{Base: p}); err != nil {
		t.Fatal(err)
	}
	if err := m.Snapshot().Read(context.Background(), dm.Server(1), p, r.yield); err != nil {
		t.Fatal(err)
	}
	b, err := r.enc.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReadModel reads the data model in every format: the payload has its values, and the read does
// not allocate.
func TestReadModel(t *testing.T) {
	m, r := newModel(t), newReading()
	var dec codec.Decoder
	p := formattest.Path("/3/0")
	for name, f := range many {
		t.Run(name, func(t *testing.T) {
			got, err := decode(&dec, f, r.read(t, m, f, p), formattest.Request("/3/0"))
			if err != nil {
				t.Fatal(err)
			}
			formattest.Equal(t, got, formattest.Device0())
			if n := testing.AllocsPerRun(200, func() { r.read(t, m, f, p) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func BenchmarkReadModel(b *testing.B) {
	m := newModel(b)
	for name, f := range many {
		b.Run(name, func(b *testing.B) {
			r := newReading()
			b.ReportAllocs()
			for b.Loop() {
				r.read(b, m, f, dm.InstancePath(3, 0))
			}
		})
	}
}
