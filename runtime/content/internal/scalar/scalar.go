// Package scalar holds a single value as a payload shows it, before the definition of its resource
// gives it a type.
package scalar

import (
	"math"
	"math/bits"
	"strconv"
)

// Kind is the kind of a value that the payload itself shows.
type Kind uint8

// The kinds. Base64 and Base64URL are texts that encode bytes, Link is a text in a field for object
// links, Date is a text with CBOR's tag 0.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	Bytes
	Base64
	Base64URL
	Link
	Date
)

// String returns the kind as error texts name it.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "a Boolean"
	case Int:
		return "a whole number"
	case Float:
		return "a number with a fraction"
	case Text:
		return "a text"
	case Bytes, Base64, Base64URL:
		return "bytes"
	case Link:
		return "an object link"
	case Date:
		return "a date"
	}
	return "nothing"
}

// Scalar is one value. The zero value means null. B shares the payload's bytes, or is a copy where
// the payload holds the value in pieces or with escapes.
type Scalar struct {
	Kind Kind
	// True is the truth of a Bool.
	True bool
	// Neg and Mag are the sign and the magnitude of an Int. Negative zero is a Float.
	Neg bool
	Mag uint64
	// F is the number of a Float.
	F float64
	// B is the content of every other kind.
	B []byte
}

// FromInt returns an Int.
func FromInt(v int64) Scalar {
	if v < 0 {
		return Scalar{Kind: Int, Neg: true, Mag: -uint64(v)}
	}
	return Scalar{Kind: Int, Mag: uint64(v)}
}

// FromFloat returns a Float.
func FromFloat(v float64) Scalar { return Scalar{Kind: Float, F: v} }

// Number reports whether the value is a number.
func (s *Scalar) Number() bool { return s.Kind == Int || s.Kind == Float }

// Float64 returns the number, rounded to the nearest float64, or 0 for other kinds.
func (s *Scalar) Float64() float64 {
	switch s.Kind {
	case Float:
		return s.F
	case Int:
		if s.Neg {
			return math.Copysign(float64(s.Mag), -1)
		}
		return float64(s.Mag)
	}
	return 0
}

// Int64 returns the number, if it is whole and fits.
func (s *Scalar) Int64() (int64, bool) {
	switch s.Kind {
	case Int:
		if s.Neg {
			return -int64(s.Mag), s.Mag <= 1<<63
		}
		return int64(s.Mag), s.Mag < 1<<63
	case Float:
		if s.F >= -1<<63 && s.F < 1<<63 && s.F == math.Trunc(s.F) {
			return int64(s.F), true
		}
	}
	return 0, false
}

// Uint64 returns the number, if it is whole, not negative and fits.
func (s *Scalar) Uint64() (uint64, bool) {
	switch s.Kind {
	case Int:
		return s.Mag, !s.Neg || s.Mag == 0
	case Float:
		if s.F >= 0 && s.F < 1<<64 && s.F == math.Trunc(s.F) {
			return uint64(s.F), true
		}
	}
	return 0, false
}

// Add returns the sum of two numbers. It is exact if both are whole and the sum fits.
func Add(a, b *Scalar) Scalar {
	if a.Kind == Int && b.Kind == Int {
		if a.Neg == b.Neg {
			if sum, carry := bits.Add64(a.Mag, b.Mag, 0); carry == 0 {
				return Scalar{Kind: Int, Neg: a.Neg, Mag: sum}
			}
		} else {
			if a.Mag < b.Mag {
				a, b = b, a
			}
			d := a.Mag - b.Mag
			return Scalar{Kind: Int, Neg: a.Neg && d != 0, Mag: d}
		}
	}
	return FromFloat(a.Float64() + b.Float64())
}

// maxDecimal is the size of the text that Decimal makes of a mantissa and an exponent, in bytes.
const maxDecimal = 64

// Decimal returns the mantissa mag times ten to the power of exp: an Int if the result is whole and
// fits 64 bits, else the nearest Float. It returns false if the number is too large for a float64.
func Decimal(neg bool, mag uint64, exp int64) (Scalar, bool) {
	if whole, ok := shift(mag, exp); ok {
		return Scalar{Kind: Int, Neg: neg, Mag: whole}, true
	}
	var buf [maxDecimal]byte
	b := buf[:0]
	if neg {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, mag, 10)
	b = append(b, 'e')
	b = strconv.AppendInt(b, exp, 10)
	f, err := strconv.ParseFloat(string(b), 64)
	return FromFloat(f), err == nil
}

// shift returns mag times ten to the power of exp, if that is a whole number below 2^64.
func shift(mag uint64, exp int64) (uint64, bool) {
	if mag == 0 {
		return 0, true
	}
	if exp > 19 || exp < -19 {
		return 0, false
	}
	for ; exp > 0; exp-- {
		hi, lo := bits.Mul64(mag, 10)
		if hi != 0 {
			return 0, false
		}
		mag = lo
	}
	for ; exp < 0; exp++ {
		if mag%10 != 0 {
			return 0, false
		}
		mag /= 10
	}
	return mag, true
}
