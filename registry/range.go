package registry

import (
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

// String returns the range in text form, such as "0..100" or "0, 3.8..20.5, 99". It returns "" if
// everything is allowed.
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
		if !math.IsInf(i.Min, -1) {
			b.WriteString(bound(i.Min))
		}
		b.WriteString("..")
		if !math.IsInf(i.Max, 1) {
			b.WriteString(bound(i.Max))
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
