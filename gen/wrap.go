package gen

import (
	"strings"
	"unicode/utf8"
)

const (
	tab   = 4   // columns
	width = 100 // columns of a comment line
)

// comment returns text as a comment whose lines are at most width columns wide, unless a word is
// longer. It is indented by the given number of tabs. An empty line of text separates paragraphs;
// a line that starts with "- " is an item of a list.
//
// No line starts in a way that a tool of Go reads: see [isDirective].
func comment(indent int, text string) string {
	w := wrapper{columns: width - tab*indent}
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		w.line(line)
	}
	return strings.TrimSuffix(w.b.String(), "\n")
}

// wrapper writes the lines of a comment.
type wrapper struct {
	b       strings.Builder
	columns int
	list    bool // the last line was an item of a list
}

// line writes a line of text as one or several lines of the comment.
func (w *wrapper) line(text string) {
	item, isItem := strings.CutPrefix(text, "- ")
	if w.list && !isItem && text != "" {
		w.b.WriteString("//\n") // gofmt wants an empty line behind a list
	}
	w.list = isItem
	switch {
	case isItem:
		w.wrap("//   - ", "//     ", item)
	case text == "":
		w.b.WriteString("//\n")
	default:
		w.wrap("// ", "// ", defuse(text))
	}
}

// wrap writes the words of text in lines of which the first one begins with first and the others
// with next.
func (w *wrapper) wrap(first, next, text string) {
	words := strings.Fields(text)
	for start := first; len(words) > 0; start = next {
		n := countFitting(words, w.columns-len(start))
		w.b.WriteString(start + strings.Join(words[:n], " ") + "\n")
		words = words[n:]
	}
}

// countFitting returns how many of the words stand in a line of the given length: as many as there
// is room for, but no directive may begin the next line.
func countFitting(words []string, columns int) int {
	n, used := 0, -1
	for n < len(words) {
		used += 1 + utf8.RuneCountInString(words[n])
		if used > columns && n > 0 {
			break
		}
		n++
	}
	most := n
	for n > 0 && n < len(words) && isDirective(words[n]) {
		n--
	}
	if n > 0 {
		return n
	}
	for n = most; n < len(words) && isDirective(words[n]); n++ { // all of them are: a longer line
	}
	return n
}

// defuse returns text so that a line can start with it: in quotes if it would be read by a tool.
func defuse(text string) string {
	if word, _, _ := strings.Cut(text, " "); isDirective(word) {
		return `"` + text + `"`
	}
	return text
}

// isDirective reports whether a tool of Go may read a line of a comment that starts with the word,
// or gofmt may rewrite it: build constraints (+build), directives (go:embed, lint:ignore), headings
// (#), links ([text]: URL), notes (BUG(name)), and the words that some tools look for.
func isDirective(word string) bool {
	word = strings.TrimLeft(word, "/")
	if word == "" {
		return false
	}
	if strings.IndexByte("+#[@", word[0]) >= 0 {
		return true
	}
	lower := strings.ToLower(word)
	for _, prefix := range []string{"nolint", "nosec", "deprecated:", "output:", "unordered"} {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	name := 0
	for name < len(lower) && isLetterOrDigit(lower[name]) {
		name++
	}
	switch after := lower[name:]; {
	case name == 0 || after == "":
		return false
	case after[0] == ':':
		return len(after) > 1 && isLetterOrDigit(after[1]) // go:embed, but not 5: or https://
	case after[0] == '(':
		return name > 1 && word[0] > '9' && strings.ToUpper(word[:name]) == word[:name]
	}
	return false
}

func isLetterOrDigit(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
