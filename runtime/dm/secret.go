package dm

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// redacted is what is shown instead of a secret.
const redacted = "[redacted]"

// Secret is the value of an Opaque resource that must never be shown, such as a key. It prints as
// [redacted] under every fmt verb, in slog and in JSON. The value hides behind a pointer, so that it
// stays hidden even where fmt reaches it through unexported fields. The zero value is empty.
type Secret struct {
	p *string // fmt follows pointers to slices, not those to strings
}

// NewSecret returns a secret with a copy of b.
func NewSecret(b []byte) Secret {
	s := string(b)
	return Secret{&s}
}

// Reveal returns a copy of the secret bytes.
func (s Secret) Reveal() []byte { return []byte(s.bytes()) }

// Len returns the number of secret bytes.
func (s Secret) Len() int { return len(s.bytes()) }

// Equal reports whether both secrets hold the same bytes, in a time that depends on the length only.
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

// MarshalText returns [redacted]; it serves JSON as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// SecretString is the value of a String resource that must never be shown, such as a password. It
// prints like Secret. The zero value is empty.
type SecretString struct{ p *string }

// NewSecretString returns a secret with the given text.
func NewSecretString(s string) SecretString { return SecretString{&s} }

// Reveal returns the secret text.
func (s SecretString) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Equal reports whether both secrets hold the same text, in a time that depends on the length only.
func (s SecretString) Equal(t SecretString) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

// Format prints [redacted].
func (s SecretString) Format(f fmt.State, _ rune) { redact(f) }

// LogValue returns [redacted].
func (s SecretString) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns [redacted]; it serves JSON as well.
func (s SecretString) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// redact prints [redacted]. A failing writer is fmt's to report.
func redact(f fmt.State) { _, _ = f.Write([]byte(redacted)) }
