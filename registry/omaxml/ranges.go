package omaxml

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// parseRange parses the text of a RangeEnumeration for a resource of type t: the allowed values of
// a number, or the allowed lengths of a String or Corelnk in characters and of an Opaque in bytes
// (Core 1.2.2 Appendix D.1). It understands:
//
//   - intervals: "0..100", "-110..-48", "1...15", "0-255", "0 to 100", "0.." and ">= 0";
//   - sets, and mixtures of both: "0,1,2", "0; 3.8..20.5", "0..247, 255";
//   - enumerations of integers, one value per line, which it returns with their names: "0: off";
//   - lengths with a unit: "0..64 bytes". A String of at most 64 bytes has at most 64 characters,
//     which is what is checked.
//
// A bound of an integer that is the limit of the type or beyond it is left open. Swapped bounds, as
// in "-30..-120", are exchanged with a warning. Anything else gives no range and one warning:
// prose, a single number, which may be a limit or a size, and bounds that the type cannot have.
// Empty text gives neither a range nor a warning. The faults are all warnings and name no file,
// object or resource.
func parseRange(text string, t registry.Type) (registry.Range, []registry.EnumValue, []registry.Fault) {
	s := prose(text)
	if s == "" {
		return nil, nil, nil
	}
	if !t.Numeric() && !t.Measured() {
		kind := "an executable"
		if t != registry.None {
			kind = "type " + t.String()
		}
		return nil, nil, notUnderstood(s, kind+" has no range", "remove it, or explain it in <Description>")
	}
	if values, ok := rangeEnum(s, t); ok {
		return enumRange(values), values, nil
	}
	p := spanParser{t: t}
	r, why := p.parse(s)
	switch {
	case why != "" && t.Measured():
		return nil, nil, notUnderstood(s, why, "write the length as a..b, and have a hook judge the content")
	case why != "":
		return nil, nil, notUnderstood(s, why, "write a..b, or a list of values such as 0, 5, 10")
	case p.swapped:
		return r, nil, warning(fmt.Sprintf("the bounds of the range %s are swapped and read as %s", quote(s), r),
			"write the lower one first")
	}
	return r, nil, nil
}

func notUnderstood(s, why, do string) []registry.Fault {
	return warning(fmt.Sprintf("the range %s stays documentation: %s", quote(s), why), do)
}

func warning(what, do string) []registry.Fault {
	return []registry.Fault{{Object: -1, Resource: -1, Severity: registry.Warning, What: what, Do: do}}
}

// spanParser reads one range that is not an enumeration.
type spanParser struct {
	t       registry.Type
	single  bool // the last part was one value
	swapped bool // the bounds of the only interval were exchanged
}

const unclear = "it is not an interval or a list of numbers"

func (p *spanParser) parse(s string) (registry.Range, string) {
	s, inBytes, ok := p.unit(s)
	if !ok {
		return nil, unclear
	}
	if p.ambiguous(s) {
		return nil, "its commas may separate values or be part of a number"
	}
	r, why := p.list(s)
	switch {
	case why != "":
		return nil, why
	case len(r) == 0:
		return nil, unclear
	case len(r) == 1 && p.single:
		return nil, "one number may be a limit, a size or the only value"
	case len(r) == 1 && r[0].Min > r[0].Max:
		r[0].Min, r[0].Max, p.swapped = r[0].Max, r[0].Min, true
	}
	if !disjoint(r) {
		return nil, "its parts overlap or have swapped bounds"
	}
	if inBytes && p.t != registry.Opaque {
		return characters(r)
	}
	return r, ""
}

// disjoint sorts the parts of a range and reports whether they do not overlap.
func disjoint(r registry.Range) bool {
	slices.SortFunc(r, func(a, b registry.Interval) int { return cmp.Compare(a.Min, b.Min) })
	for n, i := range r {
		if i.Min > i.Max || n > 0 && i.Min <= r[n-1].Max {
			return false
		}
	}
	return true
}

// characters converts lengths in bytes to lengths in characters. The upper bound stays valid, and
// so does a lower bound of 1, because every character has at least one byte.
func characters(r registry.Range) (registry.Range, string) {
	if len(r) > 1 {
		return nil, "a list of lengths in bytes says nothing about characters"
	}
	if r[0].Min > 1 {
		r[0].Min = 0
	}
	return r, ""
}

// unit cuts a unit of length from the end of s. Only lengths have a unit: "2 bytes" for an Integer
// is not a range.
func (p *spanParser) unit(s string) (rest string, inBytes, ok bool) {
	rest = strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := s[len(rest):]
	rest = strings.TrimRight(rest, " ")
	switch strings.ToLower(unit) {
	case "":
		return s, false, true
	case "byte", "bytes", "octet", "octets":
		return rest, true, p.t.Measured()
	case "char", "chars", "character", "characters":
		return rest, false, p.t == registry.String || p.t == registry.Corelnk
	}
	return s, false, false
}

// ambiguous reports whether the commas of s between digits may also be part of numbers: of
// thousands, as in 1..65,535, or of decimals, as in 0,5..20,75.
func (p *spanParser) ambiguous(s string) bool {
	decimal := []byte(s)
	found, thousands := false, true
	for i := range decimal {
		if s[i] != ',' || i == 0 || digits(s[i-1:i]) == 0 || digits(s[i+1:]) == 0 {
			continue
		}
		found = true
		thousands = thousands && digits(s[i+1:]) == 3
		decimal[i] = '.'
	}
	if !found || thousands {
		return found
	}
	if p.t != registry.Float {
		return false
	}
	_, why := p.list(string(decimal))
	return why == ""
}

// list parses the parts of a range, which are separated by commas, semicolons or line ends.
func (p *spanParser) list(s string) (registry.Range, string) {
	var r registry.Range
	for item := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ',' || c == ';' || c == '\n' }) {
		i, why := p.interval(strings.TrimSpace(item))
		if why != "" {
			return nil, why
		}
		r = append(r, i)
	}
	return r, ""
}

// interval parses one part of a range: an interval or a single value.
func (p *spanParser) interval(s string) (registry.Interval, string) {
	open := registry.Interval{Min: math.Inf(-1), Max: math.Inf(1)}
	p.single = false
	if rest, ok := cutAny(s, ">=", "≥"); ok {
		return p.bounded(open, rest, "")
	}
	if rest, ok := cutAny(s, "<=", "≤"); ok {
		return p.bounded(open, "", rest)
	}
	s = strings.ReplaceAll(s, "\u2212", "-") // the minus sign
	low, rest := scanNumber(s)
	rest = strings.TrimSpace(rest)
	p.single = low != "" && rest == ""
	if p.single {
		v, why := parseBound(low, p.t)
		if why == "" && math.IsInf(v, 0) {
			why = "a value is beyond the type's limit"
		}
		return registry.Interval{Min: v, Max: v}, why
	}
	high, ok := cutAny(rest, "...", "..", "…")
	if !ok && low != "" {
		if high, ok = cutAny(rest, "-", "\u2013", "\u2014", "to "); ok && high == "" {
			ok = false // "5-" may be a misprint of anything
		}
	}
	if !ok || low == "" && high == "" {
		return open, unclear
	}
	return p.bounded(open, low, high)
}

// bounded closes the ends of an interval for which a number is given.
func (p *spanParser) bounded(i registry.Interval, low, high string) (registry.Interval, string) {
	for _, end := range []struct {
		number string
		to     *float64
		beyond float64 // the infinity that leaves the interval empty
	}{{low, &i.Min, math.Inf(1)}, {high, &i.Max, math.Inf(-1)}} {
		if end.number == "" {
			continue
		}
		number, rest := scanNumber(end.number)
		if number == "" || rest != "" {
			return i, unclear
		}
		v, why := parseBound(number, p.t)
		if why == "" && v == end.beyond {
			why = "a bound is beyond the type's limit"
		}
		if why != "" {
			return i, why
		}
		*end.to = v
	}
	return i, ""
}

// cutAny removes the first of the prefixes that s has, and the blanks after it.
func cutAny(s string, prefixes ...string) (rest string, ok bool) {
	for _, p := range prefixes {
		if rest, ok = strings.CutPrefix(s, p); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return s, false
}
