package omaxml

import (
	"fmt"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// limits are the allowed values of a resource, as its RangeEnumeration gives them.
type limits struct {
	span    registry.Range
	strings registry.StringSet
	enum    []registry.EnumValue
	listed  bool // whether span is made of the values of enum
	faults  []registry.Fault
}

// parseRange parses the text of a RangeEnumeration for a resource of type t with the given unit:
// the allowed values of a number or a String, or the allowed lengths of a String or Corelnk in
// characters and of an Opaque in bytes (Core 1.2.2 Appendix D.1). It understands:
//
//   - intervals: "0..100", "-110..-48", "0~255", "[0-2]", "0 to 100 %", "0..2^32-1", "0x00..0xFF",
//     "0.." and ">0";
//   - sets, and mixtures of both: "0,1,2", "0; 3.8..20.5", "0..247, 255";
//   - enumerations of integers, which it returns with their names: "0: off, 1: on, 2-9: reserved";
//   - enumerations of strings: `"auto", "manual"` and "auto, manual";
//   - lengths with a unit: "0..64 bytes". A String of at most 64 bytes has at most 64 characters,
//     which is what is checked.
//
// A range never allows fewer values than the text: if a part of the text is not understood, there
// is no range and one warning. The same holds for values that may be the bits of a mask, for a
// single number, which may be a limit or a size, and for bounds that the type cannot have. A bound
// of an integer that is the limit of the type or beyond it is left open. Swapped bounds, as in
// "-30..-120", are exchanged with a warning. Empty text gives neither a range nor a warning. The
// faults are all warnings and name no file, object or resource.
func parseRange(text string, t registry.Type, unit string) limits {
	s := plain(prose(text))
	if s == "" {
		return limits{}
	}
	if !t.Numeric() && !t.Measured() {
		kind := "an executable"
		if t != registry.None {
			kind = "type " + t.String()
		}
		return limits{faults: notUnderstood(text, kind+" has no range", "remove it, or explain it in <Description>")}
	}
	if l, ok := parseEnum(s, text, t); ok {
		return l
	}
	p := spanParser{t: t, unit: unit}
	r, why := p.parse(s)
	if why == unclear && t == registry.String {
		l, whyString := parseStrings(s)
		switch {
		case whyString != "":
			return limits{faults: notUnderstood(text, whyString, adviseStrings)}
		case l.strings != nil:
			return l
		}
	}
	switch {
	case why == whyBits:
		return limits{faults: notUnderstood(text, why, adviseBits(r))}
	case why != "" && t.Measured():
		return limits{faults: notUnderstood(text, why, "write the length as a..b, and have a hook judge the content")}
	case why != "":
		return limits{faults: notUnderstood(text, why, "write a..b, or a list of values such as 0, 5, 10")}
	case t == registry.Time && r[len(r)-1].Max < year2000:
		return limits{faults: notUnderstood(text, "the value of a Time is in seconds since 1970",
			"choose the type Integer, or write the range in seconds since 1970")}
	case p.swapped:
		return limits{span: r, faults: warning(
			fmt.Sprintf("the bounds of the range %s are swapped and read as %s", quote(text), r),
			"write the lower one first")}
	}
	return limits{span: r}
}

// year2000 is the start of the year 2000 in seconds since 1970. No Time of a device is before it,
// so a range that ends before it is in another unit.
const year2000 = 946684800

func notUnderstood(text, why, do string) []registry.Fault {
	return warning(fmt.Sprintf("the range %s stays documentation: %s", quote(text), why), do)
}

func warning(what, do string) []registry.Fault {
	return []registry.Fault{{Object: -1, Resource: -1, Severity: registry.Warning, What: what, Do: do}}
}

// plain returns s with one form of each mark: the hyphen for all dashes and the minus sign, the
// tilde, dots, and the ASCII form of fullwidth punctuation. Superscript digits become a power.
func plain(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	raised := false
	for _, r := range s {
		digit := strings.IndexRune(superscripts, r)
		if digit >= 0 {
			if !raised {
				b.WriteByte('^')
			}
			b.WriteByte('0' + byte(strings.Count(superscripts[:digit], "")-1))
			raised = true
			continue
		}
		raised = false
		if m, ok := marks[r]; ok {
			b.WriteString(m)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹"

var marks = map[rune]string{
	'\u2010': "-", '\u2011': "-", '\u2012': "-", '\u2013': "-", '\u2014': "-", '\u2015': "-", '\u2212': "-",
	'\uFE58': "-", '\uFE63': "-", '\uFF0D': "-", '\u2025': "..", '…': "...",
	'\uFF5E': "~", '\u301C': "~", '\u223C': "~", '≤': "<=", '≥': ">=", '≦': "<=", '≧': ">=",
	'\uFF1A': ":", '\uFF0C': ",", '\u3001': ",", '\uFF1B': ";", '\uFF1D': "=", '\uFF08': "(", '\uFF09': ")",
	'→': "=>",
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
