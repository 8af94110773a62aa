package corelink

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Link is one link of a list.
type Link struct {
	// Target is the text between < and >. It is empty for an attribute without a link, with which
	// the response to a Bootstrap-Discover begins in LwM2M 1.0.
	Target string
	attrs  string
}

// Path returns the node that the link names below root, which is an alternate path such as "/lwm2m"
// or empty. It returns false if the link does not name a node.
func (l Link) Path(root string) (dm.Path, bool) {
	rest, ok := strings.CutPrefix(l.Target, root)
	if !ok {
		return dm.Path{}, false
	}
	if rest == "" && root != "" {
		return dm.Path{}, true
	}
	p, err := dm.ParsePath(rest)
	return p, err == nil
}

// Attr returns the value of an attribute, without its quotes, and whether the link has the
// attribute. An attribute without a value has the value "".
func (l Link) Attr(name string) (string, bool) {
	for n, v := range l.Attrs() {
		if n == name {
			return v, true
		}
	}
	return "", false
}

// Attrs yields the attributes in the order of the list.
func (l Link) Attrs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s := scanner{s: l.attrs}
		for s.pos < len(s.s) {
			name, value, err := s.attr()
			if err != nil || !yield(name, value) {
				return
			}
			s.separator(';')
		}
	}
}

// Errors of lists that are not well-formed.
var (
	errShort  = errors.New("it ends too early")
	errLink   = errors.New("a link must read like </3303/0>")
	errAttr   = errors.New("an attribute must read like pmin=10")
	errQuote  = errors.New("a quoted text has a control character")
	errFollow = errors.New("a comma or a semicolon is expected here")
)

// Parse calls yield for each link of a list (RFC 6690 §2). It accepts blanks around commas and
// semicolons, because the examples of LwM2M have them. The error is what yield returned, or a
// *dm.Error with 4.00.
func Parse(list []byte, yield func(Link) error) error {
	if !utf8.Valid(list) {
		return fault.BadRequest(dm.Path{}, "the list of links is not valid UTF-8")
	}
	s := scanner{s: string(list)}
	for s.blanks(); s.pos < len(s.s); {
		l, err := s.link()
		if err == nil {
			err = s.comma()
		}
		if err != nil {
			return fault.BadRequest(dm.Path{}, "the list of links is broken at byte %d: %w", s.pos, err)
		}
		if err := yield(l); err != nil {
			return err
		}
	}
	return nil
}

// comma reads what follows a link: a comma and another link, or the end.
func (s *scanner) comma() error {
	s.blanks()
	switch {
	case s.pos == len(s.s):
		return nil
	case !s.separator(','):
		return errFollow
	case s.pos == len(s.s):
		return errShort
	}
	return nil
}

// scanner reads a list from front to back.
type scanner struct {
	s   string
	pos int
}

func (s *scanner) blanks() {
	for s.pos < len(s.s) && (s.s[s.pos] == ' ' || s.s[s.pos] == '\t') {
		s.pos++
	}
}

// separator reads a delimiter and the blanks around it.
func (s *scanner) separator(c byte) bool {
	s.blanks()
	if s.pos == len(s.s) || s.s[s.pos] != c {
		return false
	}
	s.pos++
	s.blanks()
	return true
}

func (s *scanner) link() (Link, error) {
	var l Link
	bare := s.s[s.pos] != '<'
	if !bare {
		end := strings.IndexByte(s.s[s.pos:], '>')
		if end < 0 {
			return l, errShort
		}
		l.Target = s.s[s.pos+1 : s.pos+end]
		if l.Target == "" || strings.ContainsAny(l.Target, "<\" \t\r\n") {
			return l, errLink
		}
		s.pos += end + 1
		if !s.separator(';') {
			return l, nil
		}
	}
	start := s.pos
	for {
		if _, _, err := s.attr(); err != nil {
			return l, err
		}
		l.attrs = s.s[start:s.pos]
		if bare || !s.separator(';') {
			return l, nil
		}
	}
}

// attr reads an attribute.
func (s *scanner) attr() (name, value string, err error) {
	name = s.run(isName)
	switch {
	case name == "" && s.pos == len(s.s):
		return "", "", errShort
	case name == "":
		return "", "", errAttr
	case s.pos == len(s.s) || s.s[s.pos] != '=':
		return name, "", nil
	}
	s.pos++
	switch {
	case s.pos == len(s.s):
		return "", "", errShort
	case s.s[s.pos] == '"':
		value, err = s.quoted()
		return name, value, err
	}
	if value = s.run(isToken); value == "" {
		return "", "", errAttr
	}
	return name, value, nil
}

// run reads the longest run of characters of a class.
func (s *scanner) run(is func(byte) bool) string {
	start := s.pos
	for s.pos < len(s.s) && is(s.s[s.pos]) {
		s.pos++
	}
	return s.s[start:s.pos]
}

func isName(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("!#$&+-.^_`|~*", c) >= 0
}

func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'
}

// quoted reads a text in quotes.
func (s *scanner) quoted() (string, error) {
	s.pos++
	start, escaped := s.pos, false
	for ; s.pos < len(s.s); s.pos++ {
		switch c := s.s[s.pos]; {
		case c == '"':
			text := s.s[start:s.pos]
			s.pos++
			if escaped {
				text = unescape(text)
			}
			return text, nil
		case c == '\\':
			escaped = true
			if s.pos++; s.pos == len(s.s) {
				return "", errShort
			}
		}
		if c := s.s[s.pos]; c < ' ' && c != '\t' || c == 0x7f {
			return "", errQuote
		}
	}
	return "", errShort
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// String returns the link in the format of a list.
func (l Link) String() string {
	if l.attrs == "" {
		return "<" + l.Target + ">"
	}
	if l.Target == "" {
		return l.attrs
	}
	return fmt.Sprintf("<%s>;%s", l.Target, l.attrs)
}
