package omaxml

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// scanNumber returns the number at the start of s in decimal notation, and the rest of s. It knows
// decimal numbers with an optional sign, fraction and exponent, hexadecimal numbers, and powers,
// with 1 subtracted or not: "0xFF", "2^32", "-2^31", "2**32-1". number is "" if s does not start
// with a number.
func scanNumber(s string) (number, rest string) {
	sign := ""
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		sign = strings.TrimPrefix(s[:1], "+")
		i++
	}
	if number, rest, ok := scanHex(s[i:]); ok {
		return sign + number, rest
	}
	whole := digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return "", s // leading zeros belong to something else, such as 1,000
	}
	if number, rest, ok := scanPower(s[i:i+whole], s[i+whole:], sign == "-"); ok {
		return number, rest
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

// scanHex scans a number such as 0x1F.
func scanHex(s string) (number, rest string, ok bool) {
	if len(s) < 3 || s[0] != '0' || s[1] != 'x' && s[1] != 'X' {
		return "", s, false
	}
	n := 2
	for n < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0 {
		n++
	}
	v, ok := new(big.Int).SetString(s[2:min(n, maxDigits)], 16)
	if !ok || n >= maxDigits {
		return "", s, false
	}
	return v.String(), s[n:], true
}

// maxDigits bounds the digits of a number that is computed.
const maxDigits = 40

// scanPower scans the rest of a power after its base.
func scanPower(base, s string, negative bool) (number, rest string, ok bool) {
	rest, ok = strings.CutPrefix(s, "^")
	if !ok {
		rest, ok = strings.CutPrefix(s, "**")
	}
	n := digits(rest)
	if !ok || n == 0 || n > 3 || len(base) > 3 {
		return "", s, false
	}
	b, _ := new(big.Int).SetString(base, 10)
	e, _ := new(big.Int).SetString(rest[:n], 10)
	v := b.Exp(b, e, nil)
	if negative {
		v.Neg(v)
	}
	rest = rest[n:]
	if after, ok := strings.CutPrefix(strings.TrimLeft(rest, " "), "-"); ok {
		after = strings.TrimLeft(after, " ")
		if one := digits(after); one == 1 && after[0] == '1' && !strings.HasPrefix(after[1:], ".") {
			return v.Sub(v, big.NewInt(1)).String(), after[1:], true
		}
	}
	return v.String(), rest, true
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
	case t != registry.Float && hasThousands(number):
		return 0, "its dots may separate thousands or decimals"
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
		return 0, belowZero
	case math.Abs(v) <= registry.MaxExact:
		return v, ""
	case t.Measured() || !atLimit(number, t):
		return 0, tooLarge
	}
	return math.Copysign(math.Inf(1), v), ""
}

// hasThousands reports whether the number has a dot with three digits behind it, as in 1.000.
func hasThousands(number string) bool {
	_, fraction, ok := strings.Cut(number, ".")
	return ok && len(fraction) == 3 && digits(fraction) == 3
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
