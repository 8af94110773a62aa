package socket

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret holds bytes that must not reach a log: every fmt verb, slog and JSON show "[redacted]"
// instead, also when the Secret is in an unexported field of something printed. The zero value is
// empty.
type Secret struct {
	// fmt always shows a pointer to a pointer as an address, also where it cannot call methods.
	b **[]byte
}

// NewSecret returns a Secret with a copy of b.
func NewSecret(b []byte) Secret {
	if len(b) == 0 {
		return Secret{}
	}
	c := append([]byte(nil), b...)
	p := &c
	return Secret{&p}
}

// Bytes returns the secret itself, not a copy: the caller must not change it.
func (s Secret) Bytes() []byte {
	if s.b == nil {
		return nil
	}
	return **s.b
}

// Len returns the number of bytes.
func (s Secret) Len() int { return len(s.Bytes()) }

const redacted = "[redacted]"

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s.Len() == 0 {
		return ""
	}
	return redacted
}

// GoString returns String in quotes.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format writes String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns String for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns String for encoders, such as that of JSON. It cannot be unmarshalled.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
