package lwm2m

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// String shows the identity alone.
func (p PSK) String() string {
	if p.Identity == "" && len(p.Key) == 0 {
		return "no PSK"
	}
	return fmt.Sprintf("PSK, identity %q, key %s", p.Identity, redacted)
}

// Format writes String for every verb.
func (p PSK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue gives slog the String.
func (p PSK) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalJSON gives the String. There is no way back.
func (p PSK) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// String shows no key.
func (c Certificate) String() string {
	return fmt.Sprintf("certificate chain of %d, certificate usage %s, server name %q, private key %s",
		len(c.Chain), c.Usage, c.ServerName, redacted)
}

// Format writes String for every verb.
func (c Certificate) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue gives slog the String.
func (c Certificate) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON gives the String. There is no way back.
func (c Certificate) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }
