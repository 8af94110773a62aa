package factoryfile

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// variable is a variable such as ${endpoint}. A dollar sign before one is written as $$.
var variable = regexp.MustCompile(`\$\$|\$\{([^}]*)\}?`)

// expand replaces the variables of a value.
func (b *builder) expand(text string, line int) (string, bool) {
	out, unknown := Expand(text, b.in.Vars)
	for _, name := range unknown {
		known := "none is set: use -set or -csv"
		if len(b.in.Vars) > 0 {
			known = "the variables are " + strings.Join(slices.Sorted(maps.Keys(b.in.Vars)), ", ")
		}
		b.fault(line, "the variable ${%s} is not set, %s", printable(name), known)
	}
	return out, len(unknown) == 0
}

// Expand replaces variables such as ${endpoint} in a text, and $$ by $. It returns the names of the
// variables that are not set.
func Expand(text string, vars map[string]string) (out string, unknown []string) {
	out = variable.ReplaceAllStringFunc(text, func(match string) string {
		if match == "$$" {
			return "$"
		}
		name := variable.FindStringSubmatch(match)[1]
		value, ok := vars[name]
		if !ok || !strings.HasSuffix(match, "}") {
			unknown = append(unknown, name)
		}
		return value
	})
	return out, unknown
}
