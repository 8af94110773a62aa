package omaxml

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
)

// enumLine is one named value.
type enumLine struct {
	value   int64
	meaning string
	more    string // the lines that continue it
	dotted  bool   // "N. meaning", which may also be a numbered list
}

func (it *listItem) line(s string) enumLine {
	return enumLine{value: it.value, meaning: it.meaning(s), dotted: it.style == styleDot}
}

// parseEnum parses a range of a whole number in which every line lists values with their meanings.
// It returns false for other ranges. registered is the range as registered, for faults.
func parseEnum(s, registered string, t registry.Type) (limits, bool) {
	if t != registry.Integer && t != registry.UnsignedInteger {
		return limits{}, false
	}
	whole, text := cutInterval(s, t)
	var list rangeList
	for l := range lines(text) {
		if l != "" && !list.add(trimStop(l)) {
			return limits{}, false
		}
	}
	if len(list.all)+len(list.spans)+len(whole) < 2 {
		return limits{}, false
	}
	enum, ok := enumValues(list.all, t, nil, 0)
	if !ok || list.open && len(enum) == 0 {
		return limits{}, false
	}
	r := enumRange(enum)
	switch {
	case list.open:
		return limits{enum: enum, faults: notUnderstood(registered, "it mentions other values without their numbers",
			"write them as a..b, such as 5..255: reserved")}, true
	case areBits(r) && whole == nil:
		return limits{faults: notUnderstood(registered, whyBits, adviseBits(r))}, true
	case whole != nil && list.spans == nil && whole.Allows(r[0].Min) && whole.Allows(r[len(r)-1].Max):
		return limits{span: whole, enum: enum}, true
	case whole != nil || list.spans != nil:
		if r, ok = join(slices.Concat(r, list.spans, whole), t); !ok {
			return limits{}, false
		}
	}
	return limits{span: r, enum: enum, listed: true}, true
}

// rangeList collects the items of a range.
type rangeList struct {
	all   []enumLine
	spans registry.Range
	open  bool // other values are mentioned without their numbers
}

// add adds the items of a line. It returns false if a part of the line is not understood.
func (list *rangeList) add(l string) bool {
	found, ok := splitItems(l)
	if !ok && startsWith(l, restWords) {
		list.open = true
		return true
	}
	if !ok || found.end < len(l) || found.isPartial {
		return false
	}
	for i := range found.items {
		it := &found.items[i]
		meaning := it.meaning(l)
		bare := it.kind == itemSpan && it.style == styleNone
		if it.kind != itemRest && hidesValues(meaning) || bare && hasNumber(meaning) {
			return false
		}
		switch it.kind {
		case itemValue:
			list.all = append(list.all, it.line(l))
		case itemSpan:
			list.spans = append(list.spans, it.span)
		case itemRest:
			list.open = true
		}
	}
	return true
}

// hidesValues reports whether a meaning within a range may mention further values: numbers behind a
// comma or a full stop, or numbers that are reserved.
func hidesValues(meaning string) bool {
	lower := strings.ToLower(meaning)
	if strings.ContainsAny(lower, "0123456789") {
		for _, w := range []string{"reserved", "unused", "vendor", "proprietary", "future"} {
			if at := strings.Index(lower, w); at > 0 {
				return true
			}
		}
	}
	for i, c := range lower {
		if (c == ',' || c == ';' || c == '.') && strings.HasPrefix(lower[i+1:], " ") {
			return hasNumber(lower[i+1:])
		}
	}
	return false
}

// hasNumber reports whether a word of s is a whole number.
func hasNumber(s string) bool {
	for word := range strings.FieldsFuncSeq(s, func(c rune) bool { return strings.ContainsRune(" ,;.:()-", c) }) {
		if digits(word) == len(word) {
			return true
		}
	}
	return false
}

// cutInterval cuts an interval from the start of a range that also names its values or further
// ones, as in "0..2 (0: off, 1: on, 2: auto)" and "0..100, 255: unknown".
func cutInterval(s string, t registry.Type) (registry.Range, string) {
	end := strings.IndexAny(s, " (:;,\n")
	if end < 0 || !strings.Contains(s[:end], "..") {
		return nil, s
	}
	p := spanParser{t: t}
	r, why := p.parse(s[:end])
	if why != "" || p.swapped {
		return nil, s
	}
	rest := strings.TrimLeft(s[end:], " :;,\n")
	if inner, bracket := strings.CutPrefix(rest, "("); bracket && strings.HasSuffix(inner, ")") {
		rest = strings.TrimSuffix(inner, ")")
	}
	if _, ok := scanItem(rest); !ok {
		return nil, s
	}
	return r, rest
}

// enumRange returns the set of the values.
func enumRange(values []registry.EnumValue) registry.Range {
	r := make(registry.Range, len(values))
	for i, v := range values {
		r[i] = registry.Interval{Min: float64(v.Value), Max: float64(v.Value)}
	}
	return r
}

// join sorts the parts of a range of whole numbers and joins adjacent ones. It returns false if
// they overlap or are beyond the type.
func join(r registry.Range, t registry.Type) (registry.Range, bool) {
	if !disjoint(r) {
		return nil, false
	}
	joined := r[:1]
	for _, i := range r[1:] {
		if last := &joined[len(joined)-1]; i.Min == last.Max+1 {
			last.Max = i.Max
		} else {
			joined = append(joined, i)
		}
	}
	for _, i := range joined {
		if t == registry.UnsignedInteger && (i.Max < 0 || i.Min < 0 && !math.IsInf(i.Min, -1)) {
			return nil, false
		}
	}
	return joined, true
}

// splitEnum removes the values that a description names from the description, and returns both. It
// leaves a description unchanged that names fewer than two values or may mean something else:
// examples, numbered steps, the bits of a mask, a number that occurs twice or that the range does
// not allow, a list of which a part is not understood.
func splitEnum(description string, t registry.Type, r registry.Range) (enum []registry.EnumValue, rest string) {
	if t != registry.Integer && t != registry.UnsignedInteger {
		return nil, description
	}
	if enum, rest, found := splitLines(description, t, r); found {
		return enum, rest
	}
	return splitProse(description, t, r)
}

// splitLines finds values that stand at the start of lines. found reports whether several lines
// start with values.
func splitLines(description string, t registry.Type, r registry.Range) (
	enum []registry.EnumValue, rest string, found bool,
) {
	var list enumList
	for l := range lines(description) {
		list.add(line(l))
	}
	if list.lines < 2 {
		return nil, description, false
	}
	if list.broken {
		return nil, description, true
	}
	list.keep(list.between...)
	enum, ok := enumValues(list.all, t, r, 2)
	if !ok {
		return nil, description, true
	}
	return enum, list.kept.String(), true
}

// enumList collects values line by line.
type enumList struct {
	all       []enumLine
	lines     int  // with values
	broken    bool // whether a part is not understood, or the list is one of examples
	kept      strings.Builder
	between   []string // lines that may continue the last value
	before    string   // the last line of text
	paragraph bool     // a paragraph has ended since the last value
}

func (e *enumList) keep(lines ...string) {
	for _, l := range lines {
		e.kept.WriteString(l)
		e.kept.WriteByte('\n')
	}
}

// add adds one line.
func (e *enumList) add(l string) {
	found, ok := splitItems(l)
	values := found.values()
	switch _, starts := scanItem(l); {
	case starts && !ok, ok && found.end < len(l), values > 1 && found.isPartial,
		values == 0 && len(e.all) > 0 && (e.isUnread(l) || startsWith(l, partialWords)):
		e.broken = true
		return
	case values == 0:
		e.addText(l)
		return
	}
	e.broken = e.broken || len(e.all) == 0 && isPartial(e.before)
	if len(e.between) > 0 {
		e.all[len(e.all)-1].more = strings.Join(e.between, " ")
		e.between = e.between[:0]
	}
	for i := range found.items {
		if it := &found.items[i]; it.kind == itemValue {
			e.all = append(e.all, it.line(l))
		} else {
			e.keep(strings.TrimRight(l[it.start:it.end], " ,;"))
		}
	}
	e.lines++
	e.paragraph = false
}

// addText adds a line without values.
func (e *enumList) addText(l string) {
	e.paragraph = e.paragraph || l == "" || len(e.all) == 0
	if e.paragraph || !isContinuation(l) {
		e.keep(e.between...)
		e.keep(l)
		e.between = e.between[:0]
	} else {
		e.between = append(e.between, l)
	}
	e.before = cmp.Or(l, e.before)
}

// isUnread reports whether a line starts with the value after the last one, without a separator.
func (e *enumList) isUnread(l string) bool {
	it, rest, ok := scanValues(l)
	return ok && it.kind == itemValue && it.value == e.all[len(e.all)-1].value+1 && strings.HasPrefix(rest, " ")
}

// isContinuation reports whether a line can continue the line before it. Lines about several values
// cannot.
func isContinuation(l string) bool {
	return l != "" && digits(l) == 0 && l[0] != '['
}

// isPartial reports whether the last sentence of a text introduces something other than all values:
// only some of them, or the bits of a mask.
func isPartial(text string) bool {
	s := strings.ToLower(strings.TrimRight(text, ".:- "))
	if at := strings.LastIndex(s, ". "); at >= 0 && !strings.HasSuffix(s[:at], "e.g") {
		s = s[at:]
	}
	for _, phrase := range []string{"example", "e.g.", "for instance", "such as", "mask"} {
		if strings.Contains(s, phrase) {
			return true
		}
	}
	return false
}

// enumValues returns the values in ascending order with their names. It returns false if they are
// not an enumeration of at least the given number of values.
func enumValues(all []enumLine, t registry.Type, r registry.Range, least int) ([]registry.EnumValue, bool) {
	if len(all) < least || len(all) == 0 {
		return nil, least == 0
	}
	slices.SortStableFunc(all, func(a, b enumLine) int { return cmp.Compare(a.value, b.value) })
	dots := 0
	for i, l := range all {
		switch {
		case i > 0 && l.value == all[i-1].value,
			t == registry.UnsignedInteger && l.value < 0,
			!r.AllowsInt(l.value):
			return nil, false
		case l.dotted:
			dots++
		}
	}
	if dots == len(all) && all[0].value != 0 {
		return nil, false // steps are numbered from 1
	}
	return nameValues(all), true
}
