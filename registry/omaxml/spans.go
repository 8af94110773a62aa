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
		return nil, "its values are powers of two and may be the bits of a mask"
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
	intros := []string{"valid range", "range", "valid values", "allowed values", "possible values", "values", "value", "from"}
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

// lowerWords and upperWords are the marks of intervals with one bound, and whether the interval
// contains the bound.
var (
	lowerWords = []comparison{{">=", true}, {"=>", true}, {">", false}, {"min", true}, {"minimum", true}, {"at least", true}}
	upperWords = []comparison{{"<=", true}, {"=<", true}, {"<", false}, {"max", true}, {"maximum", true},
		{"up to", true}, {"at most", true}}
)

type comparison struct {
	mark     string
	included bool
}

// compare cuts a mark of an interval with one bound from the start of s.
func compare(s string, marks []comparison) (rest string, c comparison, ok bool) {
	for _, c := range marks {
		if !isLetter(c.mark[0]) {
			rest, ok = strings.CutPrefix(s, c.mark)
		} else if rest, ok = cutWord(s, c.mark); ok {
			rest = strings.TrimLeft(rest, ".:= ")
		}
		if ok {
			return strings.TrimSpace(rest), c, true
		}
	}
	return s, comparison{}, false
}

// interval parses one part of a range: an interval or a single value.
func (p *spanParser) interval(s string) (registry.Interval, string) {
	i := registry.Interval{Min: math.Inf(-1), Max: math.Inf(1)}
	p.single = false
	if rest, c, ok := compare(s, upperWords); ok {
		p.compared++
		rest, why := p.bound(rest, &i.Max, c.included, math.Inf(-1))
		return i, cmp.Or(why, leftOver(rest))
	}
	s, c, compared := compare(s, lowerWords)
	if strings.HasPrefix(s, "..") {
		if compared {
			return i, unclear
		}
		return p.upper(i, s, false)
	}
	rest, why := p.bound(s, &i.Min, !compared || c.included, math.Inf(1))
	switch {
	case rest == "" && !compared && (why == beyondLimit || why == "" && math.IsInf(i.Min, 0)):
		return i, "a value is beyond the type's limit"
	case why != "":
		return i, why
	case rest == "" && compared:
		p.compared++
		return i, ""
	case rest == "":
		p.single = true
		i.Max = i.Min
		return i, ""
	case compared && (c.mark != ">" || !strings.HasPrefix(rest, "..")):
		return i, unclear
	}
	return p.upper(i, rest, true)
}

// upper parses the second half of an interval, from its sign on.
func (p *spanParser) upper(i registry.Interval, s string, hasLow bool) (registry.Interval, string) {
	rest, sign := cutSign(s)
	rest, below := strings.CutPrefix(rest, "<")
	rest = strings.TrimSpace(rest)
	switch {
	case sign == "" || sign != ".." && (rest == "" || below):
		return i, unclear // "5-" may be a misprint of anything
	case rest == "" && (!hasLow || below):
		return i, unclear
	case rest == "" || hasLow && !below && isInfinite(rest):
		return i, ""
	}
	rest, why := p.bound(rest, &i.Max, !below, math.Inf(-1))
	return i, cmp.Or(why, leftOver(rest))
}

func leftOver(rest string) string {
	if rest != "" {
		return unclear
	}
	return ""
}

func isInfinite(s string) bool {
	switch strings.ToLower(strings.TrimPrefix(s, "+")) {
	case "inf", "infinity", "infinite", "∞", "unlimited":
		return true
	}
	return false
}

// bound parses a number with its unit at the start of s into *to, and returns the rest of s. An
// infinity equal to beyond would leave the interval empty.
func (p *spanParser) bound(s string, to *float64, included bool, beyond float64) (rest, why string) {
	number, rest := scanNumber(s)
	rest, ok := p.takeUnit(rest)
	if number == "" || !ok {
		return rest, unclear
	}
	v, why := parseBound(number, p.t)
	if why == "" && v == beyond {
		return rest, beyondLimit
	}
	if why == "" && !included {
		v, why = exclude(v, beyond, p.t)
	}
	*to = v
	return rest, why
}

const (
	beyondLimit = "a bound is beyond the type's limit"
	belowZero   = "a bound is below 0"
	tooLarge    = "a bound is too large to be exact"
)

// exclude returns the bound of a value that a range excludes: the next value in the given direction.
func exclude(v, direction float64, t registry.Type) (float64, string) {
	switch {
	case math.IsInf(v, 0):
		return v, ""
	case t == registry.Float:
		v = math.Nextafter(v, direction)
		if math.IsInf(v, 0) {
			return v, beyondLimit
		}
		return v, ""
	}
	v += math.Copysign(1, direction)
	switch {
	case v < 0 && (t == registry.UnsignedInteger || t.Measured()):
		return v, belowZero
	case math.Abs(v) > registry.MaxExact:
		return v, tooLarge
	}
	return v, ""
}

// takeUnit cuts a unit from the start of s, up to the sign of an interval or the end, and stores it.
// It returns false if there is something else.
func (p *spanParser) takeUnit(s string) (rest string, ok bool) {
	end := 0
	for end < len(s) {
		if _, sign := cutSign(s[end:]); sign != "" && (sign != "to" || end == 0 || s[end-1] == ' ') {
			break
		}
		end++
	}
	unit := strings.TrimSpace(s[:end])
	if unit != "" && !p.takesUnit(unit) {
		return s, false
	}
	p.units = append(p.units, unit)
	return strings.TrimSpace(s[end:]), true
}

// cutSign cuts the sign of an interval from the start of s: dots, a hyphen, a tilde or a word.
func cutSign(s string) (rest, sign string) {
	for _, c := range []string{"...", "..", "-", "~"} {
		if rest, ok := strings.CutPrefix(s, c); ok {
			return strings.TrimSpace(rest), strings.Replace(c, "...", "..", 1)
		}
	}
	for _, w := range []string{"to", "through", "thru", "until"} {
		if rest, ok := cutWord(s, w); ok {
			return rest, "to"
		}
	}
	return s, ""
}
