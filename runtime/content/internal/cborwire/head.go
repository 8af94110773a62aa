// Package cborwire reads and appends the part of CBOR (RFC 8949) that LwM2M's formats use. It uses
// no reflection and allocates only for strings that come in pieces.
package cborwire

import (
	"errors"
	"math/bits"
)

// The major types (RFC 8949 §3.1).
const (
	Unsigned byte = iota
	Negative
	Bytes
	Text
	Array
	Map
	Tag
	Simple
)

// The values of major type 7 that are used here (RFC 8949 §3.3).
const (
	False     = 20
	True      = 21
	Null      = 22
	Undefined = 23
	half      = 25
	single    = 26
	double    = 27
	stop      = 31
)

// Break ends an item of indefinite length.
const Break byte = 0xff

// Errors of input that is not well-formed.
var (
	ErrShort    = errors.New("it ends too early")
	ErrReserved = errors.New("the additional information of a CBOR item is reserved")
	ErrTrailing = errors.New("bytes follow the payload's end")
	ErrDepth    = errors.New("items are nested too deeply")
)

// Head is the beginning of a data item.
type Head struct {
	// Major is the major type, 0..7.
	Major byte
	// Info is the additional information, 0..31. For major type 7 it distinguishes simple values
	// and floats.
	Info byte
	// Arg is the argument: a number, a length, a count, a tag, or the bits of a float.
	Arg uint64
	// Indefinite says that the string, array or map continues until a break.
	Indefinite bool
}

// ParseHead reads the head at the start of b and returns its length. A break is major type 7 with
// Indefinite set.
func ParseHead(b []byte) (h Head, n int, err error) {
	if len(b) == 0 {
		return h, 0, ErrShort
	}
	h.Major, h.Info = b[0]>>5, b[0]&0x1f
	switch {
	case h.Info < 24:
		h.Arg = uint64(h.Info)
		return h, 1, nil
	case h.Info == stop:
		if h.Major < Bytes || h.Major == Tag {
			return h, 0, ErrReserved
		}
		h.Indefinite = true
		return h, 1, nil
	case h.Info > 27:
		return h, 0, ErrReserved
	}
	n = 1 + 1<<(h.Info-24)
	if len(b) < n {
		return h, 0, ErrShort
	}
	for _, c := range b[1:n] {
		h.Arg = h.Arg<<8 | uint64(c)
	}
	if h.Major == Simple && h.Info == 24 && h.Arg < 32 {
		return h, 0, ErrReserved
	}
	return h, n, nil
}

// AppendHead appends the shortest head of a definite item.
func AppendHead(b []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(b, major|byte(arg))
	case arg < 1<<8:
		return append(b, major|24, byte(arg))
	case arg < 1<<16:
		return append(b, major|25, byte(arg>>8), byte(arg))
	case arg < 1<<32:
		return append(b, major|26, byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
	}
	return append(b, major|27, byte(arg>>56), byte(arg>>48), byte(arg>>40), byte(arg>>32),
		byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
}

// HeadLen returns the length of the head that AppendHead appends.
func HeadLen(arg uint64) int {
	if arg < 24 {
		return 1
	}
	bytes := (bits.Len64(arg) + 7) / 8
	switch {
	case bytes <= 2:
		return 1 + bytes
	case bytes <= 4:
		return 5
	}
	return 9
}

// FillHead writes the head of an item whose content already follows b[at], the one byte that is
// reserved for the head. A longer head moves the content.
func FillHead(b []byte, at int, major byte, arg uint64) []byte {
	n := HeadLen(arg)
	for range n - 1 {
		b = append(b, 0)
	}
	if n > 1 {
		copy(b[at+n:], b[at+1:])
	}
	AppendHead(b[:at], major, arg)
	return b
}
