package manage

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A fingerprint identifies what was read of an observed node: it differs where what would be sent
// differs in anything but the values that move although nothing happens (dm.Moving).
type fingerprint struct {
	hash maphash.Hash
	head [32]byte
}

func newFingerprint(seed maphash.Seed) fingerprint {
	var x fingerprint
	x.hash.SetSeed(seed)
	return x
}

func (x *fingerprint) reset() { x.hash.Reset() }

func (x *fingerprint) sum() uint64 { return x.hash.Sum64() }

// add takes note of a value at p, read for an observation of node.
func (x *fingerprint) add(node, p dm.Path, v dm.Value) {
	if v.IsMoving() && node.Level() < dm.ResourceLevel {
		return
	}
	b := x.head[:0]
	b = append(b, byte(p.Level()), byte(v.Type()))
	for _, id := range [...]uint16{uint16(p.Object()), uint16(p.Instance()), uint16(p.Resource()), uint16(p.ResourceInstance())} {
		b = binary.LittleEndian.AppendUint16(b, id)
	}
	b = binary.LittleEndian.AppendUint64(b, number(v))
	_, _ = x.hash.Write(b)
	_, _ = x.hash.WriteString(v.Text())
	_, _ = x.hash.Write(v.Opaque())
}

// number returns the bits of a number, and the length of a text.
func number(v dm.Value) uint64 {
	switch v.Type() {
	case registry.Integer:
		return uint64(v.Integer())
	case registry.UnsignedInteger:
		return v.Unsigned()
	case registry.Float:
		return math.Float64bits(v.Float())
	case registry.Boolean:
		if v.Boolean() {
			return 1
		}
		return 0
	case registry.Time:
		return uint64(v.Seconds())
	case registry.Objlnk:
		l := v.Link()
		return uint64(l.Object)<<16 | uint64(l.Instance)
	}
	return uint64(len(v.Text()) + len(v.Opaque()))
}
