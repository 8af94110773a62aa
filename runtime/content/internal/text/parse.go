package text

import (
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/single"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Decoder reads plain text. See codec.Decoder.
type Decoder struct{ sink sink.Sink }

// Decode yields the one value.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	if err := single.CheckRequest(&r); err != nil {
		return err
	}
	d.sink.Begin(r, yield)
	err := d.decode(payload)
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

func (d *Decoder) decode(payload []byte) error {
	p := d.sink.Req.Base
	v, err := Parse(payload, d.sink.Type(p))
	if err != nil {
		return fault.BadRequest(p, "%w", err)
	}
	return d.sink.Value(p, v, 0)
}

// Errors of values do not show the value: it may be a secret.
var (
	errUTF8    = errors.New("the text is not valid UTF-8")
	errInteger = errors.New("the text is not a decimal whole number that fits the type")
	errFloat   = errors.New("the text is not a decimal number")
	errBool    = errors.New("the text of a Boolean is 0 or 1")
	errLink    = errors.New("an object link must read like 3303:0, or 65535:65535 for none")
)

// maxNumber is the longest text of a number, in bytes: an exact float64 has fewer digits.
const maxNumber = 1200

// Parse reads a value of the given type from all of b. It accepts neither blanks nor a plus sign.
// The type None is read as a String.
func Parse(b []byte, t registry.Type) (dm.Value, error) {
	switch t {
	case registry.String, registry.Corelnk, registry.None:
		if !utf8.Valid(b) {
			return dm.Value{}, errUTF8
		}
		if t == registry.Corelnk {
			return dm.CoreLinkValue(dm.CoreLink(b)), nil
		}
		return dm.StringValue(string(b)), nil
	case registry.Opaque:
		v, err := scalar.Unbase64(base64.StdEncoding, b)
		return dm.OpaqueValue(v), err
	case registry.Objlnk:
		if l, ok := scalar.ParseLink(b); ok {
			return dm.LinkValue(l), nil
		}
		return dm.Value{}, errLink
	case registry.Boolean:
		if len(b) != 1 || b[0]&^1 != '0' {
			return dm.Value{}, errBool
		}
		return dm.BooleanValue(b[0] == '1'), nil
	case registry.Float:
		return parseFloat(b)
	}
	return parseWhole(b, t)
}

func parseWhole(b []byte, t registry.Type) (dm.Value, error) {
	if len(b) == 0 || len(b) > maxNumber || b[0] == '+' {
		return dm.Value{}, errInteger
	}
	if t == registry.UnsignedInteger {
		v, err := strconv.ParseUint(string(b), 10, 64)
		if err != nil {
			return dm.Value{}, errInteger
		}
		return dm.UnsignedValue(v), nil
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	switch {
	case err != nil:
		return dm.Value{}, errInteger
	case t == registry.Time:
		return dm.TimeValue(v), nil
	}
	return dm.IntegerValue(v), nil
}

// parseFloat reads a decimal number, with or without an exponent. strconv alone would also accept
// hexadecimal numbers, underscores, NaN and infinities.
func parseFloat(b []byte) (dm.Value, error) {
	if len(b) == 0 || len(b) > maxNumber {
		return dm.Value{}, errFloat
	}
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '-', c == '+' && i > 0:
		default:
			return dm.Value{}, errFloat
		}
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return dm.Value{}, errFloat
	}
	return dm.FloatValue(v), nil
}
