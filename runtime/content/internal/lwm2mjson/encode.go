// Package lwm2mjson implements LwM2M's own JSON format (Core 1.0.2 §6.4.4), which SenML JSON
// replaced.
//
// The encoder writes the base name of the instance or object, and for each value a name, the value,
// and the time, if there is one. The decoder accepts the members in any order. An Opaque is base64
// in a string value.
package lwm2mjson

import (
	"encoding/base64"
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/jsonwire"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes LwM2M JSON. See codec.Encoder.
type Encoder struct {
	buf   []byte
	base  dm.Path
	group dm.Path // the node that the base name names
	begun bool
}

// Begin starts a payload. LwM2M JSON carries one object, so the root is refused.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{base: t.Base, group: t.Base.Up(dm.InstanceLevel)}
	if t.Base.IsRoot() {
		return fault.NotAcceptable(t.Base, "LwM2M JSON carries one object")
	}
	if err := fault.Prefix(t.Prefix); err != nil {
		return err
	}
	b := append(dst, `{"bn":"`...)
	if t.Prefix != "" {
		b = append(append(b, '/'), t.Prefix...)
	}
	e.buf = append(e.group.Append(b), `/","e":[`...)
	return nil
}

// Entry appends one value, in any order of paths. An empty node has no member.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	v := &x.Value
	if v.Type() == registry.None {
		return nil
	}
	if err := fault.Decimal(&x); err != nil {
		return err
	}
	b := e.buf
	if e.begun {
		b = append(b, ',')
	}
	e.begun = true
	b = append(b, `{"n":"`...)
	b = x.Path.AppendIDs(b, e.group.Level()+1, x.Path.Level())
	b = append(b, `",`...)
	if x.Time != 0 {
		b = jsonwire.AppendFloat(append(b, `"t":`...), x.Time)
		b = append(b, ',')
	}
	e.buf = append(appendValue(b, v), '}')
	return nil
}

func appendValue(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return jsonwire.AppendString(append(b, `"sv":`...), v.Text())
	case registry.Boolean:
		return strconv.AppendBool(append(b, `"bv":`...), v.Boolean())
	case registry.Opaque:
		return jsonwire.AppendBase64(append(b, `"sv":`...), base64.StdEncoding, v.Opaque())
	case registry.Objlnk:
		return append(v.Link().Append(append(b, `"ov":"`...)), '"')
	}
	return jsonwire.AppendNumber(append(b, `"v":`...), v)
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) {
	b := append(e.buf, `]}`...)
	e.buf = nil
	return b, nil
}
