package omaxml

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// text returns all text within an element, without comments and including the text of nested
// elements.
func text(e *etree.Element) string {
	if len(e.Child) == 1 {
		if c, ok := e.Child[0].(*etree.CharData); ok {
			return c.Data
		}
	}
	var b strings.Builder
	appendText(&b, e)
	return b.String()
}

func appendText(b *strings.Builder, e *etree.Element) {
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			b.WriteString(t.Data)
		case *etree.Element:
			appendText(b, t)
		}
	}
}

// line returns s as one line: each run of blanks of any kind becomes one space, and blanks at both
// ends are removed.
func line(s string) string {
	if isTidy(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range s {
		if isBlank(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isTidy reports whether line would return s unchanged. It returns false for text that is not
// ASCII.
func isTidy(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return s == "" || last != ' '
}

// isBlank reports whether r is a blank of any kind, including invisible ones: no-break and
// zero-width spaces, controls and stray byte-order marks.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r >= '\u200B' && r <= '\u200D' ||
		r == '\u2060' || r == '\uFEFF'
}

// prose returns s with each line normalized by [line], without blank lines at the ends and with at
// most one between paragraphs.
func prose(s string) string {
	s = unescape(s)
	if !strings.ContainsAny(s, "\n\r") {
		return line(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	breaks := 0
	for l := range lines(s) {
		l = line(l)
		if l == "" {
			breaks++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if breaks > 0 {
				b.WriteByte('\n')
			}
		}
		breaks = 0
		b.WriteString(l)
	}
	return b.String()
}

// unescape converts line ends that some authors wrote as \n, with \t after them, to real ones.
// Before a lower-case letter the characters mean something else, such as a path, and stay.
func unescape(s string) string {
	if !strings.Contains(s, `\n`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.Index(s, `\n`)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		rest := s[i+2:]
		for strings.HasPrefix(rest, `\t`) {
			rest = rest[2:]
		}
		if rest != "" && rest[0] >= 'a' && rest[0] <= 'z' {
			b.WriteString(s[i : i+2])
			s = s[i+2:]
			continue
		}
		b.WriteByte('\n')
		s = rest
	}
}

// lines yields the lines of s without their ends, for all kinds of line ends.
func lines(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i < len(s); i++ {
			if s[i] != '\n' && s[i] != '\r' {
				continue
			}
			if !yield(s[start:i]) {
				return
			}
			if strings.HasPrefix(s[i:], "\r\n") {
				i++
			}
			start = i + 1
		}
		if start < len(s) {
			yield(s[start:])
		}
	}
}

// maxQuote is the length in bytes at which a fault shortens a quoted text.
const maxQuote = 60

// quote quotes text from a file for a fault: on one line, printable and short.
func quote(s string) string {
	s = line(s)
	if len(s) <= maxQuote {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:runeStart(s, maxQuote)]) + "..."
}

// shorten bounds the length of an error that may repeat text of a file.
func shorten(s string) string {
	const most = 3 * maxQuote
	if len(s) <= most {
		return s
	}
	return s[:runeStart(s, most)] + "..."
}

// runeStart returns the last index in s, at most i, at which a character starts.
func runeStart(s string, i int) int {
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}
