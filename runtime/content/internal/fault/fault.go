// Package fault makes the errors of the data formats.
package fault

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// BadRequest returns a 4.00 for p: the payload is wrong.
func BadRequest(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: p, Err: fmt.Errorf(format, args...)}
}

// NotAcceptable returns a 4.06 for p: the format cannot carry it.
func NotAcceptable(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.NotAcceptable, Path: p, Err: fmt.Errorf(format, args...)}
}

// Unsupported returns a 4.15 for p: the payload's format does not fit it.
func Unsupported(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.UnsupportedContentFormat, Path: p, Err: fmt.Errorf(format, args...)}
}

// Internal returns a 5.00 for p: no format can carry it.
func Internal(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.InternalServerError, Path: p, Err: fmt.Errorf(format, args...)}
}

// Entry reports what no format can carry: a path outside of
// base, a value of no resource, a text that is not UTF-8, nothing where there cannot be nothing.
func Entry(base dm.Path, e *dm.Entry) error {
	lowest, highest := dm.ResourceLevel, dm.ResourceInstanceLevel
	switch e.Value.Type() {
	case registry.None:
		lowest, highest = dm.InstanceLevel, dm.ResourceLevel
	case registry.String, registry.Corelnk:
		if !utf8.ValidString(e.Value.Text()) {
			return Internal(e.Path, "the text is not valid UTF-8")
		}
	}
	switch {
	case !base.Contains(e.Path):
		return Internal(e.Path, "it lies outside of what is encoded")
	case e.Path.Level() < lowest || e.Path.Level() > highest:
		return Internal(e.Path, "the node cannot have the type %q", e.Value.Type())
	}
	return nil
}

// Prefix reports a gateway prefix that cannot be part of a path: it is one segment of the characters
// that need no escaping in URIs, JSON and links (RFC 3986 §2.3).
func Prefix(prefix string) error {
	for i := range len(prefix) {
		c := prefix[i]
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', c == '-', c == '.', c == '_', c == '~':
		default:
			return Internal(dm.Path{}, "the gateway prefix %.32q must be made of letters, digits and -._~", prefix)
		}
	}
	return nil
}

// Time reports whether SenML and LwM2M JSON can tell the time: below 2^28 seconds they are relative to
// now (RFC 8428 §4.5.3).
func Time(t float64) bool { return t >= 1<<28 && t <= math.MaxFloat64 }

// Decimal reports a value or a time that has no decimal number, or not the right one.
func Decimal(e *dm.Entry) error {
	if f := e.Value.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
		return NotAcceptable(e.Path, "the format has no number for NaN and infinities")
	}
	if e.Time != 0 && !Time(e.Time) {
		return NotAcceptable(e.Path, "the format cannot tell a time before 1978")
	}
	return nil
}
