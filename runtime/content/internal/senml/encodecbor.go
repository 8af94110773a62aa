package senml

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// CBOREncoder writes SenML CBOR. Its arrays and maps have definite lengths. See codec.Encoder.
type CBOREncoder struct {
	naming
	buf   []byte
	start int
	n     uint64
	time  float64
}

// Begin starts a payload.
func (e *CBOREncoder) Begin(dst []byte, t content.Target) error {
	e.buf, e.start, e.n, e.time = append(dst, 0), len(dst), 0, 0
	return e.naming.begin(t)
}

// Entry appends one value, in any order of paths. An empty node has no record.
func (e *CBOREncoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	if x.Value.Type() == registry.None {
		return nil
	}
	if err := decimal(&x); err != nil {
		return err
	}
	e.n++
	e.buf = appendCBORValue(e.record(&x), &x.Value)
	return nil
}

// record appends a record without its value.
func (e *CBOREncoder) record(x *dm.Entry) []byte {
	base, name := e.step(x.Path)
	fields := uint64(1)
	if base != nil {
		fields++
	}
	if x.Time != e.time {
		fields++
	}
	if len(name) > 0 {
		fields++
	}
	b := cborwire.AppendHead(e.buf, cborwire.Map, fields)
	if base != nil {
		b = cborwire.AppendInt(b, labelBaseName)
		b = cborwire.AppendHead(b, cborwire.Text, uint64(leadLen(e.root, e.prefix)+len(base)))
		b = append(appendLead(b, e.root, e.prefix), base...)
	}
	if x.Time != e.time {
		e.time = x.Time
		b = cborwire.AppendInt(b, labelBaseTime)
		b = appendTime(b, x.Time)
	}
	if len(name) > 0 {
		b = cborwire.AppendInt(b, labelName)
		b = cborwire.AppendHead(b, cborwire.Text, uint64(len(name)))
		b = append(b, name...)
	}
	return b
}

// appendTime appends a time. Whole seconds are a whole number, which is shorter.
func appendTime(b []byte, t float64) []byte {
	if i := int64(t); t >= -1<<53 && t <= 1<<53 && float64(i) == t {
		return cborwire.AppendInt(b, i)
	}
	return cborwire.AppendFloat(b, t)
}

// appendCBORValue appends the value field.
func appendCBORValue(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		b = cborwire.AppendInt(b, labelString)
	case registry.Boolean:
		b = cborwire.AppendInt(b, labelBool)
	case registry.Opaque:
		b = cborwire.AppendInt(b, labelData)
	case registry.Objlnk:
		b = cborwire.AppendText(b, "vlo")
	default:
		b = cborwire.AppendInt(b, labelValue)
	}
	return cborwire.AppendValue(b, v)
}

// Finish ends the payload.
func (e *CBOREncoder) Finish() ([]byte, error) {
	b := cborwire.FillHead(e.buf, e.start, cborwire.Array, e.n)
	e.buf = nil
	return b, nil
}
