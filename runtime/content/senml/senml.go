// Package senml is SenML in JSON and CBOR, as LwM2M uses it (Core 1.2.2 §7.4.6, §7.4.7; RFC 8428), and
// SenML-ETCH, whose payloads have the same shape (RFC 8790).
//
// Written are the fields bn, bt, n and one value. A time is written as the base time of the records
// that share it. Read are all fields of RFC 8428: base values are added, units and sums are checked
// and left alone, and a field that must be understood (its name ends with _) is refused.
package senml

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The fields as CBOR labels (RFC 8428 §6); object links have the text label "vlo" there as well.
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

// version is the highest SenML version that is understood (RFC 8428 §4.4).
const version = 10

// naming splits the paths of a payload's records into base names and names. A base name is the
// instance, or the resource that the request named, with a slash; a resource that is named by the
// request itself is a base name without one.
type naming struct {
	base   dm.Path
	prefix string
	group  dm.Path // the path that the base name in force was made for
	whole  bool    // whether the base name in force has no slash, and so needs no name
	begun  bool
	text   [32]byte
}

func (n *naming) begin(t content.Target) {
	*n = naming{base: t.Base, prefix: t.Prefix}
}

// SetPrefix changes the gateway prefix for the entries that follow. See codec.Encoder.SetPrefix.
func (n *naming) SetPrefix(prefix string) error {
	if n.prefix != prefix {
		n.prefix, n.begun = prefix, false // the next entry has a base name of its own
	}
	return fault.Prefix(prefix)
}

// step returns the base name, where it changes, and the name of a record. Both share one buffer.
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

// appendPrefix appends what stands before every absolute name.
func appendPrefix(b []byte, prefix string) []byte {
	if prefix == "" {
		return b
	}
	return append(append(b, '/'), prefix...)
}

// appendName appends a path as one name.
func appendName(b []byte, p dm.Path, prefix string) []byte {
	b = appendPrefix(b, prefix)
	if p.IsRoot() && prefix != "" {
		return b
	}
	return p.Append(b)
}
