package lwm2m

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String returns the identity, and no key.
func (p PSK) String() string {
	if p.Identity == "" && p.Key.Len() == 0 {
		return "no PSK"
	}
	return fmt.Sprintf("PSK, identity %q, key %s", p.Identity, redacted)
}

// Format writes String for every verb of package fmt.
func (p PSK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue returns String for package slog.
func (p PSK) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON returns String as JSON, which cannot be decoded again.
func (p PSK) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// String returns a description without the key.
func (e EST) String() string {
	key := "made by the client"
	if e.Key != nil {
		key = redacted
	}
	return fmt.Sprintf("EST, key %s, patience %v, renewal %v before the end", key, e.Patience, e.RenewBefore)
}

// Format writes String for every verb of package fmt.
func (e EST) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.String()) }

// LogValue returns String for package slog.
func (e EST) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalJSON returns String as JSON, which cannot be decoded again.
func (e EST) MarshalJSON() ([]byte, error) { return json.Marshal(e.String()) }

// String returns a description without the key.
func (c Certificate) String() string {
	return fmt.Sprintf("certificate chain of %d, certificate usage %s, server name %q, private key %s",
		len(c.Chain), c.Usage, c.ServerName, redacted)
}

// Format writes String for every verb of package fmt.
func (c Certificate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue returns String for package slog.
func (c Certificate) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON returns String as JSON, which cannot be decoded again.
func (c Certificate) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
