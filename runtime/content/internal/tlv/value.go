package tlv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendValue appends the value of a TLV (Core 1.2.2 Appendix C). Whole numbers take 1, 2, 4 or 8
// bytes. A Float takes 4 bytes if they hold it exactly, else 8.
func AppendValue(b []byte, v dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return append(b, v.Text()...)
	case registry.Opaque:
		return append(b, v.Opaque()...)
	case registry.Boolean:
		if v.Boolean() {
			return append(b, 1)
		}
		return append(b, 0)
	case registry.Integer:
		return appendBits(b, uint64(v.Integer()), ValueLen(v))
	case registry.Time:
		return appendBits(b, uint64(v.Seconds()), ValueLen(v))
	case registry.UnsignedInteger:
		return appendBits(b, v.Unsigned(), ValueLen(v))
	case registry.Float:
		if ValueLen(v) == 4 {
			return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(v.Float())))
		}
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case registry.Objlnk:
		l := v.Link()
		b = binary.BigEndian.AppendUint16(b, uint16(l.Object))
		return binary.BigEndian.AppendUint16(b, uint16(l.Instance))
	}
	return b
}

func appendBits(b []byte, v uint64, n int) []byte {
	switch n {
	case 1:
		return append(b, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(b, uint16(v))
	case 4:
		return binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return binary.BigEndian.AppendUint64(b, v)
}

// ValueLen returns the number of bytes that AppendValue appends.
func ValueLen(v dm.Value) int {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return len(v.Text())
	case registry.Opaque:
		return len(v.Opaque())
	case registry.Boolean:
		return 1
	case registry.Integer:
		return signedLen(v.Integer())
	case registry.Time:
		return signedLen(v.Seconds())
	case registry.UnsignedInteger:
		return unsignedLen(v.Unsigned())
	case registry.Float:
		if f := v.Float(); float64(float32(f)) == f {
			return 4
		}
		return 8
	case registry.Objlnk:
		return 4
	}
	return 0
}

func signedLen(v int64) int {
	switch {
	case v == int64(int8(v)):
		return 1
	case v == int64(int16(v)):
		return 2
	case v == int64(int32(v)):
		return 4
	}
	return 8
}

func unsignedLen(v uint64) int {
	switch {
	case v <= math.MaxUint8:
		return 1
	case v <= math.MaxUint16:
		return 2
	case v <= math.MaxUint32:
		return 4
	}
	return 8
}

// Errors of values do not show the value: it may be a secret.
var (
	errUTF8 = errors.New("the text is not valid UTF-8")
	errBool = errors.New("a Boolean is one byte, 0 or 1")
)

// ParseValue reads a value of the given type from all bytes of b. The type None is read as an
// Opaque. An Opaque shares b.
func ParseValue(b []byte, t registry.Type) (dm.Value, error) {
	switch t {
	case registry.String, registry.Corelnk:
		if !utf8.Valid(b) {
			return dm.Value{}, errUTF8
		}
		if t == registry.Corelnk {
			return dm.CoreLinkValue(dm.CoreLink(b)), nil
		}
		return dm.StringValue(string(b)), nil
	case registry.Opaque, registry.None:
		return dm.OpaqueValue(b), nil
	case registry.Boolean:
		if len(b) != 1 || b[0] > 1 {
			return dm.Value{}, errBool
		}
		return dm.BooleanValue(b[0] == 1), nil
	}
	return parseNumber(b, t)
}

func parseNumber(b []byte, t registry.Type) (dm.Value, error) {
	var u uint64
	for _, c := range b {
		u = u<<8 | uint64(c)
	}
	switch t {
	case registry.Objlnk:
		if len(b) == 4 {
			l := dm.ObjectLink{Object: dm.ObjectID(u >> 16), Instance: dm.InstanceID(u)}
			if uint16(l.Object) == registry.ReservedID && !l.IsNull() {
				return dm.Value{}, errors.New("the object link names the reserved object 65535")
			}
			return dm.LinkValue(l), nil
		}
		return dm.Value{}, errors.New("an object link is four bytes")
	case registry.Float:
		switch len(b) {
		case 4:
			return dm.FloatValue(float64(math.Float32frombits(uint32(u)))), nil
		case 8:
			return dm.FloatValue(math.Float64frombits(u)), nil
		}
		return dm.Value{}, fmt.Errorf("a Float is 4 or 8 bytes, not %d", len(b))
	}
	switch len(b) {
	case 1, 2, 4, 8:
	default:
		return dm.Value{}, fmt.Errorf("the type %v is 1, 2, 4 or 8 bytes, not %d", t, len(b))
	}
	if t == registry.UnsignedInteger {
		return dm.UnsignedValue(u), nil
	}
	unused := 64 - 8*len(b)
	i := int64(u<<unused) >> unused
	if t == registry.Time {
		return dm.TimeValue(i), nil
	}
	return dm.IntegerValue(i), nil
}
