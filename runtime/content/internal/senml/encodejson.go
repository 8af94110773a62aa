package senml

import (
	"encoding/base64"
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/jsonwire"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// JSONEncoder writes SenML JSON. See codec.Encoder.
type JSONEncoder struct {
	naming
	buf   []byte
	time  float64
	begun bool
}

// Begin starts a payload.
func (e *JSONEncoder) Begin(dst []byte, t content.Target) error {
	e.buf, e.time, e.begun = append(dst, '['), 0, false
	return e.naming.begin(t)
}

// Entry appends one value, in any order of paths. An empty node has no record.
func (e *JSONEncoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	if x.Value.Type() == registry.None {
		return nil
	}
	if err := decimal(&x); err != nil {
		return err
	}
	b := e.record(&x)
	b = append(b, `"v`...)
	b = appendJSONValue(b, &x.Value)
	e.buf = append(b, '}')
	return nil
}

// record appends a record without its value.
func (e *JSONEncoder) record(x *dm.Entry) []byte {
	b := e.buf
	if e.begun {
		b = append(b, ',')
	}
	e.begun = true
	b = append(b, '{')
	base, name := e.step(x.Path)
	if base != nil {
		b = append(b, `"bn":"`...)
		b = appendLead(b, e.root, e.prefix)
		b = append(b, base...)
		b = append(b, `",`...)
	}
	if x.Time != e.time {
		e.time = x.Time
		b = append(b, `"bt":`...)
		b = jsonwire.AppendFloat(b, x.Time)
		b = append(b, ',')
	}
	if len(name) > 0 {
		b = append(b, `"n":"`...)
		b = append(b, name...)
		b = append(b, `",`...)
	}
	return b
}

// appendJSONValue appends the rest of the value field's name and its value.
func appendJSONValue(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return jsonwire.AppendString(append(b, `s":`...), v.Text())
	case registry.Boolean:
		return strconv.AppendBool(append(b, `b":`...), v.Boolean())
	case registry.Opaque:
		return jsonwire.AppendBase64(append(b, `d":`...), base64.RawURLEncoding, v.Opaque())
	case registry.Objlnk:
		return append(v.Link().Append(append(b, `lo":"`...)), '"')
	}
	return jsonwire.AppendNumber(append(b, `":`...), v)
}

// Finish ends the payload.
func (e *JSONEncoder) Finish() ([]byte, error) {
	b := append(e.buf, ']')
	e.buf = nil
	return b, nil
}
