// Package goname turns the names that OMA registers into Go names.
//
// It applies the rules and conventions of the language to one name at a time. The caller resolves
// collisions.
package goname

import (
	"strings"
	"unicode"
)

// Exported returns an exported Go identifier for a registered name such as "Min Measured Value" or
// "5QI": its words joined, each with a capital letter, and initialisms as Go writes them. The
// result consists of ASCII letters and digits. It is empty if the name has no letter or digit with
// an ASCII form.
func Exported(name string) string {
	words := split(fold(name))
	if len(words) == 0 {
		return ""
	}
	digit := spellDigit(&words[0])
	return digit + join(words, shouting(name))
}

// Suffix returns a registered name in the form that can be appended to an identifier: as Exported,
// but a leading digit is kept.
func Suffix(name string) string { return join(split(fold(name)), shouting(name)) }

// shouting reports whether a name is written like MAX_RETRANSMIT, so that capitals do not separate
// words.
func shouting(name string) bool {
	return strings.Contains(name, "_") && !strings.ContainsFunc(name, unicode.IsLower)
}

func join(words []string, shouting bool) string {
	var b strings.Builder
	for _, w := range words {
		writeWord(&b, w, shouting)
	}
	return b.String()
}

// Package returns a package name for the registered name of an object: its letters and digits in
// lower case, without the "LWM2M" or "LwM2M v1.1" that some names start with. The result may be a
// keyword or the name of another package (see Taken). It is empty if Exported returns an empty
// name.
func Package(object string) string {
	words := split(fold(object))
	if rest := withoutEnabler(words); len(rest) > 0 {
		words = rest
	}
	if len(words) == 0 {
		return ""
	}
	digit := spellDigit(&words[0])
	return strings.ToLower(digit + strings.Join(words, ""))
}

// withoutEnabler drops a leading "LwM2M" and the version after it, as in "LwM2M v1.1 Test Object".
func withoutEnabler(words []string) []string {
	if len(words) == 0 || !strings.EqualFold(words[0], "LwM2M") {
		return words
	}
	words = words[1:]
	if len(words) > 1 && len(words[0]) == 2 && words[0][0] == 'v' && isDigit(words[0][1]) && isNumber(words[1]) {
		words = words[2:]
	}
	return words
}

// writeWord appends one word as part of an identifier. Inside a word that was written in mixed case
// already, such as "servingCellId", initialisms are found too.
func writeWord(b *strings.Builder, w string, shouting bool) {
	if shouting && w != "" && !initialisms[w] {
		w = w[:1] + strings.ToLower(w[1:])
	}
	for w != "" {
		n := humpEnd(w)
		part := w[:n]
		w = w[n:]
		if upper := strings.ToUpper(part); initialisms[upper] {
			b.WriteString(upper)
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]))
		b.WriteString(part[1:])
	}
}

// humpEnd returns where the first part of a word in mixed case ends: before a capital letter that
// follows a small one.
func humpEnd(w string) int {
	for i := 1; i < len(w); i++ {
		if isUpper(w[i]) && isLower(w[i-1]) {
			return i
		}
	}
	return len(w)
}

// spellDigit prepares a word that starts with a digit for the start of an identifier. It returns
// the text to put before the word and removes from w what that text replaces: a single digit is
// spelled out ("5QI" is FiveQI), several digits get the letter N ("24 hours" is N24Hours).
func spellDigit(w *string) string {
	s := *w
	switch {
	case s == "" || !isDigit(s[0]):
		return ""
	case len(s) > 1 && isDigit(s[1]):
		return "N"
	}
	*w = s[1:]
	return digits[s[0]-'0']
}

var digits = [...]string{"Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"}

// split returns the runs of letters and digits in s. The plural in "Key(s)" belongs to the word.
func split(s string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(s, "(s)", "s"), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' }

func isNumber(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
