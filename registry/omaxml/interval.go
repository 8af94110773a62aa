package omaxml

import (
	"cmp"
	"math"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// lowerWords and upperWords are the marks of intervals with one bound, and whether the interval
// contains the bound.
var (
	lowerWords = []comparison{{">=", true}, {"=>", true}, {">", false}, {"min", true}, {"minimum", true},
		{"at least", true}}
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

// exclude returns the bound of a value that a range excludes: the next value in the given
// direction.
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

// takeUnit cuts a unit from the start of s, up to the sign of an interval or the end, and stores
// it. It returns false if there is something else.
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
