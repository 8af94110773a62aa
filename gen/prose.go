package gen

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxProse = 220 // runes of a short description
	ellipsis = "…"
)

// describe returns a description in a form that continues a sentence, such as "the current battery
// level as a percentage." It is empty for a description without text.
func (d Docs) describe(description string) string {
	if d == DocsShort {
		return prose(description)
	}
	return paragraphs(description)
}

// paragraphs returns the whole of a description: paragraphs are separated by an empty line, items
// of a list start with "- ". A line that starts with a small letter continues the line before it.
func paragraphs(description string) string {
	var f flow
	gap := false // an empty line comes before the next one
	for line := range strings.SplitSeq(description, "\n") {
		text := oneLine(line)
		if text == "" {
			gap = true
			continue
		}
		item, isItem := cutBullet(text)
		first, _ := utf8.DecodeRuneInString(text)
		switch {
		case f.empty(): // the text continues the name of the resource
			f.add("", lowerStart(strings.TrimLeft(strings.TrimLeft(item, " -*#•"), " ,;:-."+ellipsis)))
		case isItem:
			f.add("\n- ", item)
		case gap:
			f.add("\n\n", text)
		case unicode.IsLower(first):
			f.add(" ", text)
		default:
			f.add("\n", text)
		}
		gap = false
	}
	return f.end()
}

// flow collects the lines of a description.
type flow struct {
	b    strings.Builder
	item bool // the last line is an item of a list
}

func (f *flow) empty() bool { return f.b.Len() == 0 }

// add appends text behind a separator. It ends the sentence before the end of a paragraph, because
// gofmt takes a short paragraph without punctuation for a heading.
func (f *flow) add(separator, text string) {
	if separator == "\n\n" {
		f.stop()
	}
	f.b.WriteString(separator)
	f.b.WriteString(text)
	if separator != " " {
		f.item = strings.HasSuffix(separator, "- ")
	}
}

func (f *flow) stop() {
	if !f.item && !f.empty() {
		f.b.WriteString(missingStop(f.b.String()))
	}
}

// end returns the text. A colon at its end introduced values that have become constants.
func (f *flow) end() string {
	if s, ok := strings.CutSuffix(f.b.String(), ":"); ok && !f.item {
		return strings.TrimRight(s, " ,;:-") + "."
	}
	f.stop()
	return f.b.String()
}

// missingStop returns a full stop if text ends without punctuation.
func missingStop(text string) string {
	if last, _ := utf8.DecodeLastRuneInString(text); strings.ContainsRune(".!?:"+ellipsis, last) {
		return ""
	}
	return "."
}

// cutBullet removes the mark of an item of a list. A line that starts with a number, as in "1: on"
// or "2) off", is an item, too, and keeps the number.
func cutBullet(s string) (item string, ok bool) {
	for _, mark := range []string{"- ", "* ", "•"} {
		if rest, ok := strings.CutPrefix(s, mark); ok && strings.TrimSpace(rest) != "" {
			return strings.TrimSpace(rest), true
		}
	}
	rest := strings.TrimLeft(strings.TrimLeft(s, "0123456789"), " ")
	mark := strings.IndexAny(rest, ":=)-.") == 0 && strings.HasPrefix(rest[1:], " ")
	return s, mark && len(rest) < len(s)
}

// prose returns the first sentence of a description in a form that continues a sentence: it starts
// with a small letter, unless its first word is an acronym, and ends with a full stop. It is empty
// for a description without text.
func prose(description string) string {
	s := oneLine(firstSentence(description))
	s = strings.TrimRight(strings.TrimLeft(s, " -*#•"), " ,;:-."+ellipsis)
	if s == "" {
		return ""
	}
	s = lowerStart(cut(s, maxProse))
	return s + missingStop(s)
}

// explain returns what a definition says about a value of an enumeration, without a full stop.
func (d Docs) explain(doc string) string {
	if d == DocsShort {
		return strings.TrimSuffix(prose(doc), ".")
	}
	return lowerStart(strings.TrimRight(oneLine(doc), " .,;"))
}

// firstSentence returns the text up to the first end of a sentence. A line break also ends a
// sentence, unless the next line continues with a small letter.
func firstSentence(s string) string {
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
	first, n := utf8.DecodeRuneInString(word)
	rest := word[n:]
	if strings.ContainsFunc(rest, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsDigit(r) }) {
		return s
	}
	if word == "" || rest == "" && first != 'A' { // a symbol, such as X or Y
		return s
	}
	return string(unicode.ToLower(first)) + s[n:]
}

// cut shortens s to at most max runes, at a blank if there is one, and appends an ellipsis.
func cut(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	end, runes := 0, 0
	for i, c := range s {
		if runes++; runes > max-2 {
			if end == 0 {
				end = i
			}
			break
		}
		if c == ' ' {
			end = i
		}
	}
	return strings.TrimLeft(strings.TrimRight(s[:end], " ,;:-.("+ellipsis)+" "+ellipsis, " ")
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
