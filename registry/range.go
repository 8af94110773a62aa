package registry

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Range is the set of allowed values (numbers) or lengths (String in characters, Opaque in bytes):
// the union of its intervals, which are ascending and disjoint. The zero value means that
// everything is allowed.
type Range []Interval

// Interval contains every value from Min to Max, both included. An open end is -Inf or +Inf.
//
// Bounds of integers and lengths are whole numbers of at most [MaxExact] in size. A larger bound is
// left open, because rounding could make its comparison with an int64 or uint64 wrong.
type Interval struct {
	Min, Max float64
}

// MaxExact is the largest size of an integer bound, 2^53-1. A float64 represents every integer up
// to it exactly, and no larger integer is rounded to it.
const MaxExact = 1<<53 - 1

// Between returns the range from min to max, both included.
func Between(min, max float64) Range { return Range{{min, max}} }

// AtLeast returns the range of everything from min upward.
func AtLeast(min float64) Range { return Range{{min, math.Inf(1)}} }

// AtMost returns the range of everything up to max.
func AtMost(max float64) Range { return Range{{math.Inf(-1), max}} }

// OneOf returns the range that consists of the given values, which must be in ascending order.
func OneOf(values ...float64) Range {
	r := make(Range, len(values))
	for i, v := range values {
		r[i] = Interval{v, v}
	}
	return r
}

// AllowsInt reports whether an Integer or Time of v seconds is in the range.
func (r Range) AllowsInt(v int64) bool { return r.Allows(float64(v)) }

// AllowsUint reports whether an Unsigned Integer v is in the range.
func (r Range) AllowsUint(v uint64) bool { return r.Allows(float64(v)) }

// AllowsLen reports whether a value of length n is in the range.
func (r Range) AllowsLen(n int) bool { return r.Allows(float64(n)) }

// Allows reports whether v is in the range. NaN is only in the unlimited range.
func (r Range) Allows(v float64) bool {
	if r == nil {
		return true
	}
	for _, i := range r {
		if v >= i.Min && v <= i.Max {
			return true
		}
	}
	return false
}

// String returns the range in text form, such as "0..100", "0, 3.8..20.5, 99" or ">0..<1". It
// returns "" if everything is allowed. [ParseRange] reads this form.
func (r Range) String() string {
	var b strings.Builder
	for n, i := range r {
		if n > 0 {
			b.WriteString(", ")
		}
		if i.Min == i.Max {
			b.WriteString(bound(i.Min))
			continue
		}
		low, above := excluded(i.Min, math.Inf(-1))
		high, below := excluded(i.Max, math.Inf(1))
		if above {
			b.WriteByte('>')
		}
		if !math.IsInf(low, -1) {
			b.WriteString(bound(low))
		}
		if above && math.IsInf(high, 1) {
			continue // ">0"
		}
		if !below || !math.IsInf(low, -1) {
			b.WriteString("..") // but "<1"
		}
		if below {
			b.WriteByte('<')
		}
		if !math.IsInf(high, 1) {
			b.WriteString(bound(high))
		}
	}
	return b.String()
}

func bound(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) <= MaxExact {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// excluded returns a shorter number for a bound: the next float64 in the given direction, which the
// bound excludes. It returns the bound itself and false if that number is not much shorter. The
// bound of "more than 0", for example, is 5e-324.
func excluded(v, direction float64) (float64, bool) {
	next := math.Nextafter(v, direction)
	if math.IsInf(v, 0) || math.IsInf(next, 0) {
		return v, false
	}
	if next == 0 || len(bound(next))+8 < len(bound(v)) {
		return next, true
	}
	return v, false
}

// ParseRange parses the text form of a range: intervals and values, ascending and separated by
// commas, such as "0..100", "0, 3.8..20.5, 99", "..-1", "0.." and "0..<1". A value before .. with >
// and a value after it with < are not part of the interval. ">0" and "<1" are intervals with one
// bound.
func ParseRange(s string) (Range, error) {
	var r Range
	for part := range strings.SplitSeq(s, ",") {
		i, err := parseInterval(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		r = append(r, i)
	}
	for n := 1; n < len(r); n++ {
		if r[n].Min <= r[n-1].Max {
			return nil, fmt.Errorf("the range %q is not ascending", s)
		}
	}
	return r, nil
}

func parseInterval(s string) (Interval, error) {
	i := Interval{math.Inf(-1), math.Inf(1)}
	low, high, isInterval := strings.Cut(s, "..")
	switch {
	case isInterval:
	case strings.HasPrefix(s, "<"):
		low, high = "", s
	case !strings.HasPrefix(s, ">"):
		high = low // a single value
	}
	var err error
	if low != "" || !isInterval && high == "" {
		number, above := strings.CutPrefix(low, ">")
		if i.Min, err = parseFloat(number); err == nil && above {
			i.Min = math.Nextafter(i.Min, math.Inf(1))
		}
	}
	if high != "" && err == nil {
		number, below := strings.CutPrefix(high, "<")
		if i.Max, err = parseFloat(number); err == nil && below {
			i.Max = math.Nextafter(i.Max, math.Inf(-1))
		}
	}
	if err != nil || low == "" && high == "" || i.Min > i.Max {
		return i, fmt.Errorf("%q is neither a value nor an interval from low to high such as 0..100", s)
	}
	return i, nil
}

// parseFloat parses a finite number in decimal notation.
func parseFloat(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err == nil && (v-v != 0 || strings.ContainsAny(s, "xX_pP")) {
		err = strconv.ErrSyntax
	}
	return v, err
}
