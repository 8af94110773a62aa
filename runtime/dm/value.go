package dm

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/lwm2mgen/toolkit/registry"
)

// Value is one value of any data type, on its way between the data model and a data format. It is a
// tagged union that is passed by value, so that numbers never escape to the heap. The zero value
// means no value and has the type registry.None.
//
// A Value may share the bytes of a text or an Opaque with its origin; see Opaque. Compare values
// with Equal: == compares where the bytes are stored, not their content.
type Value struct { // at most four fields, so that the compiler keeps it in registers
	typ   registry.Type
	marks marks
	num   uint64 // the number, or how many bytes data points to
	// data is the bytes of a String, Corelnk or Opaque. It is a plain pointer because fmt reads
	// strings and slices in unexported fields and so bypasses the methods that hide a secret.
	data unsafe.Pointer
}

// marks say what a value is in addition to its type and content.
type marks uint8

const (
	secret marks = 1 << iota
	moving
	quiet
	banded
)

// textValue returns a Value of a type that consists of text or bytes.
func textValue(t registry.Type, s string) Value {
	return Value{typ: t, num: uint64(len(s)), data: unsafe.Pointer(unsafe.StringData(s))}
}

// text returns the text or bytes of a String, Corelnk or Opaque, and "" for other types.
func (v Value) text() string {
	if v.data == nil {
		return ""
	}
	return unsafe.String((*byte)(v.data), int(v.num))
}

// IntegerValue returns an Integer.
func IntegerValue(v int64) Value { return Value{typ: registry.Integer, num: uint64(v)} }

// UnsignedValue returns an Unsigned Integer.
func UnsignedValue(v uint64) Value { return Value{typ: registry.UnsignedInteger, num: v} }

// FloatValue returns a Float.
func FloatValue(v float64) Value { return Value{typ: registry.Float, num: math.Float64bits(v)} }

// BooleanValue returns a Boolean.
func BooleanValue(v bool) Value {
	if v {
		return Value{typ: registry.Boolean, num: 1}
	}
	return Value{typ: registry.Boolean}
}

// StringValue returns a String.
func StringValue(v string) Value { return textValue(registry.String, v) }

// OpaqueValue returns an Opaque that shares v: v must not change while the Value is in use. A write
// to a Model copies it.
func OpaqueValue(v []byte) Value {
	return Value{typ: registry.Opaque, num: uint64(len(v)), data: unsafe.Pointer(unsafe.SliceData(v))}
}

// TimeValue returns a Time in whole seconds since 1970-01-01 UTC.
func TimeValue(seconds int64) Value { return Value{typ: registry.Time, num: uint64(seconds)} }

// LinkValue returns an Objlnk.
func LinkValue(v ObjectLink) Value {
	return Value{typ: registry.Objlnk, num: uint64(v.Object)<<16 | uint64(v.Instance)}
}

// CoreLinkValue returns a Corelnk.
func CoreLinkValue(v CoreLink) Value { return textValue(registry.Corelnk, string(v)) }

// Type returns the data type, registry.None for the zero Value.
func (v Value) Type() registry.Type { return v.typ }

// IsSecret reports whether the value must not be shown.
func (v Value) IsSecret() bool { return v.marks&secret != 0 }

// Hidden returns the same value marked as one that must not be shown, like the value of a secret
// resource.
func (v Value) Hidden() Value {
	v.marks |= secret
	return v
}

// IsSilentFor reports whether a change of the value is no reason to notify observers of a node of
// the given level, because it was read from a live resource that is marked with Quiet or Moving.
func (v Value) IsSilentFor(l Level) bool {
	return v.marks&quiet != 0 || v.marks&moving != 0 && l < ResourceLevel
}

// HasDeadBand reports whether the value was read from a live resource with a DeadBand.
func (v Value) HasDeadBand() bool { return v.marks&banded != 0 }

// Integer returns the number of an Integer, 0 for other types.
func (v Value) Integer() int64 {
	if v.typ != registry.Integer {
		return 0
	}
	return int64(v.num)
}

// Unsigned returns the number of an Unsigned Integer, 0 for other types.
func (v Value) Unsigned() uint64 {
	if v.typ != registry.UnsignedInteger {
		return 0
	}
	return v.num
}

// Float returns the number of a Float, 0 for other types.
func (v Value) Float() float64 {
	if v.typ != registry.Float {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Boolean returns the value of a Boolean, and false for other types.
func (v Value) Boolean() bool { return v.typ == registry.Boolean && v.num != 0 }

// Text returns the text of a String or Corelnk, "" for other types.
func (v Value) Text() string {
	if v.typ == registry.Opaque {
		return ""
	}
	return v.text()
}

// Opaque returns the bytes of an Opaque, and nil for other types. The bytes may be shared with the
// data model; do not change them.
func (v Value) Opaque() []byte {
	if v.typ != registry.Opaque {
		return nil
	}
	return unsafe.Slice((*byte)(v.data), int(v.num))
}

// Seconds returns the seconds since 1970-01-01 UTC of a Time, 0 for other types.
func (v Value) Seconds() int64 {
	if v.typ != registry.Time {
		return 0
	}
	return int64(v.num)
}

// Link returns the link of an Objlnk, NullLink for other types.
func (v Value) Link() ObjectLink {
	if v.typ != registry.Objlnk {
		return NullLink
	}
	return ObjectLink{ObjectID(v.num >> 16), InstanceID(v.num)}
}

// Equal reports whether both values have the same type and content. NaN equals NaN with the same
// bits.
func (v Value) Equal(w Value) bool {
	return v.typ == w.typ && v.num == w.num && v.text() == w.text()
}

// String returns the value in readable form: numbers and text as they are, opaque bytes in base64,
// times in RFC 3339, secrets as [redacted].
func (v Value) String() string {
	if v.IsSecret() {
		return redacted
	}
	switch v.typ {
	case registry.String, registry.Corelnk:
		return v.text()
	case registry.Integer:
		return strconv.FormatInt(v.Integer(), 10)
	case registry.UnsignedInteger:
		return strconv.FormatUint(v.num, 10)
	case registry.Float:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case registry.Boolean:
		return strconv.FormatBool(v.Boolean())
	case registry.Opaque:
		return base64.StdEncoding.EncodeToString(v.Opaque())
	case registry.Time:
		return time.Unix(v.Seconds(), 0).UTC().Format(time.RFC3339)
	case registry.Objlnk:
		return v.Link().String()
	}
	return ""
}

// Format prints String under every verb, so that a secret is never shown.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.String())) }

// LogValue returns String.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }
