package dm

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// DataType is the set of Go types that carry resource values (Core 1.2.2 Appendix C):
//
//	Integer           int64
//	Unsigned Integer  uint64
//	Float             float64
//	Boolean           bool
//	String            string, valid UTF-8; SecretString if it must not be shown
//	Opaque            []byte; Secret if it must not be shown
//	Time              time.Time, in whole seconds
//	Objlnk            ObjectLink
//	Corelnk           CoreLink
type DataType interface {
	int64 | uint64 | float64 | bool | string | []byte | time.Time | ObjectLink | CoreLink | Secret | SecretString
}

// toValue returns v as a Value that shares bytes with it.
func toValue[T DataType](v *T) Value {
	switch p := any(v).(type) {
	case *int64:
		return IntegerValue(*p)
	case *uint64:
		return UnsignedValue(*p)
	case *float64:
		return FloatValue(*p)
	case *bool:
		return BooleanValue(*p)
	case *string:
		return StringValue(*p)
	case *[]byte:
		return OpaqueValue(*p)
	case *time.Time:
		return TimeValue(p.Unix())
	case *ObjectLink:
		return LinkValue(*p)
	case *CoreLink:
		return CoreLinkValue(*p)
	case *Secret:
		w := textValue(registry.Opaque, p.bytes())
		w.marks |= secret
		return w
	case *SecretString:
		w := StringValue(p.Reveal())
		w.marks |= secret
		return w
	}
	return Value{}
}

// fromValue returns w as a T that shares no bytes with it. It returns false if the types differ.
func fromValue[T DataType](w Value) (v T, ok bool) {
	if w.typ != typeOf[T]() {
		return v, false
	}
	switch p := any(&v).(type) {
	case *int64:
		*p = w.Integer()
	case *uint64:
		*p = w.Unsigned()
	case *float64:
		*p = w.Float()
	case *bool:
		*p = w.Boolean()
	case *string:
		*p = w.text()
	case *[]byte:
		*p = []byte(w.text())
	case *time.Time:
		*p = time.Unix(w.Seconds(), 0).UTC()
	case *ObjectLink:
		*p = w.Link()
	case *CoreLink:
		*p = CoreLink(w.text())
	case *Secret:
		*p = NewSecret(w.Opaque())
	case *SecretString:
		*p = NewSecretString(w.text())
	}
	return v, true
}

// typeOf returns the registered type of T.
func typeOf[T DataType]() registry.Type {
	switch any((*T)(nil)).(type) {
	case *int64:
		return registry.Integer
	case *uint64:
		return registry.UnsignedInteger
	case *float64:
		return registry.Float
	case *bool:
		return registry.Boolean
	case *string, *SecretString:
		return registry.String
	case *[]byte, *Secret:
		return registry.Opaque
	case *time.Time:
		return registry.Time
	case *ObjectLink:
		return registry.Objlnk
	case *CoreLink:
		return registry.Corelnk
	}
	return registry.None
}

// hides reports whether T hides its value in output.
func hides[T DataType]() bool {
	switch any((*T)(nil)).(type) {
	case *Secret, *SecretString:
		return true
	}
	return false
}

// cloneValue returns a copy of v to keep: bytes are copied, and a time is cut to whole seconds.
func cloneValue[T DataType](v T) T {
	switch p := any(&v).(type) {
	case *[]byte:
		*p = bytes.Clone(*p)
	case *time.Time:
		*p = time.Unix(p.Unix(), 0).UTC()
	}
	return v
}

// equal reports whether a and b are the same value. NaN equals NaN.
func equal[T DataType](a, b *T) bool {
	return toValue(a).Equal(toValue(b))
}

// checkValue reports why v is not a valid value of the resource: its type, text that is not UTF-8,
// or the range. The error's code is 4.00.
func checkValue(def *registry.Resource, p Path, v Value) error {
	if v.typ != def.Type {
		return fail(BadRequest, p, "%s is a %s, not a %s", def.Name, def.Type, v.typ)
	}
	length := 0
	switch v.typ {
	case registry.String, registry.Corelnk:
		if !utf8.ValidString(v.text()) {
			return fail(BadRequest, p, "%s is not valid UTF-8", def.Name)
		}
		if !def.Strings.Allows(v.text()) {
			return refuseString(def, p, v.text())
		}
		if def.Range == nil {
			return nil
		}
		length = utf8.RuneCountInString(v.text())
	case registry.Opaque:
		length = int(v.num)
	case registry.Float:
		if !isNumber(v) {
			return fail(BadRequest, p, "%s is %v, which is no number", def.Name, v)
		}
	case registry.Objlnk:
		if l := v.Link(); l.Object == reserved && !l.IsNull() {
			return fail(BadRequest, p, "%s links to %v: the object ID 65535 is reserved", def.Name, l)
		}
	}
	if def.Range == nil {
		return nil
	}
	if v.typ.Measured() {
		if !def.Range.AllowsLen(length) {
			return fail(BadRequest, p, "%s has the length %d, outside of %s", def.Name, length, def.Range)
		}
		return nil
	}
	if !inRange(def.Range, v) {
		return fail(BadRequest, p, "%s is %v, outside of %s", def.Name, v, def.Range)
	}
	return nil
}

// maxQuote is the length in bytes at which an error shortens a value that it quotes.
const maxQuote = 60

// refuseString returns the error for a String that is none of the enumerated values.
func refuseString(def *registry.Resource, p Path, s string) error {
	if def.Secret {
		return fail(BadRequest, p, "%s is none of the enumerated values", def.Name)
	}
	if len(s) > maxQuote {
		s = s[:maxQuote] + "..."
	}
	return fail(BadRequest, p, "%s is %q, none of the values %s", def.Name, s, def.Strings)
}

// isNumber reports whether a Float is a number: JSON and SenML have none for NaN and infinities, so
// that one would make an object unreadable.
func isNumber(v Value) bool {
	f := v.Float()
	return f-f == 0
}

func inRange(r registry.Range, v Value) bool {
	switch v.typ {
	case registry.Integer, registry.Time:
		return r.AllowsInt(int64(v.num))
	case registry.UnsignedInteger:
		return r.AllowsUint(v.num)
	case registry.Float:
		return r.Allows(v.Float())
	}
	return true
}
