package session

import (
	"fmt"
	"strings"
)

// word is one word of a command.
type word struct {
	text   string
	quoted bool // it began with a double quote
}

// parse returns the commands of a line, which semicolons or line ends separate. Blanks separate
// words. Double quotes keep blanks and semicolons in a word and are removed. Single quotes keep
// them too and stay, because they belong to the arguments of Execute. A word that begins with #
// starts a comment.
func parse(line string) ([][]word, error) {
	var (
		commands [][]word
		command  []word
	)
	endCommand := func() {
		if len(command) > 0 {
			commands = append(commands, command)
			command = nil
		}
	}
	for line != "" {
		switch c := line[0]; c {
		case ' ', '\t', '\r':
			line = line[1:]
		case ';', '\n':
			endCommand()
			line = line[1:]
		case '#':
			_, line, _ = strings.Cut(line, "\n")
			endCommand()
		default:
			w, rest, err := parseWord(line)
			if err != nil {
				return nil, err
			}
			command = append(command, w)
			line = rest
		}
	}
	endCommand()
	return commands, nil
}

// parseWord returns the word at the beginning of a line, and what follows it.
func parseWord(line string) (w word, rest string, err error) {
	var text strings.Builder
	w.quoted = line[0] == '"'
	i := 0
	for i < len(line) && !strings.ContainsRune(" \t\r\n;", rune(line[i])) {
		switch c := line[i]; c {
		case '"':
			inside, _, closed := strings.Cut(line[i+1:], `"`)
			if !closed {
				return w, "", fmt.Errorf(`the double quote before %q is not closed`, line[i+1:])
			}
			text.WriteString(inside)
			i += len(inside) + 2
		case '\'':
			inside, _, closed := strings.Cut(line[i+1:], "'")
			if !closed { // an apostrophe
				inside = ""
				i--
				text.WriteByte('\'')
			} else {
				text.WriteString("'" + inside + "'")
			}
			i += len(inside) + 2
		default:
			text.WriteByte(c)
			i++
		}
	}
	w.text = text.String()
	return w, line[i:], nil
}

// join returns words with blanks between them.
func join(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}

// assignment is a NAME=VALUE of a command. The name may consist of several words.
type assignment struct{ name, value string }

// assignments returns the assignments that words consist of.
func assignments(words []word) ([]assignment, error) {
	var (
		all  []assignment
		name []word
	)
	for _, w := range words {
		before, value, found := strings.Cut(w.text, "=")
		name = append(name, word{text: before})
		if found {
			all = append(all, assignment{join(name), value})
			name = nil
		}
	}
	if len(name) > 0 {
		return nil, usageError(fmt.Sprintf("%q is no NAME=VALUE; a value with blanks needs double quotes", join(name)))
	}
	return all, nil
}
