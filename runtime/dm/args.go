package dm

import (
	"fmt"
	"iter"
)

// Args is what an executable is called with. The zero value means no arguments.
type Args struct {
	// Instance is the object instance whose resource is executed.
	Instance InstanceID
	// Origin is who executes.
	Origin Origin

	has    uint16 // bit n: argument n is present
	values [10]string
}

// Len returns the number of arguments.
func (a Args) Len() int {
	n := 0
	for range a.All() {
		n++
	}
	return n
}

// Get returns the value of argument n, 0..9. It returns false if the argument is not present, and
// "" for an argument without a value.
func (a Args) Get(n int) (string, bool) {
	if n < 0 || n > 9 || a.has&(1<<n) == 0 {
		return "", false
	}
	return a.values[n], true
}

// All yields the arguments in ascending order of their numbers.
func (a Args) All() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for n, v := range a.values {
			if a.has&(1<<n) != 0 && !yield(n, v) {
				return
			}
		}
	}
}

// ParseArgs parses the payload of an Execute: a list such as 0='5',1,2='text', in which each
// argument is a digit with or without a value (Core 1.2.2 §6.3.5). Values consist of the printable
// ASCII characters other than space, the quotes " and ' and \, and each digit occurs at most once.
// Errors have the code 4.00.
func ParseArgs(s string) (Args, error) {
	var a Args
	for rest := s; rest != ""; {
		n := int(rest[0] - '0')
		if rest[0] < '0' || n > 9 {
			return Args{}, badArgs(len(s)-len(rest), "expected a digit 0..9")
		}
		if a.has&(1<<n) != 0 {
			return Args{}, badArgs(len(s)-len(rest), "the argument occurs twice")
		}
		a.has |= 1 << n
		rest = rest[1:]
		if rest != "" && rest[0] == '=' {
			v, ok := quoted(rest[1:])
			if !ok {
				return Args{}, badArgs(len(s)-len(rest)+1, "expected a value in single quotes")
			}
			a.values[n] = v
			rest = rest[len(v)+3:]
		}
		if rest == "" {
			break
		}
		if rest[0] != ',' || len(rest) == 1 {
			return Args{}, badArgs(len(s)-len(rest), "expected a comma and another argument, or the end")
		}
		rest = rest[1:]
	}
	return a, nil
}

// quoted returns the text between the quotes at the start of s.
func quoted(s string) (string, bool) {
	if s == "" || s[0] != '\'' {
		return "", false
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			return s[1:i], true
		case c <= ' ' || c > '~' || c == '"' || c == '\\':
			return "", false
		}
	}
	return "", false
}

// badArgs does not include the arguments, because they may hold a password.
func badArgs(at int, why string) error {
	return &Error{Code: BadRequest, Err: fmt.Errorf("arguments of Execute, at byte %d: %s", at, why)}
}

// Append appends the arguments in their payload form to b.
func (a Args) Append(b []byte) []byte {
	sep := ""
	for n, v := range a.All() {
		b = append(b, sep...)
		b = append(b, '0'+byte(n))
		if v != "" {
			b = append(b, "='"...)
			b = append(b, v...)
			b = append(b, '\'')
		}
		sep = ","
	}
	return b
}
