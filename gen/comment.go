package gen

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

const (
	tab      = 4   // columns
	width    = 100 // columns of a comment line
	maxProse = 220 // runes of a description
	maxRange = 60  // runes of a range that is not understood
)

// doc returns the documentation of a resource's field: its name, its facts and its description,
// such as "BatteryLevel (9, R, optional, /100, range 0..100): the current battery level as a
// percentage."
func (r *resource) doc() string {
	facts := []string{fmt.Sprint(r.ID), operations(r.Ops)}
	if r.Mandatory {
		facts = append(facts, "mandatory")
	} else {
		facts = append(facts, "optional")
	}
	if r.Multiple {
		facts = append(facts, "multiple")
	}
	if u := oneLine(r.Units); u != "" {
		facts = append(facts, u)
	}
	if s := r.span(); s != "" {
		facts = append(facts, s)
	}
	return fmt.Sprintf("%s (%s)%s", r.name, strings.Join(facts, ", "), orFullStop(": ", prose(r.Description)))
}

func operations(o registry.Operations) string {
	if o.BootstrapOnly() {
		return "bootstrap only"
	}
	return o.String()
}

// span returns the range of a resource in words. A registered range that is not understood is
// quoted.
func (r *resource) span() string {
	switch {
	case r.Range != nil && r.Type.Measured():
		return "length " + r.Range.String()
	case r.Range != nil:
		return "range " + r.Range.String()
	}
	if text := oneLine(r.RangeText); text != "" {
		return fmt.Sprintf("range as registered: %q", cut(text, maxRange))
	}
	return ""
}

// orFullStop returns sep and text, or a full stop if text is empty.
func orFullStop(sep, text string) string {
	if text == "" {
		return "."
	}
	return sep + text
}

// prose returns the first sentence of a description in a form that continues a sentence: it starts
// with a small letter, unless its first word is an acronym, and ends with a full stop. It is empty
// for a description without text.
func prose(description string) string {
	s := oneLine(firstSentence(description))
	s = strings.TrimRight(strings.TrimLeft(s, " -*#•"), " ,;:-.")
	if s == "" {
		return ""
	}
	if short := cut(s, maxProse); short != s {
		return lowerStart(short)
	}
	if !strings.HasSuffix(s, "!") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return lowerStart(s)
}

// firstSentence returns the text up to the first end of a sentence. A line break also ends a
// sentence, unless the next line continues with a small letter.
func firstSentence(s string) string {
	s = strings.ReplaceAll(s, `\n`, "\n") // some definitions contain the escape sequence
	s = strings.TrimSpace(s)
	for i, c := range s {
		switch c {
		case '\n':
			rest := strings.TrimSpace(s[i:])
			r, _ := utf8.DecodeRuneInString(rest)
			before := strings.TrimSpace(s[:i])
			if !unicode.IsLower(r) || strings.HasSuffix(before, ".") || strings.HasSuffix(before, ":") {
				return before
			}
		case '.', '!', '?':
			if endsSentence(s[:i+1], s[i+1:]) {
				return s[:i+1]
			}
		}
	}
	return s
}

// endsSentence reports whether the punctuation mark at the end of before ends a sentence: a blank
// follows, no small letter follows the blank, and the mark does not belong to an abbreviation.
func endsSentence(before, rest string) bool {
	r, n := utf8.DecodeRuneInString(rest)
	if rest != "" && !unicode.IsSpace(r) {
		return false
	}
	if next, _ := utf8.DecodeRuneInString(strings.TrimSpace(rest[n:])); unicode.IsLower(next) {
		return false
	}
	word := before[strings.LastIndexFunc(before, unicode.IsSpace)+1:]
	return !abbreviations[strings.ToLower(strings.Trim(word, "(."))]
}

var abbreviations = map[string]bool{
	"a.k.a": true, "approx": true, "cf": true, "e.g": true, "eg": true, "fig": true, "i.e": true, "ie": true,
	"incl": true, "max": true, "min": true, "no": true, "resp": true, "sec": true, "ver": true, "vs": true,
}

// lowerStart makes the first letter small, unless the first word has more capitals or digits, as
// acronyms have.
func lowerStart(s string) string {
	word, _, _ := strings.Cut(s, " ")
	first, n := utf8.DecodeRuneInString(s)
	rest := word[n:]
	if strings.ContainsFunc(rest, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsDigit(r) }) {
		return s
	}
	if rest == "" && first != 'A' { // a symbol, such as X or Y
		return s
	}
	return string(unicode.ToLower(first)) + s[n:]
}

// cut shortens s to about max runes, at a blank, and appends three dots.
func cut(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	end, runes := 0, 0
	for i, c := range s {
		if runes++; runes > max-4 {
			if end == 0 {
				end = i
			}
			break
		}
		if c == ' ' {
			end = i
		}
	}
	return strings.TrimRight(s[:end], " ,;:-.(") + " ..."
}

// oneLine returns s as it can stand in a line of source: line breaks and blanks of all kinds become
// single blanks; control characters, invisible characters and comment marks are dropped.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError || !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, s)
	s = strings.ReplaceAll(strings.ReplaceAll(s, "*/", ""), "/*", "")
	return strings.Join(strings.Fields(s), " ")
}

// comment returns text as a comment whose lines are at most width columns wide, unless a word is
// wider. indent is the number of tabs before the comment.
func comment(indent int, text string) string {
	columns := width - tab*indent - len("//")
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word) + 1
		if column > 0 && column+n > columns {
			b.WriteByte('\n')
			column = 0
		}
		if column == 0 {
			b.WriteString("//")
		}
		b.WriteByte(' ')
		b.WriteString(word)
		column += n
	}
	return b.String()
}
