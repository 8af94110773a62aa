// Package senml implements SenML in JSON and CBOR, as LwM2M uses it (Core 1.2.2 §7.4.6, §7.4.7; RFC
// 8428), and SenML-ETCH, whose payloads have the same shape (RFC 8790).
//
// The encoders write the fields bn, bt, n and one value. A time is written as the base time of the
// records that share it; a negative time is relative to now. The decoders read all fields of RFC
// 8428: they add base values, check units and sums and ignore them, and refuse an unknown field
// that must be understood (its name ends with _).
package senml

import (
	"math"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The fields as CBOR labels (RFC 8428 §6). Object links have the text label "vlo" in CBOR, too.
const (
	labelBaseSum   = -6
	labelBaseValue = -5
	labelBaseUnit  = -4
	labelBaseTime  = -3
	labelBaseName  = -2
	labelVersion   = -1
	labelName      = 0
	labelUnit      = 1
	labelValue     = 2
	labelString    = 3
	labelBool      = 4
	labelSum       = 5
	labelTime      = 6
	labelUpdate    = 7
	labelData      = 8
)

// version is the highest SenML version that the decoders accept (RFC 8428 §4.4).
const version = 10

// naming splits the paths of a payload's records into base names and names. A base name is the path
// of the instance, or of the resource that the request named, with a slash at its end. The path of
// the request itself is a base name without that slash.
type naming struct {
	base   dm.Path
	root   string // the alternate path
	prefix string
	group  dm.Path // the path that the current base name was made for
	whole  bool    // whether the current base name is the whole path and needs no name
	begun  bool
	text   [32]byte
}

func (n *naming) begin(t content.Target) error {
	*n = naming{base: t.Base, root: t.Root, prefix: t.Prefix}
	return checkLead(t)
}

// SetPrefix changes the gateway prefix for the entries that follow. See codec.Encoder.SetPrefix.
func (n *naming) SetPrefix(prefix string) error {
	if n.prefix != prefix {
		n.prefix, n.begun = prefix, false // the next entry has a base name of its own
	}
	return fault.Prefix(prefix)
}

// step returns the base name, if it changes, and the name of a record. Both share one buffer.
func (n *naming) step(k dm.Path) (base, name []byte) {
	level := max(dm.InstanceLevel, n.base.Level())
	whole := k.Level() == n.base.Level()
	text := n.text[:0]
	if !n.begun || n.whole != whole || !n.group.Shares(k, level) {
		n.begun, n.group, n.whole = true, k, whole
		text = k.AppendIDs(append(text, '/'), dm.ObjectLevel, level)
		if !whole {
			text = append(text, '/')
		}
		base = text
	}
	if whole {
		return base, nil
	}
	return base, k.AppendIDs(text, level+1, k.Level())[len(base):]
}

// decimal returns an error for a value or a time that cannot be written as a decimal number. A
// negative time is relative to now (RFC 8428 §4.5.3).
func decimal(e *dm.Entry) error {
	if e.Time < 0 && !math.IsInf(e.Time, -1) {
		return fault.Decimal(&dm.Entry{Path: e.Path, Value: e.Value})
	}
	return fault.Decimal(e)
}

// appendLead appends what precedes the path in every absolute name: the alternate path, then the
// gateway prefix.
func appendLead(b []byte, root, prefix string) []byte {
	b = append(b, root...)
	if prefix == "" {
		return b
	}
	return append(append(b, '/'), prefix...)
}

// leadLen returns the number of bytes that appendLead appends.
func leadLen(root, prefix string) int {
	if prefix == "" {
		return len(root)
	}
	return len(root) + 1 + len(prefix)
}

// cutRoot returns an absolute name without the alternate path, if it begins with the alternate
// path.
func cutRoot(name []byte, root string) []byte {
	n := len(root)
	switch {
	case n == 0 || len(name) < n || string(name[:n]) != root:
		return name
	case len(name) == n:
		return name[:1] // the slash: the root of the data model
	case name[n] == '/':
		return name[n:]
	}
	return name
}
