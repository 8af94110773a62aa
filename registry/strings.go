package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// StringSet is the set of allowed values of a String, in the order of the definition. The zero
// value means that everything is allowed.
type StringSet []string

// Allows reports whether s is one of the values.
func (set StringSet) Allows(s string) bool { return set == nil || slices.Contains(set, s) }

// String returns the values in quotes, separated by commas, such as `"auto", "manual"`. It returns
// "" if everything is allowed. [ParseStringSet] reads this form.
func (set StringSet) String() string {
	var b []byte
	for i, s := range set {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendQuote(b, s)
	}
	return string(b)
}

// ParseStringSet parses values in quotes, separated by commas, such as `"auto", "manual"`.
func ParseStringSet(s string) (StringSet, error) {
	var set StringSet
	for rest := s; ; {
		rest = strings.TrimSpace(rest)
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil || quoted[0] != '"' {
			return nil, fmt.Errorf(`%q is not a list of values in quotes, such as "auto", "manual"`, s)
		}
		value, _ := strconv.Unquote(quoted) // QuotedPrefix has checked it
		if set = append(set, value); slices.Index(set, value) < len(set)-1 {
			return nil, fmt.Errorf("the value %s occurs twice", quoted)
		}
		rest = strings.TrimSpace(rest[len(quoted):])
		if rest == "" {
			return set, nil
		}
		var more bool
		if rest, more = strings.CutPrefix(rest, ","); !more {
			return nil, fmt.Errorf("a comma is missing after %s", quoted)
		}
	}
}
