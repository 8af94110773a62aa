package omaxml

import (
	"fmt"
	"math"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// namesBits reports whether a text about a resource says that its value is a bit mask: a number
// whose bits are independent, so that the values that the definition lists can be combined.
func namesBits(text string) bool {
	s := strings.ToLower(text)
	for _, phrase := range []string{
		"bitmask", "bit mask", "bit-mask", "bitmap", "bit map", "bit-map", "bitfield", "bit field", "bit-field",
		"bitset", "bit set", "bit flag", "bit-flag", "bitwise", "bit-wise", "bit coded", "bit-coded", "bit string",
		"bit array", "(lsb)", " lsb", "each bit", "can be combined", "may be combined",
		"are combined",
	} {
		if strings.Contains(s, phrase) {
			return true
		}
	}
	return hasWord(s, "flags") || hasMask(s) || hasBitNumber(s)
}

// hasMask reports whether s has the word mask, unless it is the mask of a network.
func hasMask(s string) bool {
	for _, network := range []string{"subnet mask", "network mask", "net mask", "address mask"} {
		s = strings.ReplaceAll(s, network, "")
	}
	return hasWord(s, "mask")
}

// hasBitNumber reports whether s numbers bits, as in "bit 0" or "bit(1)". "8 bit" does not.
func hasBitNumber(s string) bool {
	for rest := s; ; {
		_, after, ok := strings.Cut(rest, "bit")
		if !ok {
			return false
		}
		if n := strings.TrimLeft(after, " (#"); digits(n) > 0 && len(n) < len(after) {
			return true
		}
		rest = after
	}
}

// hasWord reports whether s has the word between characters that are no letters.
func hasWord(s, word string) bool {
	for i := 0; ; {
		at := strings.Index(s[i:], word)
		if at < 0 {
			return false
		}
		at += i
		end := at + len(word)
		if (at == 0 || !isLetter(s[at-1])) && (end == len(s) || !isLetter(s[end])) {
			return true
		}
		i = end
	}
}

// areBits reports whether a set of values may be the bits of a mask, listed one by one: powers of
// two that are not simply 1 and 2, starting at 1 or each the double of the one before. A 0, for no
// bit at all, may come first.
func areBits(r registry.Range) bool {
	var values []float64
	for _, i := range r {
		if i.Min != i.Max || i.Min < 0 {
			return false
		}
		if i.Min > 0 {
			values = append(values, i.Min)
		}
	}
	if len(values) < 2 || values[len(values)-1] <= 2 {
		return false
	}
	doubled := len(values) > 2
	for n, v := range values {
		if fraction, _ := math.Frexp(v); fraction != 0.5 {
			return false
		}
		doubled = doubled && (n == 0 || v == 2*values[n-1])
	}
	return values[0] == 1 || doubled
}

// isSet reports whether a range lists values one by one.
func isSet(r registry.Range) bool {
	for _, i := range r {
		if i.Min != i.Max {
			return false
		}
	}
	return len(r) > 1
}

// withoutBits returns the limits of a mask. The values that its range lists are bits, which can be
// combined, so they are neither the only values nor the names of values.
func (l limits) withoutBits(text string) limits {
	if l.span == nil || !l.listed && !isSet(l.span) {
		l.enum = nil
		return l
	}
	return limits{faults: notUnderstood(text, "its values are bits, which can be combined", adviseBits(l.span))}
}

// adviseBits says how to bound a mask with the given bits.
func adviseBits(r registry.Range) string {
	if !areBits(r) {
		return "write the interval of all combinations, a..b"
	}
	sum := 0.0
	for _, i := range r {
		sum += i.Max
	}
	return fmt.Sprintf("write 0..%.0f to allow all combinations", sum)
}
