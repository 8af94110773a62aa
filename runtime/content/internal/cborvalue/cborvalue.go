// Package cborvalue appends values where a CBOR item alone says what they are: in application/cbor and
// LwM2M CBOR.
package cborvalue

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Append appends a value.
func Append(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return cborwire.AppendText(b, v.Text())
	case registry.Integer:
		return cborwire.AppendInt(b, v.Integer())
	case registry.UnsignedInteger:
		return cborwire.AppendUint(b, v.Unsigned())
	case registry.Boolean:
		return cborwire.AppendBool(b, v.Boolean())
	case registry.Opaque:
		return cborwire.AppendBytes(b, v.Opaque())
	case registry.Time:
		return cborwire.AppendInt(b, v.Seconds())
	case registry.Objlnk:
		return AppendLink(b, v.Link())
	}
	return cborwire.AppendFloat(b, v.Float())
}

// AppendLink appends an object link as text.
func AppendLink(b []byte, l dm.ObjectLink) []byte {
	var text [len("65535:65535")]byte
	s := l.Append(text[:0])
	return append(cborwire.AppendHead(b, cborwire.Text, uint64(len(s))), s...)
}
