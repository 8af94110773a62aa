package scalar

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// errRange says that a number does not fit its type. Error texts do not show the value: it may be a
// secret.
var errRange = errors.New("the number is out of the type's range or has a fraction")

// Typed returns the value with the given type. None takes the type that the payload itself shows;
// it is for resources without a definition.
func (s *Scalar) Typed(t registry.Type) (dm.Value, error) {
	switch t {
	case registry.None:
		return s.untyped()
	case registry.Integer, registry.Time:
		return s.whole(t)
	case registry.UnsignedInteger:
		if s.Number() {
			v, ok := s.Uint64()
			return dm.UnsignedValue(v), inRange(ok)
		}
	case registry.Float:
		if s.Number() {
			return dm.FloatValue(s.Float64()), nil
		}
	case registry.Boolean:
		if s.Kind == Bool {
			return dm.BooleanValue(s.True), nil
		}
	case registry.String, registry.Corelnk:
		if s.Kind == Text {
			return s.text(t)
		}
	case registry.Opaque:
		if s.Kind == Bytes || s.Kind == Base64 || s.Kind == Base64URL {
			return s.opaque()
		}
	case registry.Objlnk:
		if s.Kind == Link || s.Kind == Text {
			return s.link()
		}
	}
	return dm.Value{}, fmt.Errorf("the payload has %v where the type is %v", s.Kind, t)
}

func inRange(ok bool) error {
	if ok {
		return nil
	}
	return errRange
}

// whole returns an Integer or a Time. A Time may also be written as a date.
func (s *Scalar) whole(t registry.Type) (dm.Value, error) {
	v, ok := s.Int64()
	switch {
	case s.Kind == Date && t == registry.Time:
		at, err := time.Parse(time.RFC3339Nano, string(s.B))
		if err != nil || at.Nanosecond() != 0 {
			return dm.Value{}, errors.New("the date is not an RFC 3339 date in whole seconds")
		}
		return dm.TimeValue(at.Unix()), nil
	case !s.Number():
		return dm.Value{}, fmt.Errorf("the payload has %v where the type is %v", s.Kind, t)
	case !ok:
		return dm.Value{}, errRange
	case t == registry.Time:
		return dm.TimeValue(v), nil
	}
	return dm.IntegerValue(v), nil
}

func (s *Scalar) text(t registry.Type) (dm.Value, error) {
	if !utf8.Valid(s.B) {
		return dm.Value{}, errors.New("the text is not valid UTF-8")
	}
	if t == registry.Corelnk {
		return dm.CoreLinkValue(dm.CoreLink(s.B)), nil
	}
	return dm.StringValue(string(s.B)), nil
}

func (s *Scalar) opaque() (dm.Value, error) {
	enc := base64.StdEncoding
	switch s.Kind {
	case Bytes:
		return dm.OpaqueValue(s.B), nil
	case Base64URL:
		enc = base64.RawURLEncoding // RFC 8428 §5, but some servers send the padding
		if bytes.HasSuffix(s.B, []byte("=")) {
			enc = base64.URLEncoding
		}
	}
	b, err := Unbase64(enc, s.B)
	if err != nil {
		return dm.Value{}, err
	}
	return dm.OpaqueValue(b), nil
}

// Unbase64 decodes base64. It accepts one spelling of each value, without line breaks.
func Unbase64(enc *base64.Encoding, text []byte) ([]byte, error) {
	for _, c := range text {
		if c == '\n' || c == '\r' {
			return nil, errors.New("the base64 text has a line break")
		}
	}
	b := make([]byte, enc.DecodedLen(len(text)))
	n, err := enc.Strict().Decode(b, text)
	if err != nil {
		return nil, errors.New("the text is not valid base64 of the alphabet that the format uses")
	}
	return b[:n], nil
}

func (s *Scalar) link() (dm.Value, error) {
	l, ok := ParseLink(s.B)
	if !ok {
		return dm.Value{}, errors.New("an object link must read like 3303:0, or 65535:65535 for none")
	}
	return dm.LinkValue(l), nil
}

// ParseLink reads an object link such as 3303:0. It returns no error, which might show a secret. It
// checks the length first, so that a long text is not copied.
func ParseLink(b []byte) (dm.ObjectLink, bool) {
	if len(b) > len("65535:65535") {
		return dm.NullLink, false
	}
	l, err := dm.ParseObjectLink(string(b))
	return l, err == nil
}

func (s *Scalar) untyped() (dm.Value, error) {
	switch s.Kind {
	case Bool:
		return dm.BooleanValue(s.True), nil
	case Int:
		if v, ok := s.Int64(); ok {
			return dm.IntegerValue(v), nil
		}
		if v, ok := s.Uint64(); ok {
			return dm.UnsignedValue(v), nil
		}
		return dm.FloatValue(s.Float64()), nil
	case Float:
		return dm.FloatValue(s.F), nil
	case Bytes, Base64URL:
		return s.opaque()
	case Text, Base64, Link, Date:
		return s.text(registry.String)
	}
	return dm.Value{}, errors.New("the payload has no value")
}
