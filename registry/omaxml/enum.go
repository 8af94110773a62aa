package omaxml

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

// enumLine is one line of the form "N: meaning".
type enumLine struct {
	value   int64
	meaning string
	more    string // the lines that continue it
	dotted  bool   // "N. meaning", which may also be a numbered list
}

// scanEnumLine parses "N: meaning", "N = meaning", "N - meaning" or "N. meaning". It returns false
// for a line about several values, such as "5-203: reserved" or "9..15 = reserved".
func scanEnumLine(s string) (enumLine, bool) {
	s = strings.TrimLeft(s, "*\u2022 ")
	end := 0
	if strings.HasPrefix(s, "-") {
		end = 1
	}
	n := digits(s[end:])
	value, err := strconv.ParseInt(s[:end+n], 10, 64)
	if n == 0 || err != nil {
		return enumLine{}, false
	}
	rest := strings.TrimLeft(s[end+n:], " ")
	sep, size := utf8.DecodeRuneInString(rest)
	meaning := strings.TrimSpace(rest[size:])
	spaced := strings.HasPrefix(rest[size:], " ")
	first, _ := utf8.DecodeRuneInString(meaning)
	if meaning == "" || first == '.' {
		return enumLine{}, false
	}
	l := enumLine{value: value, meaning: meaning}
	switch sep {
	case ':', '=':
		return l, spaced || !unicode.IsDigit(first) // 12:30 is a time
	case '-', '\u2013', '\u2014':
		return l, spaced && !unicode.IsDigit(first) // 5 - 10 is an interval
	case '.':
		l.dotted = true
		return l, spaced
	}
	return enumLine{}, false
}

// enumLines parses all values that one line names: usually one, or several in the same form, as in
// "0: off, 1: on" or "0: no error. 1: error."
func enumLines(s string) []enumLine {
	l, ok := scanEnumLine(s)
	if !ok {
		return nil
	}
	var all []enumLine
	start := 0
	for i := 0; i < len(s) && !l.dotted; i++ {
		if s[i] != ',' && s[i] != ';' && s[i] != '.' {
			continue
		}
		next, ok := scanEnumLine(s[i+1:])
		if !ok || next.dotted || s[i] == '.' && next.value != l.value+1 {
			continue
		}
		if l, ok = scanEnumLine(s[start:i]); !ok {
			return nil
		}
		all = append(all, l)
		l, start = next, i+1
	}
	return append(all, l)
}

// rangeEnum parses a range in which every line names values.
func rangeEnum(s string, t registry.Type) ([]registry.EnumValue, bool) {
	if t != registry.Integer && t != registry.UnsignedInteger {
		return nil, false
	}
	var all []enumLine
	for l := range lines(s) {
		values := enumLines(l)
		if values == nil && l != "" {
			return nil, false
		}
		all = append(all, values...)
	}
	return enumValues(all, t, nil)
}

// enumRange returns the set of the values.
func enumRange(values []registry.EnumValue) registry.Range {
	r := make(registry.Range, len(values))
	for i, v := range values {
		r[i] = registry.Interval{Min: float64(v.Value), Max: float64(v.Value)}
	}
	return r
}

// splitEnum removes the values that the lines of a description name from the description, and
// returns both. It leaves a description unchanged that names fewer than two values or may mean
// something else: examples, numbered steps, a number that occurs twice or that the range does not
// allow.
func splitEnum(description string, t registry.Type, r registry.Range) (enum []registry.EnumValue, rest string) {
	if t != registry.Integer && t != registry.UnsignedInteger {
		return nil, description
	}
	var all []enumLine
	var kept strings.Builder
	var between []string // lines that may continue the last value
	keep := func(lines ...string) {
		for _, l := range lines {
			kept.WriteString(l)
			kept.WriteByte('\n')
		}
	}
	before, paragraph := "", true
	for l := range lines(description) {
		l = line(l)
		values := enumLines(l)
		switch {
		case values == nil:
			paragraph = paragraph || l == ""
			if paragraph || !isContinuation(l) {
				keep(between...)
				keep(l)
				between = between[:0]
			} else {
				between = append(between, l)
			}
			before = cmp.Or(l, before)
			continue
		case len(all) == 0 && isPartial(before):
			return nil, description
		case len(between) > 0:
			all[len(all)-1].more = strings.Join(between, " ")
			between = between[:0]
		}
		paragraph = false
		all = append(all, values...)
	}
	keep(between...)
	enum, ok := enumValues(all, t, r)
	if !ok {
		return nil, description
	}
	return enum, kept.String()
}

// isContinuation reports whether a line can continue the line before it. Lines about several values
// cannot.
func isContinuation(l string) bool {
	return l != "" && digits(l) == 0 && l[0] != '['
}

// isPartial reports whether a line introduces something other than all values: only some of them,
// or the bits of a mask.
func isPartial(l string) bool {
	l = strings.ToLower(l)
	return strings.Contains(l, "example") || strings.Contains(l, "e.g.") || strings.Contains(l, "mask")
}

// enumValues returns the values in ascending order with their names. It returns false if they are
// not an enumeration.
func enumValues(all []enumLine, t registry.Type, r registry.Range) ([]registry.EnumValue, bool) {
	if len(all) < 2 {
		return nil, false
	}
	slices.SortStableFunc(all, func(a, b enumLine) int { return cmp.Compare(a.value, b.value) })
	dots := 0
	for i, l := range all {
		switch {
		case i > 0 && l.value == all[i-1].value,
			t == registry.UnsignedInteger && l.value < 0,
			l.value > registry.MaxExact || l.value < -registry.MaxExact,
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
