package omaxml

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// scanNumber returns the decimal number at the start of s, with an optional sign, fraction and
// exponent, and the rest of s. number is "" if s does not start with a number.
func scanNumber(s string) (number, rest string) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	whole := digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return "", s // leading zeros belong to something else, such as 1,000
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		if n := digits(s[i+1:]); n > 0 {
			i += 1 + n
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if n := digits(s[j:]); n > 0 {
			i = j + n
		}
	}
	return s[:i], s[i:]
}

// digits returns the number of decimal digits at the start of s.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// parseBound returns the value of a bound. It is infinite if the bound is the limit of the type t
// or beyond it. why is "" or says what is wrong with the bound.
func parseBound(number string, t registry.Type) (v float64, why string) {
	v, err := strconv.ParseFloat(number, 64)
	switch {
	case v == 0:
		return 0, "" // never the negative zero
	case t == registry.Float:
		if err != nil {
			return 0, "a bound is too large"
		}
		return v, ""
	case v != math.Trunc(v):
		return 0, "a bound is not a whole number"
	case v < 0 && (t == registry.UnsignedInteger || t.Measured()):
		return 0, "a bound is below 0"
	case math.Abs(v) <= registry.MaxExact:
		return v, ""
	case t.Measured() || !atLimit(number, t):
		return 0, "a bound is too large to be exact"
	}
	return math.Copysign(math.Inf(1), v), ""
}

// atLimit reports whether a number is the limit of the integer type t or beyond it.
func atLimit(number string, t registry.Type) bool {
	if t == registry.UnsignedInteger {
		n, err := strconv.ParseUint(strings.TrimPrefix(number, "+"), 10, 64)
		return errors.Is(err, strconv.ErrRange) || n == math.MaxUint64
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return errors.Is(err, strconv.ErrRange) || n == math.MaxInt64 || n == math.MinInt64
}
