package dm

import (
	"context"
	"fmt"
	"iter"

	"github.com/lwm2mgen/toolkit/registry"
)

// Exec is an executable resource: the function that a server's Execute calls. The zero value, nil,
// means that the resource is unsupported. The function runs on the loop that serves the device; one
// that may take long is marked with SlowExec. An Execute is no transaction: what the function changes
// it changes through Update, which is ErrBusy (5.03) on the loop while a change of a server is being stored; a function marked with
// SlowExec waits for it.
type Exec func(ctx context.Context, args Args) error

// SlowExec marks a function that may take long: it runs on a worker instead of on the loop.
func SlowExec(fn Exec) Exec {
	if fn == nil {
		return nil
	}
	return func(ctx context.Context, args Args) error {
		if refusesSlow(ctx) {
			return ErrSlow
		}
		return fn(ctx, args)
	}
}

// Args is what an executable is called with. The zero value has no arguments.
type Args struct {
	// Instance is the object instance whose resource is executed.
	Instance InstanceID
	// Origin is who asks.
	Origin Origin

	has    uint16 // bit n: argument n is there
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

// Get returns the value of argument n, 0..9; false when it is not there. An argument without a value
// is there with "".
func (a Args) Get(n int) (string, bool) {
	if n < 0 || n > 9 || a.has&(1<<n) == 0 {
		return "", false
	}
	return a.values[n], true
}

// All yields the arguments in order of their numbers.
func (a Args) All() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for n, v := range a.values {
			if a.has&(1<<n) != 0 && !yield(n, v) {
				return
			}
		}
	}
}

// ParseArgs reads the payload of an Execute: a list such as 0='5',1,2='text', each argument a digit
// with or without a value (Core 1.2.2 §6.3.5). Values are the printable ASCII characters but space,
// the quotes " and ', and \; a digit occurs once. Errors have the code 4.00.
func ParseArgs(s string) (Args, error) {
	var a Args
	for rest := s; rest != ""; {
		n := int(rest[0] - '0')
		if rest[0] < '0' || n > 9 {
			return Args{}, badArgs(len(s)-len(rest), "a digit 0..9 must stand here")
		}
		if a.has&(1<<n) != 0 {
			return Args{}, badArgs(len(s)-len(rest), "the argument stands there twice")
		}
		a.has |= 1 << n
		rest = rest[1:]
		if rest != "" && rest[0] == '=' {
			v, ok := quoted(rest[1:])
			if !ok {
				return Args{}, badArgs(len(s)-len(rest)+1, "the value must stand in single quotes")
			}
			a.values[n] = v
			rest = rest[len(v)+3:]
		}
		if rest == "" {
			break
		}
		if rest[0] != ',' || len(rest) == 1 {
			return Args{}, badArgs(len(s)-len(rest), "a comma and a further argument, or the end, must follow")
		}
		rest = rest[1:]
	}
	return a, nil
}

// quoted returns what stands between the quotes at the start of s.
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

// badArgs does not show the arguments: they may hold a password.
func badArgs(at int, why string) error {
	return &Error{Code: BadRequest, Err: fmt.Errorf("arguments of Execute, at byte %d: %s", at, why)}
}

// Append appends the arguments as they stand in a payload to b.
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

func (e *Exec) kind() (registry.Type, bool) { return registry.None, false }

func (e *Exec) supported() bool { return *e != nil }

func (e *Exec) hides() bool { return false }

func (e *Exec) hasValue() bool { return false }

func (e *Exec) live() bool { return false }

func (e *Exec) moves() bool { return false }

func (e *Exec) staged() bool { return false }

func (e *Exec) read(context.Context, ResourceInstanceID) (Value, error) {
	return Value{}, MethodNotAllowed
}

func (e *Exec) each(context.Context, Path, Yield) error { return MethodNotAllowed }

func (e *Exec) instances(context.Context, func(ResourceInstanceID) bool) error { return nil }

func (e *Exec) support() {}

func (e *Exec) clear() {}

func (e *Exec) set(ResourceInstanceID, Value) {}

func (e *Exec) remove(ResourceInstanceID) bool { return false }

func (e *Exec) assign(from Cell) {
	if f, ok := from.(*Exec); ok {
		*e = *f
	}
}

func (e *Exec) assignOne(Cell, ResourceInstanceID) {}

func (e *Exec) settle() {}

// diff yields p when the executable appeared or went; two functions cannot be compared.
func (e *Exec) diff(old Cell, p Path, yield func(Path)) {
	if old.supported() != e.supported() {
		yield(p)
	}
}

func (e *Exec) check(*registry.Resource, Path) error { return nil }

func (e *Exec) stream() *stream { return nil }

func (e *Exec) warn(fault) bool { return false }
