package omaxml

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/registry"
)

const (
	adviseStrings = `write the values in quotes, such as "A", "B", or the length as a..b`

	whyKind   = "it may describe the text instead of listing its values"
	whyUnread = "not every part of the list is understood"
)

// parseStrings parses an enumeration of strings: values in quotes or single words, also with
// meanings, as in `"U": UDP, "T": TCP`. The result is empty if s is something else, such as a
// length. why says what is wrong with an enumeration.
func parseStrings(s string) (l limits, why string) {
	s = replaceQuotes(s)
	for _, intro := range []string{"one of", "values", "allowed values", "possible values", "valid values", "enum"} {
		if rest, ok := cutWord(s, intro); ok {
			s = strings.TrimLeft(rest, " :=\n")
		}
	}
	s, _ = unbracket(trimStop(s))
	if s == "" {
		return limits{}, ""
	}
	var ok bool
	if quoted := s[0] == '"' || s[0] == '\''; quoted {
		if l.enum, ok = quotedStrings(s); !ok {
			return limits{}, whyUnread
		}
	} else if l.enum, why = bareStrings(s); l.enum == nil {
		return limits{}, why
	}
	if len(l.enum) == 1 {
		return limits{}, "one string may be an example or the only value"
	}
	for i, v := range l.enum {
		if slices.Contains(l.strings, v.Text) {
			return limits{}, "a value occurs twice"
		}
		l.strings = append(l.strings, v.Text)
		if v.Name == "" {
			l.enum[i].Name = v.Text
		}
	}
	return l, ""
}

// replaceQuotes replaces typographic quotes by those of ASCII.
func replaceQuotes(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '“', '”', '„', '‟', '«', '»', '＂', '″':
			return '"'
		case '‘', '’', '‚', '‛', '`', '´':
			return '\''
		}
		return r
	}, s)
}

// quotedStrings parses values in quotes, each with a meaning or without one, up to the end of s.
func quotedStrings(s string) ([]registry.EnumValue, bool) {
	var all []registry.EnumValue
	for {
		quote := s[:1]
		value, rest, ok := strings.Cut(s[1:], quote)
		if !ok || !isValue(value) {
			return nil, false
		}
		var v registry.EnumValue
		v.Text = value
		rest = strings.TrimLeft(rest, " ")
		end := nextQuoted(rest)
		between := strings.TrimSpace(rest[:end])
		if end < len(rest) {
			if between, ok = cutListSign(between); !ok && !strings.Contains(rest[:end], "\n") {
				return nil, false
			}
		}
		if v.Name, v.Doc, ok = stringMeaning(between); !ok {
			return nil, false
		}
		all = append(all, v)
		if s = rest[end:]; s == "" {
			return all, true
		}
	}
}

// nextQuoted returns the position of the next value in quotes: of a quote after a separator.
func nextQuoted(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] != '"' && s[i] != '\'' {
			continue
		}
		before := strings.TrimRight(s[:i], " ")
		if strings.HasSuffix(s[:i], "\n") || before == "" || strings.IndexByte(",;|/\n", before[len(before)-1]) >= 0 ||
			strings.HasSuffix(before, " or") || strings.HasSuffix(before, " and") || before == "or" || before == "and" {
			return i
		}
	}
	return len(s)
}

// cutListSign cuts the separator before the next value from the end of s.
func cutListSign(s string) (rest string, ok bool) {
	rest = s
	for _, w := range []string{"or", "and"} {
		if before, found := strings.CutSuffix(rest, w); found && (before == "" || strings.HasSuffix(before, " ")) {
			rest, ok = strings.TrimRight(before, " "), true
		}
	}
	if t := strings.TrimRight(rest, ",;|/ "); t != rest {
		rest, ok = t, true
	}
	return rest, ok
}

// stringMeaning parses what follows a value: nothing, or a meaning after a separator or in
// brackets.
func stringMeaning(s string) (name, doc string, ok bool) {
	if s == "" {
		return "", "", true
	}
	if inner, bracket := unbracket(s); bracket == "(" {
		name, doc = splitMeaning(inner)
		return name, doc, !mentionsOthers(inner)
	}
	style, meaning, ok := cutSeparator(s)
	if !ok || style == styleDot || strings.Contains(meaning, "\n") || strings.Count(meaning, `"`)%2 > 0 ||
		mentionsOthers(meaning) || goesOnWith(meaning) {
		return "", "", false
	}
	name, doc = splitMeaning(meaning)
	return name, doc, true
}

// goesOnWith reports whether a part of a meaning after a separator is about other values.
func goesOnWith(meaning string) bool {
	for i, c := range meaning {
		if rest := strings.TrimLeft(meaning[i+utf8.RuneLen(c):], " "); strings.ContainsRune(",;.", c) &&
			(startsWith(rest, restWords) || startsWith(rest, partialWords)) {
			return true
		}
	}
	return false
}

// isValue reports whether s can be a value of an enumeration.
func isValue(s string) bool {
	return len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// bareStrings parses values without quotes. Each is one word, so that prose is not taken for
// values.
func bareStrings(s string) ([]registry.EnumValue, string) {
	var all []registry.EnumValue
	keyed, why := 0, ""
	if strings.Count(s, `"`)%2 > 0 {
		return nil, ""
	}
	s = replaceWords(s, ",", "or")
	for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return strings.ContainsRune(",;|\n", c) }) {
		part = strings.TrimSpace(part)
		end := strings.IndexAny(part, " :=")
		if end < 0 {
			end = len(part)
		}
		v := registry.EnumValue{Text: part[:end]}
		style, meaning, ok := cutSeparator(part[end:])
		switch {
		case part == "":
			continue
		case textKinds[strings.ToLower(v.Text)] || startsWith(part, restWords) || startsWith(part, partialWords):
			why = whyKind
		case !isWord(v.Text), end < len(part) && (!ok || style != styleColon):
			return nil, ""
		case end < len(part):
			keyed++
			v.Name, v.Doc = splitMeaning(meaning)
		}
		all = append(all, v)
	}
	if len(all) < 2 || keyed != 0 && keyed != len(all) && why == "" {
		return nil, ""
	}
	if why != "" {
		return nil, why
	}
	return all, ""
}

// isWord reports whether s is one short word with a letter.
func isWord(s string) bool {
	letter := false
	for _, r := range s {
		letter = letter || unicode.IsLetter(r)
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_+-.", r) {
			return false
		}
	}
	return letter && len(s) <= 32 && s[len(s)-1] != '.'
}

// textKinds are words that describe the text of a resource. A list of them without quotes may say
// what kind of text it is, as in "IPv4, IPv6".
var textKinds = func() map[string]bool {
	all := make(map[string]bool)
	for _, w := range strings.Fields(`text string strings ascii utf utf-8 utf8 unicode latin1 uri uris url urls urn urns fqdn
		hostname host domain ip ipv4 ipv6 mac eui64 eui-64 imei imsi iccid msisdn json xml cbor html csv yaml hex hexadecimal
		decimal octal binary base64 iso rfc date time timestamp datetime utc gmt number numbers numeric digit digits integer
		float double boolean bool alphanumeric letters letter char chars character characters byte bytes octet octets any
		anything other others else etc example examples e.g i.e eg ie optional mandatory required empty null nil undefined
		variable max min maximum minimum length size format free see reserved tbd n/a na unlimited printable email
		version name id identifier uuid guid password default unit units note`) {
		all[w] = true
	}
	return all
}()
