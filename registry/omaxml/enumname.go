package omaxml

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// maxEnumName is the length in bytes beyond which the name of a value is cut.
const maxEnumName = 60

// nameValues names each value by the first words of its meaning. Where two would have one name, both
// have all the words.
func nameValues(all []enumLine) []registry.EnumValue {
	values := make([]registry.EnumValue, len(all))
	count := make(map[string]int, len(all))
	for i, l := range all {
		v := &values[i]
		v.Value = l.value
		v.Name, v.Doc = splitMeaning(l.meaning)
		v.Doc = joinDoc(v.Doc, l.more)
		count[v.Name]++
	}
	for i, l := range all {
		if v := &values[i]; count[v.Name] > 1 && v.Doc != "" {
			v.Name, v.Doc = cutWords(trimEnd(l.meaning))
			v.Doc = joinDoc(v.Doc, l.more)
		}
	}
	return values
}

func joinDoc(doc, more string) string {
	if doc == "" || more == "" {
		return doc + more
	}
	return doc + "\n" + more
}

// splitMeaning cuts a meaning after its first clause: at a dash, colon, semicolon or full stop, or
// before a remark in brackets that ends it.
func splitMeaning(s string) (name, doc string) {
	s = trimEnd(s)
	name, doc = s, ""
	if at, size := clauseEnd(s); at > 0 {
		name, doc = trimEnd(s[:at]), strings.TrimSpace(s[at+size:])
	}
	open := strings.LastIndexByte(name, '(')
	if open > 0 && (strings.HasSuffix(name, ")") || len(name) > maxEnumName || !strings.Contains(name[open:], ")")) {
		name, doc = strings.TrimSpace(s[:open]), s[open:]
		if inner := strings.TrimSuffix(strings.TrimPrefix(doc, "("), ")"); !strings.ContainsAny(inner, "()") && strings.HasSuffix(doc, ")") {
			doc = inner
		}
	}
	if len(name) > maxEnumName {
		return cutWords(s)
	}
	return name, doc
}

// clauseEnd returns where the first clause of s ends, and the length of the mark that ends it.
func clauseEnd(s string) (at, size int) {
	for i := 1; i+1 < len(s); i++ {
		after := s[i+1:]
		switch s[i] {
		case ':', ';':
			if after[0] == ' ' {
				return i, 2
			}
		case '.':
			next, _ := utf8.DecodeRuneInString(strings.TrimPrefix(after, " "))
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

// cutWords returns the first words of s, as many as a name may have, and all of s when they are not
// all.
func cutWords(s string) (name, doc string) {
	if len(s) <= maxEnumName {
		return s, ""
	}
	cut := strings.LastIndexByte(s[:maxEnumName], ' ')
	if cut <= 0 {
		for cut = maxEnumName; !utf8.RuneStart(s[cut]); {
			cut--
		}
	}
	return trimEnd(s[:cut]), s
}

// trimEnd removes punctuation and blanks from the end of a meaning.
func trimEnd(s string) string {
	if t := strings.TrimRight(s, " .,;:"); t != "" {
		return t
	}
	return s
}
