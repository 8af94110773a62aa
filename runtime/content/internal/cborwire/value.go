package cborwire

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// AppendValue appends a value of the data model as the item of its type: times as whole numbers
// without a tag, object links as text.
func AppendValue(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.String, registry.Corelnk:
		return AppendText(b, v.Text())
	case registry.Integer:
		return AppendInt(b, v.Integer())
	case registry.UnsignedInteger:
		return AppendUint(b, v.Unsigned())
	case registry.Boolean:
		return AppendBool(b, v.Boolean())
	case registry.Opaque:
		return AppendBytes(b, v.Opaque())
	case registry.Time:
		return AppendInt(b, v.Seconds())
	case registry.Objlnk:
		return appendLink(b, v.Link())
	}
	return AppendFloat(b, v.Float())
}

func appendLink(b []byte, l dm.ObjectLink) []byte {
	var text [len("65535:65535")]byte
	s := l.Append(text[:0])
	return append(AppendHead(b, Text, uint64(len(s))), s...)
}
