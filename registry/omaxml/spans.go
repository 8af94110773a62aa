package omaxml

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// spanParser reads one range of numbers or lengths that is not an enumeration.
type spanParser struct {
	t    registry.Type
	unit string // of the resource

	units    []string // behind each number, "" for none
	single   bool     // the last part was one value
	compared int      // parts with one bound, such as >=0
	swapped  bool     // the bounds of the only interval were exchanged
}

const whyBits = "its values are powers of two and may be the bits of a mask"

const unclear = "it is not an interval or a list of numbers"

func (p *spanParser) parse(s string) (registry.Range, string) {
	s, enclosed := unbracket(p.withoutIntro(trimStop(s)))
	if low, high, ok := between(s); ok {
		s = low + " to " + high
	}
	alternatives := replaceWords(s, "", "or") != s
	s = strings.NewReplacer("&&", ",", "&", ",", "|", ",").Replace(replaceWords(s, " , ", "or", "and"))
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
	case len(r) == 2 && p.compared == 2 && !alternatives:
		r = intersection(r)
	case len(r) == 2 && enclosed != "" && enclosed != "{" && r[0].Max+1 < r[1].Min:
		return nil, "it may be an interval or two values"
	}
	if !disjoint(r) {
		return nil, "its parts overlap or have swapped bounds"
	}
	inBytes, why := p.checkUnits()
	switch {
	case why != "":
		return nil, why
	case inBytes && p.t != registry.Opaque:
		return characters(r)
	case p.t != registry.Float && !p.t.Measured() && areBits(r):
		return r, whyBits
	}
	return r, ""
}

// trimStop removes a full stop from the end of s, but not one of several dots.
func trimStop(s string) string {
	if t, ok := strings.CutSuffix(s, "."); ok && !strings.HasSuffix(t, ".") {
		return strings.TrimSpace(t)
	}
	return s
}

// withoutIntro removes a word that introduces the range.
func (p *spanParser) withoutIntro(s string) string {
	intros := []string{
		"valid range", "range", "valid values", "allowed values", "possible values", "values", "value", "from",
	}
	if p.t.Measured() {
		intros = append(intros, "length", "size")
	}
	for _, w := range intros {
		if rest, ok := cutWord(s, w); ok {
			return strings.TrimLeft(rest, " :=")
		}
	}
	return s
}

// unbracket removes brackets that enclose all of s, and returns the opening one.
func unbracket(s string) (inner, bracket string) {
	for _, pair := range []string{"[]", "()", "{}"} {
		if len(s) > 2 && s[0] == pair[0] && s[len(s)-1] == pair[1] && !strings.ContainsAny(s[1:len(s)-1], "[](){}") {
			return strings.TrimSpace(s[1 : len(s)-1]), pair[:1]
		}
	}
	return s, ""
}

// between parses "between a and b".
func between(s string) (low, high string, ok bool) {
	rest, ok := cutWord(s, "between")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, " and ")
}

// cutWord removes a word from the start of s, in any letter case, and the blanks after it.
func cutWord(s, word string) (rest string, ok bool) {
	if len(s) < len(word) || !strings.EqualFold(s[:len(word)], word) || len(s) > len(word) && isLetter(s[len(word)]) {
		return s, false
	}
	return strings.TrimLeft(s[len(word):], " "), true
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

// replaceWords replaces the given words, in any letter case, where blanks surround them.
func replaceWords(s, by string, words ...string) string {
	var b strings.Builder
	rest := s
	for i := strings.IndexByte(rest, ' '); i >= 0; i = strings.IndexByte(rest, ' ') {
		b.WriteString(rest[:i])
		rest = rest[i:]
		word, after, more := strings.Cut(rest[1:], " ")
		if more && slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) }) {
			b.WriteString(by)
			rest = after
			continue
		}
		b.WriteByte(' ')
		rest = rest[1:]
	}
	b.WriteString(rest)
	return b.String()
}

// intersection returns the values that two intervals with one bound each have in common, as in
// ">= 0, <= 100", if the two are not apart.
func intersection(r registry.Range) registry.Range {
	both := registry.Interval{Min: max(r[0].Min, r[1].Min), Max: min(r[0].Max, r[1].Max)}
	if both.Min < both.Max && !math.IsInf(both.Min, 0) && !math.IsInf(both.Max, 0) {
		return registry.Range{both}
	}
	return r
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

// checkUnits checks the units behind the numbers: all numbers have the same unit, or the last one
// has the unit of all.
func (p *spanParser) checkUnits() (inBytes bool, why string) {
	if len(p.units) == 0 {
		return false, ""
	}
	last := p.units[len(p.units)-1]
	for _, u := range p.units[:len(p.units)-1] {
		if !strings.EqualFold(u, last) && u != "" || u == "" && p.units[0] != "" {
			return false, unclear
		}
	}
	return strings.HasPrefix(strings.ToLower(last), "byte") || strings.HasPrefix(strings.ToLower(last), "octet"), ""
}

// takesUnit reports whether s can be the unit behind a number. Only lengths are in bytes or
// characters: "2 bytes" for an Integer is not a range.
func (p *spanParser) takesUnit(s string) bool {
	if !p.t.Measured() {
		return isUnit(s, p.unit)
	}
	switch strings.ToLower(s) {
	case "byte", "bytes", "octet", "octets":
		return true
	case "char", "chars", "character", "characters":
		return p.t != registry.Opaque
	}
	return false
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
	other := spanParser{t: p.t, unit: p.unit}
	_, why := other.list(string(decimal))
	return why == ""
}

// list parses the parts of a range, which are separated by commas, semicolons or line ends.
func (p *spanParser) list(s string) (registry.Range, string) {
	var r registry.Range
	for item := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == ',' || c == ';' || c == '\n' }) {
		item = strings.TrimSpace(item)
		if item == "" {
			continue // as in "1, or 2"
		}
		if inner, bracket := unbracket(item); bracket == "[" {
			item = inner
		}
		i, why := p.interval(item)
		if why != "" {
			return nil, why
		}
		r = append(r, i)
	}
	return r, ""
}
