package omaxml

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// splitProse finds one list of values within a line of a description: "The state: 0=off, 1=on."
func splitProse(description string, t registry.Type, r registry.Range) (enum []registry.EnumValue, rest string) {
	all := slices.Collect(unwrapped(description))
	at := -1 // the line of the list
	for i, l := range all {
		values, left, ok := proseList(l, t, r)
		if !ok || values != nil && enum != nil {
			return nil, description
		}
		if values != nil {
			at, enum, all[i] = i, values, left
		}
	}
	for i, l := range all {
		if i != at && enum != nil && hasMore(l, enum) {
			return nil, description
		}
	}
	if enum == nil {
		return nil, description
	}
	return enum, strings.Join(all, "\n")
}

// unwrapped yields the lines of a description, tidied. Lines that continue a sentence are joined:
// those that start with a small letter, and those behind a comma or "and".
func unwrapped(description string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var parts []string // of the line
		for l := range lines(description) {
			l = line(l)
			start, _ := utf8.DecodeRuneInString(l)
			switch {
			case len(parts) == 0:
			case l != "" && parts[0] != "" && (unicode.IsLower(start) || goesOn(parts[len(parts)-1])):
			case !yield(strings.Join(parts, " ")):
				return
			default:
				parts = parts[:0]
			}
			parts = append(parts, l)
		}
		if len(parts) > 0 {
			yield(strings.Join(parts, " "))
		}
	}
}

// goesOn reports whether a sentence goes on behind the line.
func goesOn(line string) bool {
	for _, end := range []string{",", ";", " and", " or"} {
		if strings.HasSuffix(line, end) {
			return true
		}
	}
	return false
}

// maxStarts bounds the positions at which a list is sought in one line of a description.
const maxStarts = 16

// proseList finds the list in one line. It returns false if a list is not understood as a whole.
func proseList(l string, t registry.Type, r registry.Range) (enum []registry.EnumValue, rest string, ok bool) {
	covered := 0 // the end of earlier candidates, of which a part is no list of its own
	tries := 0
	for start := 0; start < len(l) && tries < maxStarts; start++ {
		if !canStart(l, start) {
			continue
		}
		if _, ok := scanItem(l[start:]); !ok {
			continue
		}
		tries++
		found, ok := splitItems(l[start:])
		if !ok {
			return nil, l, false
		}
		if found.values() < 2 {
			covered = max(covered, start+found.end)
			continue
		}
		list := sentence{line: l, start: start, itemList: found}
		enum, ok := list.read(t, r)
		if !ok || found.isPartial || start < covered || hasMore(l[start+list.end:], enum) {
			return nil, l, false
		}
		return enum, list.rest(), true
	}
	return nil, l, true
}

// hasMore reports whether s has another list of several values, or an item with the value before or
// after those of the list.
func hasMore(s string, enum []registry.EnumValue) bool {
	tries := 0
	for start := 0; start < len(s) && tries < maxStarts; start++ {
		if !canStart(s, start) {
			continue
		}
		it, ok := scanItem(s[start:])
		if !ok {
			continue
		}
		tries++
		next := it.kind == itemValue && (it.value == enum[0].Value-1 || it.value == enum[len(enum)-1].Value+1)
		if found, ok := splitItems(s[start:]); !ok || next || found.values() > 1 {
			return true
		}
	}
	return false
}

// canStart reports whether a list can start at a position of s.
func canStart(s string, i int) bool {
	// The byte E2 starts ≤ and ≥.
	if c := s[i]; (c < '0' || c > '9') && strings.IndexByte("-<>\"'[\xE2", c) < 0 {
		return false
	}
	return i == 0 || strings.IndexByte(" (:;,", s[i-1]) >= 0
}

// sentence is a list of values within a line.
type sentence struct {
	line  string
	start int
	itemList
}

// read returns the values, which are consecutive or match the range. It returns false if the list
// may mean something else.
func (l *sentence) read(t registry.Type, r registry.Range) ([]registry.EnumValue, bool) {
	if isPartial(l.line[:l.start]) || l.repeatsWord() {
		return nil, false
	}
	l.cutEnd()
	text := l.line[l.start:]
	var all []enumLine
	var spans registry.Range
	for i := range l.items {
		switch it := &l.items[i]; it.kind {
		case itemValue:
			all = append(all, it.line(text))
		case itemSpan:
			spans = append(spans, it.span)
		}
	}
	enum, ok := enumValues(all, t, r, 2)
	if !ok || !isComplete(enum, spans, r) {
		return nil, false
	}
	for _, v := range enum {
		if v.Doc != "" && strings.HasPrefix(v.Doc, v.Name) {
			return nil, false // the name is cut: the text may have gone on behind the list
		}
	}
	return enum, true
}

// repeatsWord reports whether the same word precedes every value, as in "channel 1: left, channel
// 2: right".
func (l *sentence) repeatsWord() bool {
	first := ""
	for i := range l.items {
		word := lastWord(l.line[:l.start+l.items[i].start])
		if word == "" || i > 0 && !strings.EqualFold(word, first) {
			return false
		}
		first = word
	}
	return true
}

// lastWord returns the word at the end of s, if s ends with a word and blanks.
func lastWord(s string) string {
	s = strings.TrimRight(s, " ")
	return s[len(strings.TrimRightFunc(s, unicode.IsLetter)):]
}

// cutEnd ends the last item after as many sentences as the longest of the other items has.
func (l *sentence) cutEnd() {
	text := l.line[l.start:]
	most := 1
	for i := range l.items[:len(l.items)-1] {
		if it := &l.items[i]; it.kind == itemValue {
			most = max(most, len(sentenceEnds(strings.TrimRight(text[it.at:it.end], " ."))))
		}
	}
	it := &l.items[len(l.items)-1]
	if ends := sentenceEnds(text[it.at:it.end]); len(ends) > most {
		it.end = it.at + ends[most-1]
		l.end = it.end
	}
}

// sentenceEnds returns the positions behind the sentences of s. The end of s is one.
func sentenceEnds(s string) []int {
	var ends []int
	for i := 0; i+2 < len(s); i++ {
		if next, _ := utf8.DecodeRuneInString(s[i+2:]); s[i] == '.' && s[i+1] == ' ' && unicode.IsUpper(next) {
			ends = append(ends, i+1)
		}
	}
	return append(ends, len(s))
}

// rest returns the line without the values, if what remains is readable: if the list follows a
// colon or the end of a sentence. Items about several values stay.
func (l *sentence) rest() string {
	before := strings.TrimRight(l.line[:l.start], " ")
	after := strings.TrimLeft(l.line[l.start+l.end:], " .,;")
	if opened, ok := strings.CutSuffix(before, "("); ok && strings.HasPrefix(after, ")") {
		before, after = strings.TrimRight(opened, " "), strings.TrimLeft(after[1:], " .,;")
	} else if before != "" && !strings.ContainsRune(":.;", rune(before[len(before)-1])) {
		return l.line
	}
	parts := []string{before}
	text := l.line[l.start:]
	for i := range l.items {
		if it := &l.items[i]; it.kind != itemValue {
			parts = append(parts, strings.TrimRight(text[it.start:it.end], " ,;.")+".")
		}
	}
	parts = append(parts, after)
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) > 1 && parts[0] == before {
		parts[0] = strings.TrimRight(before, ":;.") + "."
	}
	return strings.Join(parts, " ")
}

// isComplete reports whether the values are consecutive, or are all values of the range together
// with the intervals of the list.
func isComplete(values []registry.EnumValue, spans, r registry.Range) bool {
	if last := len(values) - 1; values[last].Value-values[0].Value == int64(last) {
		return true
	}
	if r == nil {
		return false
	}
	named, ok := join(append(enumRange(values), spans...), registry.Integer)
	if !ok {
		return false
	}
	all, _ := join(slices.Clone(r), registry.Integer)
	return slices.Equal(named, all)
}
