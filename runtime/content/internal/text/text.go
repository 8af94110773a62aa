// Package text implements the format text/plain: one value as text (Core 1.2.2 §7.4.1, Appendix C).
// Numbers are decimal, Booleans are 0 and 1, an Opaque is base64, a Time is in seconds since 1970,
// an object link reads like 3303:0.
package text

import (
	"encoding/base64"
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/single"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes plain text. See codec.Encoder.
type Encoder struct{ single single.Encoder }

// Begin starts a payload. The target is a resource or a resource instance.
func (e *Encoder) Begin(dst []byte, t content.Target) error { return e.single.Begin(dst, t) }

// Entry appends the value.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := e.single.Check(&x); err != nil {
		return err
	}
	if err := fault.Decimal(&x); err != nil {
		return err
	}
	e.single.Buf = Append(e.single.Buf, x.Value)
	return nil
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) { return e.single.Finish() }

// Append appends a value as text. A Float must be finite; it becomes the shortest decimal number
// that reads back as the same value.
func Append(b []byte, v dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return append(b, v.Text()...)
	case registry.Integer:
		return strconv.AppendInt(b, v.Integer(), 10)
	case registry.UnsignedInteger:
		return strconv.AppendUint(b, v.Unsigned(), 10)
	case registry.Float:
		return strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
	case registry.Boolean:
		if v.Boolean() {
			return append(b, '1')
		}
		return append(b, '0')
	case registry.Opaque:
		return base64.StdEncoding.AppendEncode(b, v.Opaque())
	case registry.Time:
		return strconv.AppendInt(b, v.Seconds(), 10)
	case registry.Objlnk:
		return v.Link().Append(b)
	}
	return b
}
