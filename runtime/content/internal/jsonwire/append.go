// Package jsonwire reads and appends the part of JSON (RFC 8259) that LwM2M's formats use. It uses
// no reflection and allocates only for strings with escapes.
package jsonwire

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

const hexDigits = "0123456789abcdef"

// AppendString appends a string in quotes. The text must be valid UTF-8.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// AppendBase64 appends bytes as a base64 string in quotes.
func AppendBase64(b []byte, enc *base64.Encoding, v []byte) []byte {
	b = append(b, '"')
	b = enc.AppendEncode(b, v)
	return append(b, '"')
}

// AppendFloat appends the shortest number that reads back as v. v must be finite: JSON has no NaN
// and no infinities.
func AppendFloat(b []byte, v float64) []byte {
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, v, format, -1, 64)
}

// AppendNumber appends a value whose type is a number: Integer, Unsigned Integer, Time or Float.
func AppendNumber(b []byte, v *dm.Value) []byte {
	switch v.Type() {
	case registry.Integer:
		return strconv.AppendInt(b, v.Integer(), 10)
	case registry.UnsignedInteger:
		return strconv.AppendUint(b, v.Unsigned(), 10)
	case registry.Time:
		return strconv.AppendInt(b, v.Seconds(), 10)
	}
	return AppendFloat(b, v.Float())
}
