package dm

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"runtime"
	"unsafe"
)

// redacted replaces a secret in output.
const redacted = "[redacted]"

// Secret is the value of an Opaque resource that must not be shown, such as a key. It prints as
// [redacted] under every fmt verb, in slog and in JSON. The value is behind a pointer, so that it
// stays hidden even where fmt reaches it through unexported fields. The zero value means an empty
// secret.
type Secret struct {
	p *string // fmt follows pointers to slices, not pointers to strings
}

// NewSecret returns a Secret with a copy of b. The copy is overwritten with zeros by the garbage
// collector that finds that nothing refers to it any more: no Secret, Value or snapshot.
func NewSecret(b []byte) Secret {
	return Secret{hide(unsafe.String(unsafe.SliceData(b), len(b)), nil)}
}

// Reveal returns a copy of the secret bytes.
func (s Secret) Reveal() []byte { return []byte(s.bytes()) }

// Len returns the number of secret bytes.
func (s Secret) Len() int { return len(s.bytes()) }

// Equal reports whether both secrets hold the same bytes. The time it takes depends on the length
// only.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1
}

func (s Secret) bytes() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Format prints [redacted].
func (s Secret) Format(f fmt.State, _ rune) { redact(f) }

// LogValue returns [redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]. encoding/json uses it, too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// SecretString is the value of a String resource that must not be shown, such as a password. It
// prints as [redacted] under every fmt verb, in slog and in JSON. The zero value means an empty
// secret.
type SecretString struct{ p *string }

// NewSecretString returns a SecretString with a copy of s, which is overwritten as that of a
// Secret.
func NewSecretString(s string) SecretString { return SecretString{hide(s, nil)} }

// Reveal returns the secret text. The copy of the SecretString is not overwritten while the text is
// in use.
func (s SecretString) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Equal reports whether both secrets hold the same text. The time it takes depends on the length
// only.
func (s SecretString) Equal(t SecretString) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// Format prints [redacted].
func (s SecretString) Format(f fmt.State, _ rune) { redact(f) }

// LogValue returns [redacted].
func (s SecretString) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]. encoding/json uses it, too.
func (s SecretString) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ownBlock is the size from which the allocator gives memory a block of its own, without neighbours
// that would keep it in use.
const ownBlock = 16

// hide returns a copy of s that is overwritten when nothing refers to it any more, and calls wiped
// then, unless that is nil. Published snapshots share secrets with their readers, so no holder can
// tell that it is the last one; the garbage collector can. A finalizer of the copy itself counts
// every reference, also those of a Value; a cleanup of the pointer to it would not.
func hide(s string, wiped func([]byte)) *string {
	if s == "" {
		return new(string)
	}
	n := len(s) // the finalizer must not keep s
	b := make([]byte, n, max(n, ownBlock))
	copy(b, s)
	runtime.SetFinalizer(&b[0], func(first *byte) {
		b := unsafe.Slice(first, n)
		clear(b)
		if wiped != nil {
			wiped(b)
		}
	})
	hidden := unsafe.String(&b[0], n)
	return &hidden
}

// redact prints [redacted]. It ignores write errors, which fmt reports.
func redact(f fmt.State) { _, _ = f.Write([]byte(redacted)) }
