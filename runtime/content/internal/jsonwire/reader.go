package jsonwire

import (
	"errors"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
)

// Errors of input that is not valid JSON.
var (
	ErrShort    = errors.New("it ends too early")
	ErrKind     = errors.New("a value of another kind is expected here")
	ErrTrailing = errors.New("text follows the payload's end")
	ErrUTF8     = errors.New("a string is not valid UTF-8")
	ErrControl  = errors.New("a string has a control character that is not escaped")
	ErrEscape   = errors.New("a string has an unknown escape or half of a surrogate pair")
	ErrNumber   = errors.New("a number is malformed or too large")
	ErrLiteral  = errors.New("it must read true, false or null")
	ErrDepth    = errors.New("values are nested too deeply")
)

// maxDepth bounds how deeply nested a value Skip accepts.
const maxDepth = 16

// Reader reads one payload from front to back. B is the payload, Pos the offset of the next byte.
// After an error, Pos is the offset of the error.
type Reader struct {
	B   []byte
	Pos int
}

// next skips white space and returns the byte that follows, 0 at the end.
func (r *Reader) next() byte {
	for ; r.Pos < len(r.B); r.Pos++ {
		switch c := r.B[r.Pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// End returns an error if text follows the payload.
func (r *Reader) End() error {
	if r.next(); r.Pos != len(r.B) {
		return ErrTrailing
	}
	return nil
}

// expect reads one delimiter.
func (r *Reader) expect(c byte) error {
	switch r.next() {
	case c:
		r.Pos++
		return nil
	case 0:
		if r.Pos == len(r.B) {
			return ErrShort
		}
	}
	return ErrKind
}

// Open reads the beginning of an array ('[') or an object ('{').
func (r *Reader) Open(c byte) (Items, error) {
	return Items{end: c + 2, first: true}, r.expect(c) // ']' and '}' come two after '[' and '{'
}

// Items goes through the elements of an array or the members of an object.
type Items struct {
	end   byte
	first bool
}

// More reports whether another element or member follows. It reads the comma before it, or the
// closing bracket.
func (r *Reader) More(it *Items) (bool, error) {
	if r.next() == it.end {
		r.Pos++
		return false, nil
	}
	if it.first {
		it.first = false
		if r.Pos == len(r.B) {
			return false, ErrShort
		}
		return true, nil
	}
	return true, r.expect(',')
}

// Key reads the name of a member and the colon.
func (r *Reader) Key() ([]byte, error) {
	k, err := r.String()
	if err != nil {
		return nil, err
	}
	return k, r.expect(':')
}

// String reads a string. The bytes are the payload's own unless the string has escapes.
func (r *Reader) String() ([]byte, error) {
	if err := r.expect('"'); err != nil {
		return nil, err
	}
	for i := r.Pos; i < len(r.B); i++ {
		switch c := r.B[i]; {
		case c == '"':
			s := r.B[r.Pos:i]
			if !utf8.Valid(s) {
				return nil, ErrUTF8
			}
			r.Pos = i + 1
			return s, nil
		case c == '\\':
			return r.unescape(i)
		case c < 0x20:
			r.Pos = i
			return nil, ErrControl
		}
	}
	r.Pos = len(r.B)
	return nil, ErrShort
}

// unescape reads the rest of a string whose first escape is at i.
func (r *Reader) unescape(i int) ([]byte, error) {
	s := append([]byte(nil), r.B[r.Pos:i]...)
	for r.Pos = i; r.Pos < len(r.B); {
		c := r.B[r.Pos]
		r.Pos++
		switch {
		case c == '"':
			if !utf8.Valid(s) {
				return nil, ErrUTF8
			}
			return s, nil
		case c < 0x20:
			return nil, ErrControl
		case c != '\\':
			s = append(s, c)
			continue
		}
		var err error
		if s, err = r.escape(s); err != nil {
			return nil, err
		}
	}
	return nil, ErrShort
}

// escape reads the rest of an escape, after its backslash, and appends the character to s.
func (r *Reader) escape(s []byte) ([]byte, error) {
	if r.Pos == len(r.B) {
		return nil, ErrShort
	}
	c := r.B[r.Pos]
	r.Pos++
	switch c {
	case '"', '\\', '/':
		return append(s, c), nil
	case 'b':
		return append(s, '\b'), nil
	case 'f':
		return append(s, '\f'), nil
	case 'n':
		return append(s, '\n'), nil
	case 'r':
		return append(s, '\r'), nil
	case 't':
		return append(s, '\t'), nil
	case 'u':
		v, err := r.codePoint()
		return utf8.AppendRune(s, v), err
	}
	return nil, ErrEscape
}

// codePoint reads the digits of one escape, or of the two that make a surrogate pair.
func (r *Reader) codePoint() (rune, error) {
	v, err := r.hex()
	switch {
	case err != nil:
		return 0, err
	case v < 0xd800 || v > 0xdfff:
		return v, nil
	case v > 0xdbff:
		return 0, ErrEscape
	}
	for _, c := range []byte{'\\', 'u'} {
		if r.Pos == len(r.B) {
			return 0, ErrShort
		}
		if r.B[r.Pos] != c {
			return 0, ErrEscape
		}
		r.Pos++
	}
	low, err := r.hex()
	if err != nil {
		return 0, err
	}
	if low < 0xdc00 || low > 0xdfff {
		return 0, ErrEscape
	}
	return 0x10000 + (v-0xd800)<<10 + (low - 0xdc00), nil
}

func (r *Reader) hex() (rune, error) {
	if len(r.B)-r.Pos < 4 {
		r.Pos = len(r.B)
		return 0, ErrShort
	}
	v := rune(0)
	for range 4 {
		c := r.B[r.Pos]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, ErrEscape
		}
		v = v<<4 | rune(c)
		r.Pos++
	}
	return v, nil
}

// Scalar reads a string, a number, true, false or null.
func (r *Reader) Scalar() (scalar.Scalar, error) {
	switch c := r.next(); c {
	case '"':
		s, err := r.String()
		return scalar.Scalar{Kind: scalar.Text, B: s}, err
	case 't':
		return scalar.Scalar{Kind: scalar.Bool, True: true}, r.literal("true")
	case 'f':
		return scalar.Scalar{Kind: scalar.Bool}, r.literal("false")
	case 'n':
		return scalar.Scalar{}, r.literal("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return r.number()
		}
	}
	if r.Pos == len(r.B) {
		return scalar.Scalar{}, ErrShort
	}
	return scalar.Scalar{}, ErrKind
}

func (r *Reader) literal(s string) error {
	rest := r.B[r.Pos:]
	if len(rest) < len(s) {
		if string(rest) == s[:len(rest)] {
			r.Pos = len(r.B)
			return ErrShort
		}
		return ErrLiteral
	}
	if string(rest[:len(s)]) != s {
		return ErrLiteral
	}
	r.Pos += len(s)
	return nil
}

// Skip reads one value of any kind and discards it.
func (r *Reader) Skip() error { return r.skip(maxDepth) }

func (r *Reader) skip(depth int) error {
	c := r.next()
	if c != '[' && c != '{' {
		_, err := r.Scalar()
		return err
	}
	if depth == 0 {
		return ErrDepth
	}
	it, err := r.Open(c)
	for err == nil {
		var more bool
		if more, err = r.More(&it); err != nil || !more {
			return err
		}
		if c == '{' {
			if _, err = r.Key(); err != nil {
				return err
			}
		}
		err = r.skip(depth - 1)
	}
	return err
}
