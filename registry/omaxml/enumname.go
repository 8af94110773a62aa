package omaxml

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// maxEnumName is the length in bytes at which the name of a value is cut.
const maxEnumName = 60

// nameValues names each value by the first words of its meaning. Two values that would have the
// same name keep all of their words.
func nameValues(all []enumLine) []registry.EnumValue {
	values := make([]registry.EnumValue, len(all))
	if isShouted(all) {
		for i, l := range all {
			n := shouted(l.meaning)
			values[i] = registry.EnumValue{Value: l.value, Name: l.meaning[:n],
				Doc: joinDoc(strings.TrimLeft(l.meaning[n:], " -:"), l.more)}
		}
		return values
	}
	count := make(map[string]int, len(all))
	for i, l := range all {
		name, doc := splitMeaning(l.meaning)
		values[i] = registry.EnumValue{Value: l.value, Name: name, Doc: joinDoc(doc, l.more)}
		count[name]++
	}
	for i, l := range all {
		if v := &values[i]; count[v.Name] > 1 && v.Doc != "" {
			name, doc := cutWords(l.meaning)
			v.Name, v.Doc = name, joinDoc(doc, l.more)
		}
	}
	return values
}

// isShouted reports whether every meaning is a name in capitals with a sentence behind it, as in
// "BAD the value is wrong".
func isShouted(all []enumLine) bool {
	seen := make(map[string]bool, len(all))
	for _, l := range all {
		n := shouted(l.meaning)
		if n == 0 || n > maxEnumName || seen[l.meaning[:n]] {
			return false
		}
		seen[l.meaning[:n]] = true
		words := strings.Fields(l.meaning[n:])
		if len(words) < 2 || len(words) < 3 && !isCapitalized(words[0]) {
			return false // as in "GSM network"
		}
	}
	return true
}

// isCapitalized reports whether the first letter of a word is a capital and the others are not.
func isCapitalized(word string) bool {
	first, n := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(first) && !strings.ContainsFunc(word[n:], unicode.IsUpper)
}

// shouted returns the length of the words in capitals at the start of s.
func shouted(s string) int {
	end := 0
	for i := 0; i < len(s); {
		word, _, _ := strings.Cut(s[i:], " ")
		letters := 0
		for _, r := range word {
			switch {
			case unicode.IsUpper(r):
				letters++
			case r != '_' && r != '-' && !unicode.IsDigit(r):
				return end
			}
		}
		if letters < 2 {
			return end
		}
		end = i + len(word)
		i = end + 1
	}
	return end
}

func joinDoc(doc, more string) string {
	if doc == "" || more == "" {
		return doc + more
	}
	return doc + "\n" + more
}

// splitMeaning cuts a meaning after its first clause: at a dash, colon, semicolon or full stop, or
// before the remark in brackets at its end. The name has no punctuation at its end.
func splitMeaning(s string) (name, doc string) {
	name = s
	if at, size := clauseEnd(s); at > 0 {
		name, doc = s[:at], s[at+size:]
	}
	name = trimEnd(name)
	for range 2 { // the end of the clause may have cut a second remark
		if at := remark(name); at > 0 {
			name, doc = trimEnd(name[:at]), s[at:]
		}
	}
	doc = unwrap(strings.TrimRight(doc, " ,;"))
	if len(name) > maxEnumName {
		return cutClause(s)
	}
	return name, strings.TrimSpace(doc)
}

// clauseEnd returns the position of the end of the first clause of s, and the length of the mark
// that ends it.
func clauseEnd(s string) (at, size int) {
	for i := 1; i+1 < len(s); i++ {
		after := s[i+1:]
		switch s[i] {
		case ':', ';':
			if after[0] == ' ' {
				return i, 2
			}
		case '.':
			next, _ := utf8.DecodeRuneInString(after[1:])
			if after[0] == ' ' && unicode.IsUpper(next) {
				return i, 2
			}
		case ' ':
			for _, dash := range []string{"- ", "\u2013 ", "\u2014 "} {
				if strings.HasPrefix(after, dash) {
					return i, 1 + len(dash)
				}
			}
		}
	}
	return 0, 0
}

// remark returns the position of the opening bracket of a remark that ends a clause, that the end
// of the clause cuts, or that makes a name too long. It returns -1 if there is none.
func remark(s string) int {
	first, depth := -1, 0
	last := -1 // position of the last outermost opening bracket
	for i := range len(s) {
		switch s[i] {
		case '(', '[':
			if first < 0 {
				first = i
			}
			if depth == 0 {
				last = i
			}
			depth++
		case ')', ']':
			depth = max(depth-1, 0)
		}
	}
	switch {
	case depth > 0, strings.HasSuffix(s, ")"), strings.HasSuffix(s, "]"):
		return last
	case len(s) > maxEnumName:
		return first
	}
	return -1
}

// unwrap removes brackets that enclose the whole text.
func unwrap(s string) string {
	t := strings.TrimSuffix(s, ".")
	if len(t) < 2 || t[0] != '(' && t[0] != '[' || remark(t) != 0 || t[len(t)-1] != ')' && t[len(t)-1] != ']' {
		return s
	}
	return t[1 : len(t)-1]
}

// cutClause is cutWords that cuts at a comma or bracket, if at least half of a name remains.
func cutClause(s string) (name, doc string) {
	if len(s) > maxEnumName {
		if cut := strings.LastIndexAny(s[:maxEnumName], ",(["); cut >= maxEnumName/2 {
			return trimEnd(s[:cut]), s
		}
	}
	return cutWords(s)
}

// cutWords returns as many of the first words of s as a name may have, and all of s as doc if words
// are missing from the name.
func cutWords(s string) (name, doc string) {
	if name = trimEnd(s); len(name) <= maxEnumName {
		return name, ""
	}
	cut := strings.LastIndexByte(name[:maxEnumName], ' ')
	if cut <= 0 {
		cut = runeStart(s, maxEnumName)
	}
	return trimEnd(s[:cut]), s
}

// trimEnd removes punctuation and blanks from the end of a name, unless the name has nothing else.
func trimEnd(s string) string {
	if t := strings.TrimRight(s, " .,;:"); t != "" {
		return t
	}
	return s
}
