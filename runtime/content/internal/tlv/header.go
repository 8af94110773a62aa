// Package tlv implements LwM2M's TLV format (Core 1.2.2 §7.4.5, Core 1.0.2 §6.4.3).
package tlv

import "errors"

// Kind says what a TLV holds. It is the two highest bits of the type byte.
type Kind uint8

// The kinds of TLVs.
const (
	ObjectInstance   Kind = 0 // holds resources
	ResourceInstance Kind = 1 // holds one value of a Multiple
	Multiple         Kind = 2 // holds the resource instances of a resource
	Resource         Kind = 3 // holds the value of a resource
)

// Header is the type, the ID and the length of a TLV, which precede its value.
type Header struct {
	Kind Kind
	// ID is the instance ID, resource ID or resource instance ID.
	ID uint16
	// Len is the length of the value in bytes, 0..MaxLen.
	Len int
}

// MaxLen is the length of the longest value in bytes: the length field has three bytes.
const MaxLen = 1<<24 - 1

// ErrShort says that the payload ends within a TLV.
var ErrShort = errors.New("it ends too early")

// The bits of the type byte.
const (
	longID     = 1 << 5
	lengthBits = 3
	lengthMask = 3
	shortMask  = 7
)

// ParseHeader reads the header at the start of b and returns its length. It returns ErrShort unless
// b holds the whole value as well.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return h, 0, ErrShort
	}
	typ := b[0]
	wide := int(typ>>lengthBits) & lengthMask
	n = 2 + wide
	if typ&longID != 0 {
		n++
	}
	if len(b) < n {
		return h, 0, ErrShort
	}
	h.Kind = Kind(typ >> 6)
	rest := b[1:n]
	for range n - 1 - wide {
		h.ID = h.ID<<8 | uint16(rest[0])
		rest = rest[1:]
	}
	if wide == 0 {
		h.Len = int(typ & shortMask)
	}
	for _, c := range rest {
		h.Len = h.Len<<8 | int(c)
	}
	if h.Len > len(b)-n {
		return h, 0, ErrShort
	}
	return h, n, nil
}

// AppendHeader appends the shortest header for h. h.Len must not exceed MaxLen.
func AppendHeader(b []byte, h Header) []byte {
	typ := byte(h.Kind) << 6
	wide := lengthLen(h.Len)
	if wide == 0 {
		typ |= byte(h.Len)
	}
	typ |= byte(wide) << lengthBits
	if h.ID > 0xff {
		b = append(b, typ|longID, byte(h.ID>>8), byte(h.ID))
	} else {
		b = append(b, typ, byte(h.ID))
	}
	switch wide {
	case 3:
		b = append(b, byte(h.Len>>16))
		fallthrough
	case 2:
		b = append(b, byte(h.Len>>8))
		fallthrough
	case 1:
		b = append(b, byte(h.Len))
	}
	return b
}

// HeaderLen returns the length of the header that AppendHeader appends.
func HeaderLen(h Header) int {
	n := 2 + lengthLen(h.Len)
	if h.ID > 0xff {
		n++
	}
	return n
}

// lengthLen returns the number of bytes of the length field. Short lengths are in the type byte.
func lengthLen(n int) int {
	switch {
	case n <= shortMask:
		return 0
	case n < 1<<8:
		return 1
	case n < 1<<16:
		return 2
	}
	return 3
}
