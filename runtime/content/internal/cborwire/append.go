package cborwire

import (
	"encoding/binary"
	"math"
)

// AppendInt appends a whole number in its shortest form.
func AppendInt(b []byte, v int64) []byte {
	if v < 0 {
		return AppendHead(b, Negative, uint64(^v))
	}
	return AppendHead(b, Unsigned, uint64(v))
}

// AppendUint appends a whole number in its shortest form.
func AppendUint(b []byte, v uint64) []byte { return AppendHead(b, Unsigned, v) }

// AppendText appends a text string.
func AppendText(b []byte, s string) []byte {
	return append(AppendHead(b, Text, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(b []byte, s []byte) []byte {
	return append(AppendHead(b, Bytes, uint64(len(s))), s...)
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, Simple<<5|True)
	}
	return append(b, Simple<<5|False)
}

// AppendNull appends null.
func AppendNull(b []byte) []byte { return append(b, Simple<<5|Null) }

// AppendFloat appends a number as the shortest float that keeps it exactly (RFC 8949 §4.1).
func AppendFloat(b []byte, v float64) []byte {
	if h, ok := toHalf(v); ok {
		return append(b, Simple<<5|half, byte(h>>8), byte(h))
	}
	if f := float32(v); float64(f) == v {
		return binary.BigEndian.AppendUint32(append(b, Simple<<5|single), math.Float32bits(f))
	}
	return binary.BigEndian.AppendUint64(append(b, Simple<<5|double), math.Float64bits(v))
}

// FloatLen returns the number of bytes that AppendFloat appends.
func FloatLen(v float64) int {
	if _, ok := toHalf(v); ok {
		return 3
	}
	if float64(float32(v)) == v {
		return 5
	}
	return 9
}

// The shape of a float64 and of a half float.
const (
	mantissa64 = 52
	mantissa16 = 10
	bias64     = 1023
	bias16     = 15
)

// toHalf returns the half float that equals v, if there is one. Of the NaNs only those whose
// payload fits have one.
func toHalf(v float64) (uint16, bool) {
	u := math.Float64bits(v)
	sign := uint16(u>>48) & 0x8000
	exp := int(u>>mantissa64&0x7ff) - bias64
	frac := u & (1<<mantissa64 - 1)
	const cut = mantissa64 - mantissa16
	switch {
	case u<<1 == 0:
		return sign, true
	case exp == bias64+1:
		return sign | 0x7c00 | uint16(frac>>cut), frac&(1<<cut-1) == 0
	case exp > bias16:
		return 0, false
	case exp >= 1-bias16:
		return sign | uint16(exp+bias16)<<mantissa16 | uint16(frac>>cut), frac&(1<<cut-1) == 0
	}
	shift := cut + 1 - bias16 - exp // subnormal: the leading one becomes part of the fraction
	if shift > mantissa64 {
		return 0, false
	}
	frac |= 1 << mantissa64
	return sign | uint16(frac>>shift), frac&(1<<shift-1) == 0
}

// fromHalf returns the number of a half float.
func fromHalf(h uint16) float64 {
	sign := uint64(h&0x8000) << 48
	exp := uint64(h >> mantissa16 & 0x1f)
	frac := uint64(h & (1<<mantissa16 - 1))
	switch exp {
	case 0:
		return math.Copysign(math.Ldexp(float64(frac), -24), math.Float64frombits(sign|1))
	case 0x1f:
		return math.Float64frombits(sign | 0x7ff<<mantissa64 | frac<<(mantissa64-mantissa16))
	}
	return math.Float64frombits(sign | (exp+bias64-bias16)<<mantissa64 | frac<<(mantissa64-mantissa16))
}
