package omaxml

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// listItem is one part of a list of values with their meanings.
type listItem struct {
	kind   itemKind
	value  int64             // of itemValue
	span   registry.Interval // of itemSpan
	style  string            // the separator between value and meaning
	remark string            // between value and separator

	// The places in the line of the item, of its meaning and of its end.
	start, at, end int
}

// meaning returns the meaning of an item of the line s.
func (it *listItem) meaning(s string) string {
	plain := strings.ReplaceAll(s[it.at:it.end], "**", "") // ** is bold in Markdown
	m := strings.TrimRight(plain, " ,;|/")
	for _, w := range []string{" and", " or"} {
		m = strings.TrimRight(strings.TrimSuffix(m, w), " ,;|/")
	}
	whole := strings.TrimSuffix(m, ".")
	if inner := strings.Trim(whole, `"`); len(inner)+2 == len(whole) && !strings.Contains(inner, `"`) && inner != "" {
		m = inner
	}
	if it.remark != "" {
		m += " (" + it.remark + ")"
	}
	return m
}

type itemKind uint8

const (
	itemValue itemKind = iota // "1: on"
	itemSpan                  // "5-15: reserved", "<0: error" or "[4..99] reserved"
	itemRest                  // "others: reserved"
	itemNote                  // "default: 0"
)

// The styles of items. Items in the style of a numbered list or of a sentence are values only where
// all of them are.
const (
	styleColon = ":" // and =
	styleDash  = "-" // with blanks around
	styleDot   = "." // "1. on" or "1) on", which may be a numbered list
	styleNone  = ""  // "5-203 reserved"
)

// scanItem parses the item at the start of s, with all text after it as its meaning.
func scanItem(s string) (listItem, bool) {
	body := strings.TrimLeft(s, "*\u2022 ")
	if b, ok := strings.CutPrefix(body, "- "); ok {
		body = b
	}
	it, rest, ok := scanValues(body)
	if !ok {
		return listItem{}, false
	}
	if remark, after, ok := cutRemark(rest); ok {
		it.remark, rest = remark, after
	}
	style, meaning, ok := cutSeparator(rest)
	if !ok {
		if it.kind != itemSpan || it.remark != "" || !startsWithWord(rest) {
			return listItem{}, false
		}
		style, meaning = styleNone, strings.TrimLeft(rest, " ")
	}
	it.style, it.at, it.end = style, len(s)-len(meaning), len(s)
	return it, !startsWithValue(meaning)
}

// startsWithValue reports whether a meaning is itself a value with a meaning, as in "1: 0: off".
func startsWithValue(meaning string) bool {
	_, rest, ok := scanValues(meaning)
	if !ok {
		return false
	}
	style, _, ok := cutSeparator(rest)
	return ok && style == styleColon
}

// scanValues parses the value or the values at the start of an item: a whole number, also in
// quotes, or an interval, also in brackets.
func scanValues(s string) (it listItem, rest string, ok bool) {
	if s == "" {
		return it, s, false
	}
	if closing := strings.IndexByte("\"'[", s[0]); closing >= 0 {
		end := strings.IndexByte(s[1:], "\"']"[closing])
		if end < 0 || end > maxDigits {
			return it, s, false
		}
		it, rest, ok = scanValues(s[1 : 1+end])
		return it, s[2+end:], ok && rest == "" && (it.kind == itemSpan) == (s[0] == '[')
	}
	for _, sign := range []string{"<=", ">=", "≤", "≥", "<", ">"} {
		if after, ok := strings.CutPrefix(s, sign); ok {
			number, rest := scanWhole(strings.TrimLeft(after, " "))
			it.kind, it.span = itemSpan, registry.Interval{Min: math.Inf(-1), Max: math.Inf(1)}
			switch v := float64(number.value); {
			case strings.HasPrefix(sign, "<"):
				it.span.Max = v - float64(1-strings.Count(sign, "="))
			case sign == "≤":
				it.span.Max = v
			default:
				it.span.Min = v + float64(1-strings.Count(strings.Replace(sign, "≥", "=", 1), "="))
			}
			return it, rest, number.ok
		}
	}
	low, rest := scanWhole(s)
	if !low.ok {
		return it, s, false
	}
	if after, sign := cutRangeSign(rest); sign {
		if high, rest := scanWhole(after); high.ok && high.value > low.value {
			it.kind, it.span = itemSpan, registry.Interval{Min: float64(low.value), Max: float64(high.value)}
			return it, rest, true
		}
	}
	if after, ok := strings.CutPrefix(rest, "+"); ok {
		it.kind, it.span = itemSpan, registry.Interval{Min: float64(low.value), Max: math.Inf(1)}
		return it, after, true
	}
	it.value = low.value
	return it, rest, true
}

type whole struct {
	value int64
	ok    bool
}

// scanWhole parses a whole number that a float64 represents exactly.
func scanWhole(s string) (whole, string) {
	if number, rest, ok := scanHex(s); ok {
		v, err := strconv.ParseInt(number, 10, 64)
		return whole{v, err == nil && v <= registry.MaxExact}, rest
	}
	end := 0
	if strings.HasPrefix(s, "-") {
		end = 1
	}
	n := digits(s[end:])
	v, err := strconv.ParseInt(s[:end+n], 10, 64)
	return whole{v, n > 0 && err == nil && v <= registry.MaxExact && v >= -registry.MaxExact}, s[end+n:]
}

// cutRangeSign cuts the sign between two bounds, with blanks around it.
func cutRangeSign(s string) (rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if r, n := utf8.DecodeRuneInString(s); isDash(r) {
		return strings.TrimLeft(s[n:], " "), true
	}
	rest, sign := cutSign(s)
	return rest, sign != ""
}

func isDash(r rune) bool { return r == '-' || r >= '\u2010' && r <= '\u2015' || r == '\u2212' }

// maxRemark is the largest length of a remark in bytes.
const maxRemark = 80

// cutRemark cuts a remark between a value and its separator: "0 (default): off" or "0 or absent:
// off".
func cutRemark(s string) (remark, rest string, ok bool) {
	t := strings.TrimLeft(s, " ")
	head := t[:min(len(t), maxRemark)]
	if strings.HasPrefix(t, "(") {
		end := strings.IndexByte(head, ')')
		if end < 2 {
			return "", s, false
		}
		remark, rest = t[1:end], t[end+1:]
	} else {
		if !strings.HasPrefix(t, "or ") {
			return "", s, false
		}
		end := strings.IndexAny(head, ":=,;.")
		if end < 0 || len(strings.Fields(t[:end])) > 5 {
			return "", s, false
		}
		remark, rest = strings.TrimSpace(t[:end]), t[end:]
	}
	style, _, ok := cutSeparator(rest)
	return remark, rest, ok && style == styleColon
}

// cutSeparator cuts the separator between value and meaning.
func cutSeparator(s string) (style, meaning string, ok bool) {
	s = strings.TrimLeft(s, " ")
	for _, arrow := range []string{"=>", "->", "→"} {
		if rest, ok := strings.CutPrefix(s, arrow); ok {
			s = "=" + rest
		}
	}
	sep, size := utf8.DecodeRuneInString(s)
	rest := s[size:]
	meaning = strings.TrimLeft(rest, " ")
	spaced := strings.HasPrefix(rest, " ")
	first, _ := utf8.DecodeRuneInString(meaning)
	switch {
	case meaning == "" || strings.ContainsRune(".,;|", first):
		return "", "", false
	case sep == ':' || sep == '=' || sep == '\uFF1A':
		return styleColon, meaning, spaced || !unicode.IsDigit(first) // 12:30 is a time
	case isDash(sep):
		return styleDash, meaning, spaced && !unicode.IsDigit(first) // 5 - 10 is an interval
	case sep == '.' || sep == ')':
		return styleDot, meaning, spaced
	}
	for _, w := range []string{"means", "is", "for", "indicates", "denotes", "stands for"} {
		if rest, ok := strings.CutPrefix(s, w+" "); ok && strings.TrimLeft(rest, " ") != "" {
			return w, strings.TrimLeft(rest, " "), true
		}
	}
	return "", "", false
}

// startsWithWord reports whether words follow a blank.
func startsWithWord(s string) bool {
	rest := strings.TrimLeft(s, " ")
	first, _ := utf8.DecodeRuneInString(rest)
	return len(rest) < len(s) && unicode.IsLetter(first)
}

// restWords start a part of a list that is about all other values.
var restWords = []string{
	"others", "other", "all other", "all others", "any other", "the other", "the others", "the rest", "rest", "remaining",
	"all remaining", "else", "otherwise", "anything else", "everything else", "any value", "reserved", "default",
	"unlisted", "undefined", "unused", "all values", "values above", "values greater", "values from", "higher values",
	"larger values", "greater", "above", "vendor specific values", "further values",
}

// partialWords start a part of a list that says that the list is not complete.
var partialWords = []string{"etc", "...", "…", "and so on", "and more", "more values"}

// startsWith reports whether s starts with one of the words, in any letter case.
func startsWith(s string, words []string) bool {
	for _, w := range words {
		if rest, ok := cutWord(s, w); ok && (rest == "" || isLetter(w[len(w)-1]) || rest != s) {
			return true
		}
	}
	return false
}

// splitItems splits a line that starts with an item into all its items: "0: off, 1: on" or "0: off
// 1: on". It returns false if the line starts with something else, or if a part of the list is not
// understood.
func splitItems(s string) (itemList, bool) {
	first, ok := scanItem(s)
	if !ok {
		return itemList{}, false
	}
	p := splitter{s: s, style: first.style, itemList: itemList{items: []listItem{first}, end: len(s)}}
	for i := first.at; i < p.end && !p.failed; {
		i = p.step(i)
	}
	if p.failed {
		return itemList{}, false
	}
	p.items[len(p.items)-1].end = p.end
	for i := range p.items {
		meaning := p.items[i].meaning(s)
		p.failed = p.failed || meaning == ""
		p.isPartial = p.isPartial || p.items[i].kind == itemValue && mentionsOthers(meaning)
	}
	p.isPartial = p.isPartial || p.depth > 0 || strings.Count(s[:p.end], `"`)%2 > 0
	if p.failed {
		return itemList{}, false
	}
	return p.itemList, true
}

// splitter splits a line into items.
type splitter struct {
	itemList
	s        string
	style    string
	depth    int  // of round brackets
	boundary byte // the last separator or blank, or 0 within a word
	sentence int  // the end of the last sentence within the last item, or 0
	failed   bool
}

// step reads the character at i and returns the place of the next one.
func (p *splitter) step(i int) int {
	c := p.s[i]
	if p.depth == 0 && p.boundary != 0 && c != ' ' {
		if p.addItem(i) {
			return p.items[len(p.items)-1].at
		}
		if p.failed || i >= p.end {
			return i
		}
	}
	switch {
	case c == ' ':
		p.boundary = max(p.boundary, ' ') // a separator counts more
		return i + 1
	case strings.IndexByte(",;.|/", c) >= 0 && !isBetweenDigits(p.s, i):
		if c == '.' && len(sentenceEnds(p.s[i:min(i+6, len(p.s))])) > 1 {
			p.sentence = i + 1
		}
		p.boundary = c
		return i + 1
	case c == '(':
		p.depth++
	case c == ')' && p.depth == 0:
		p.end = i // the bracket encloses the list
	case c == ')':
		p.depth--
	}
	p.boundary = 0
	return i + 1
}

// addItem adds the item that starts at i, if there is one.
func (p *splitter) addItem(i int) bool {
	s := p.s[i:]
	before := &p.items[len(p.items)-1]
	next, ok := scanNext(s, p.style, p.boundary, before)
	if ok {
		before.end = i
		next.start, next.at, next.end = i, i+next.at, len(p.s)
		p.items = append(p.items, next)
		if p.style == styleNone {
			p.style = next.style
		}
		p.boundary, p.sentence = 0, 0
		return true
	}
	if it, ok := scanItem(s); ok && it.style == styleColon && p.style != styleColon {
		p.failed = true // a list in two styles
		return false
	}
	if (p.boundary == ',' || p.boundary == ';') && (isUnread(s) || isKey(s)) {
		if p.failed = p.sentence == 0; !p.failed {
			p.end = p.sentence // the number is in a sentence behind the list
		}
		return false
	}
	p.isPartial = p.isPartial || startsWith(s, partialWords)
	return false
}

// itemList is a list within a line.
type itemList struct {
	items     []listItem
	end       int  // the place behind the list, which a bracket around it or the line ends
	isPartial bool // whether it goes on: it ends with "etc.", for example, or within brackets
}

// values returns the number of items with one value.
func (l *itemList) values() int {
	n := 0
	for i := range l.items {
		if l.items[i].kind == itemValue {
			n++
		}
	}
	return n
}

// mentionsOthers reports whether a meaning is also about other values. A value may simply mean
// "other".
func mentionsOthers(meaning string) bool {
	lower := strings.ToLower(meaning)
	if startsWith(lower, []string{"others", "any other", "all other"}) && strings.Contains(lower, " ") {
		return true
	}
	for _, phrase := range []string{" others", "(others", " other values", "(other ", " any other", " all other"} {
		if strings.Contains(lower, phrase) {
			return true
		}
	}
	return false
}

// isBetweenDigits reports whether the character at i belongs to a number such as 1,5. In "2,9:
// lost" it does not.
func isBetweenDigits(s string, i int) bool {
	if i == 0 || digits(s[i-1:i]) == 0 || digits(s[i+1:]) == 0 {
		return false
	}
	it, ok := scanItem(s[i+1:])
	return !ok || it.style != styleColon
}

// scanNext parses the item at the start of s, which the boundary separates from the item before it.
func scanNext(s, style string, boundary byte, before *listItem) (listItem, bool) {
	if boundary != ' ' && boundary != '/' {
		rest := s
		if after, ok := cutWord(s, "and"); ok {
			rest = after
		}
		if isDefault(rest) {
			return listItem{kind: itemNote, at: 1}, true
		}
		if startsWith(rest, restWords) {
			return listItem{kind: itemRest, at: 1}, true
		}
	}
	if s[0] == '*' || s[0] == '-' && digits(s[1:]) == 0 {
		return listItem{}, false
	}
	skipped := 0
	for _, w := range []string{"and", "or"} {
		if after, ok := cutWord(s, w); ok {
			s, skipped = after, len(s)-len(after)
		}
	}
	it, ok := scanItem(s)
	it.at += skipped
	switch {
	case !ok || style == styleDot || it.style == styleDot:
		return listItem{}, false
	case it.style == styleNone:
		return it, boundary != ' '
	case it.style != style && style != styleNone:
		return listItem{}, false
	case it.style == styleColon || boundary != ' ' || skipped > 0:
		return it, true
	}
	return it, it.style == styleDash && it.kind == itemValue && before.kind == itemValue && it.value == before.value+1
}

// isDefault reports whether s only says which value is the default one.
func isDefault(s string) bool {
	rest, ok := cutWord(s, "default")
	if r, after := cutWord(rest, "value"); after {
		rest = r
	}
	if r, after := cutWord(rest, "is"); after {
		rest = r
	}
	number, rest := scanWhole(strings.TrimLeft(rest, " :="))
	return ok && number.ok && strings.Trim(rest, " .;,)") == ""
}

// isKey reports whether s starts with a short word and a separator, as in "negative: error".
func isKey(s string) bool {
	end := strings.IndexAny(s[:min(len(s), maxDigits)], " :=,;.()")
	if end < 1 {
		return false
	}
	style, _, ok := cutSeparator(s[end:])
	return ok && style == styleColon
}

// isUnread reports whether s starts with a number that may be a value without a separator, as in "2
// reserved".
func isUnread(s string) bool {
	_, rest, ok := scanValues(s)
	return ok && (rest == "" || strings.IndexByte(" ,;/|", rest[0]) >= 0)
}
