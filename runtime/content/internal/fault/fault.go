// Package fault makes the errors of the data formats.
package fault

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// BadRequest returns a 4.00 for p: the payload is not valid.
func BadRequest(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.BadRequest, Path: p, Err: fmt.Errorf(format, args...)}
}

// NotAcceptable returns a 4.06 for p: the format cannot carry the value.
func NotAcceptable(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.NotAcceptable, Path: p, Err: fmt.Errorf(format, args...)}
}

// Unsupported returns a 4.15 for p: the format of the payload does not fit the node.
func Unsupported(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.UnsupportedContentFormat, Path: p, Err: fmt.Errorf(format, args...)}
}

// Internal returns a 5.00 for p: no format can carry the value.
func Internal(p dm.Path, format string, args ...any) error {
	return &dm.Error{Code: dm.InternalServerError, Path: p, Err: fmt.Errorf(format, args...)}
}

// Entry returns an error for an entry that no format can carry: a path outside of base, a value at
// a node that is not a resource, a text that is not UTF-8, an empty node that cannot be empty.
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
		return Internal(e.Path, "the path lies outside of the base of the payload")
	case e.Path.Level() < lowest || e.Path.Level() > highest:
		return Internal(e.Path, "the node cannot have the type %q", e.Value.Type())
	}
	return nil
}

// Prefix returns an error for a gateway prefix that cannot be part of a path. A prefix is one
// segment, made of the characters that need no escaping in URIs, JSON and links (RFC 3986 §2.3).
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

// Root returns an error for an alternate path that cannot precede a path: it must be empty, or
// segments of the characters of a gateway prefix, each after a slash.
func Root(root string) error {
	if root == "" {
		return nil
	}
	ok := root[0] == '/'
	for segment := range strings.SplitSeq(root[1:], "/") {
		ok = ok && segment != "" && Prefix(segment) == nil
	}
	if !ok {
		return Internal(dm.Path{}, "the alternate path %.32q must read like /lwm2m", root)
	}
	return nil
}

// Time reports whether SenML and LwM2M JSON can carry the time t, in seconds since 1970. Below 2^28
// seconds a time is relative to now (RFC 8428 §4.5.3).
func Time(t float64) bool { return t >= 1<<28 && t <= math.MaxFloat64 }

// Decimal returns an error for a value or a time that cannot be written as a decimal number: NaN,
// an infinity, or a time that would be read as relative to now.
func Decimal(e *dm.Entry) error {
	if f := e.Value.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
		return NotAcceptable(e.Path, "the format has no number for NaN and infinities")
	}
	if e.Time != 0 && !Time(e.Time) {
		return NotAcceptable(e.Path, "the format cannot carry a time before 1978")
	}
	return nil
}
