package cborwire

import (
	"errors"
	"math"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
)

// Errors of input that is CBOR but not a value of LwM2M.
var (
	ErrKind    = errors.New("an item of another kind is expected here")
	ErrUTF8    = errors.New("a text string is not valid UTF-8")
	ErrTag     = errors.New("the tag has no meaning here")
	ErrTagged  = errors.New("the content does not fit its tag")
	ErrNumber  = errors.New("the number is too large")
	ErrNoValue = errors.New("undefined and other simple values have no meaning here")
)

// The tags that are understood (RFC 8949 §3.4).
const (
	TagDate    = 0
	TagEpoch   = 1
	tagDecimal = 4
	tagCBOR    = 55799
)

// maxDepth bounds how deeply nested an item Skip accepts.
const maxDepth = 16

// Reader reads one payload from front to back. B is the payload, Pos the offset of the next byte.
// After an error, Pos is the offset of the error.
type Reader struct {
	B   []byte
	Pos int
}

// Head reads the next head. It refuses a length or a count that the bytes that follow cannot hold:
// an element takes at least one byte.
func (r *Reader) Head() (Head, error) {
	h, n, err := ParseHead(r.B[r.Pos:])
	if err != nil {
		return h, err
	}
	left := uint64(len(r.B) - r.Pos - n)
	switch h.Major {
	case Bytes, Text, Array:
		if h.Arg > left {
			return h, ErrShort
		}
	case Map:
		if h.Arg > left/2 {
			return h, ErrShort
		}
	}
	r.Pos += n
	return h, nil
}

// Peek returns the next head without reading it.
func (r *Reader) Peek() (Head, error) {
	pos := r.Pos
	h, err := r.Head()
	r.Pos = pos
	return h, err
}

// Start skips the tag that marks a payload as CBOR (RFC 8949 §3.4.6).
func (r *Reader) Start() {
	if h, n, err := ParseHead(r.B); err == nil && h.Major == Tag && h.Arg == tagCBOR {
		r.Pos = n
	}
}

// End returns an error if bytes follow the payload.
func (r *Reader) End() error {
	if r.Pos != len(r.B) {
		return ErrTrailing
	}
	return nil
}

// Open reads the head of an array or map.
func (r *Reader) Open(major byte) (Items, error) {
	h, err := r.Peek()
	if err != nil {
		return Items{}, err
	}
	if h.Major != major {
		return Items{}, ErrKind
	}
	h, err = r.Head()
	return Items{left: h.Arg, indefinite: h.Indefinite}, err
}

// Items counts the elements of an array, or the pairs of a map, that are still to be read.
type Items struct {
	left       uint64
	indefinite bool
}

// More reports whether another element or pair follows. It reads the break of an indefinite item.
func (r *Reader) More(it *Items) (bool, error) {
	if !it.indefinite {
		if it.left == 0 {
			return false, nil
		}
		it.left--
		return true, nil
	}
	if r.Pos == len(r.B) {
		return false, ErrShort
	}
	if r.B[r.Pos] == Break {
		r.Pos++
		return false, nil
	}
	return true, nil
}

// Scalar reads one value: a number, a string, true, false, null, a date or a decimal fraction. A
// number with the tag of an epoch-based date is the number.
func (r *Reader) Scalar() (scalar.Scalar, error) {
	h, err := r.Head()
	if err != nil {
		return scalar.Scalar{}, err
	}
	switch h.Major {
	case Unsigned:
		return scalar.Scalar{Kind: scalar.Int, Mag: h.Arg}, nil
	case Negative:
		if h.Arg == math.MaxUint64 {
			return scalar.FromFloat(-(1 << 64)), nil
		}
		return scalar.Scalar{Kind: scalar.Int, Neg: true, Mag: h.Arg + 1}, nil
	case Bytes:
		b, err := r.str(h)
		return scalar.Scalar{Kind: scalar.Bytes, B: b}, err
	case Text:
		b, err := r.str(h)
		return scalar.Scalar{Kind: scalar.Text, B: b}, err
	case Tag:
		return r.tagged(h.Arg)
	case Simple:
		return simple(h)
	}
	return scalar.Scalar{}, ErrKind
}

func simple(h Head) (scalar.Scalar, error) {
	switch {
	case h.Indefinite:
		return scalar.Scalar{}, ErrKind
	case h.Info == half:
		return scalar.FromFloat(fromHalf(uint16(h.Arg))), nil
	case h.Info == single:
		return scalar.FromFloat(float64(math.Float32frombits(uint32(h.Arg)))), nil
	case h.Info == double:
		return scalar.FromFloat(math.Float64frombits(h.Arg)), nil
	case h.Arg == False, h.Arg == True:
		return scalar.Scalar{Kind: scalar.Bool, True: h.Arg == True}, nil
	case h.Arg == Null:
		return scalar.Scalar{}, nil
	}
	return scalar.Scalar{}, ErrNoValue
}

// tagged reads the content of a tag. Tags do not nest.
func (r *Reader) tagged(tag uint64) (scalar.Scalar, error) {
	switch tag {
	case tagDecimal:
		return r.decimal()
	case TagDate, TagEpoch:
	default:
		return scalar.Scalar{}, ErrTag
	}
	if h, err := r.Peek(); err != nil || h.Major == Tag {
		return scalar.Scalar{}, errOr(err, ErrTagged)
	}
	v, err := r.Scalar()
	switch {
	case err != nil:
		return v, err
	case tag == TagEpoch && v.Number():
		return v, nil
	case tag == TagDate && v.Kind == scalar.Text:
		v.Kind = scalar.Date
		return v, nil
	}
	return v, ErrTagged
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// decimal reads a decimal fraction: an array of exponent and mantissa (RFC 8949 §3.4.4).
func (r *Reader) decimal() (scalar.Scalar, error) {
	it, err := r.Open(Array)
	if err != nil {
		return scalar.Scalar{}, err
	}
	var part [2]scalar.Scalar
	for i := range part {
		if more, err := r.More(&it); err != nil || !more {
			return scalar.Scalar{}, errOr(err, ErrTagged)
		}
		if h, err := r.Peek(); err != nil || h.Major > Negative {
			return scalar.Scalar{}, errOr(err, ErrTagged)
		}
		if part[i], err = r.Scalar(); err != nil {
			return scalar.Scalar{}, err
		}
	}
	if more, err := r.More(&it); err != nil || more {
		return scalar.Scalar{}, errOr(err, ErrTagged)
	}
	exp, ok := part[0].Int64()
	if !ok || part[1].Kind != scalar.Int {
		return scalar.Scalar{}, ErrNumber
	}
	v, ok := scalar.Decimal(part[1].Neg, part[1].Mag, exp)
	if !ok {
		return v, ErrNumber
	}
	return v, nil
}

// str reads the content of a string. The pieces of an indefinite string are definite strings of the
// same kind, and each is valid by itself (RFC 8949 §3.2.3).
func (r *Reader) str(h Head) ([]byte, error) {
	if !h.Indefinite {
		s := r.B[r.Pos : r.Pos+int(h.Arg)]
		if h.Major == Text && !utf8.Valid(s) {
			return nil, ErrUTF8
		}
		r.Pos += len(s)
		return s, nil
	}
	whole := []byte{}
	it := Items{indefinite: true}
	for {
		more, err := r.More(&it)
		if err != nil || !more {
			return whole, err
		}
		p, err := r.Peek()
		if err != nil {
			return nil, err
		}
		if p.Major != h.Major || p.Indefinite {
			return nil, ErrKind
		}
		if p, err = r.Head(); err != nil {
			return nil, err
		}
		s, err := r.str(p)
		if err != nil {
			return nil, err
		}
		whole = append(whole, s...)
	}
}

// Skip reads one item of any kind and discards it. It checks only that the item is well-formed.
func (r *Reader) Skip() error { return r.skip(maxDepth) }

func (r *Reader) skip(depth int) error {
	if depth == 0 {
		return ErrDepth
	}
	h, err := r.Head()
	if err != nil {
		return err
	}
	switch h.Major {
	case Bytes, Text:
		_, err := r.str(h)
		return err
	case Tag:
		return r.skip(depth - 1)
	case Array, Map:
		it := Items{left: h.Arg, indefinite: h.Indefinite}
		for {
			more, err := r.More(&it)
			if err != nil || !more {
				return err
			}
			if h.Major == Map {
				if err := r.skip(depth - 1); err != nil {
					return err
				}
			}
			if err := r.skip(depth - 1); err != nil {
				return err
			}
		}
	case Simple:
		if h.Indefinite {
			return ErrKind
		}
	}
	return nil
}
