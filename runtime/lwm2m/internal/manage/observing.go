package manage

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// found takes note of what a reading finds of the nodes that it reads for an observation: what
// is compared for equality as a fingerprint, and numbers by themselves.
type found struct {
	hash maphash.Hash
	head [32]byte

	node    dm.Path // being read
	nodes   []observedNode
	numbers []attr.Value // of all nodes, one after another
}

// observedNode is what was found of one observed node.
type observedNode struct {
	print    uint64
	from, to int // in found.numbers
	err      error
	live     bool // functions give its values, which are sampled
	every    time.Duration
}

// keptNumbers bounds the memory that is kept for the next reading.
const keptNumbers = 1024

func newFound(seed maphash.Seed) found {
	var x found
	x.hash.SetSeed(seed)
	return x
}

func (x *found) reset() {
	x.nodes = x.nodes[:0]
	if x.numbers = x.numbers[:0]; cap(x.numbers) > keptNumbers {
		x.numbers = nil
	}
}

// begin begins with a node.
func (x *found) begin(p dm.Path) {
	x.node = p
	x.hash.Reset()
	x.nodes = append(x.nodes, observedNode{from: len(x.numbers)})
}

// end ends a node. err is that of its reading.
func (x *found) end(live bool, every time.Duration, err error) {
	n := &x.nodes[len(x.nodes)-1]
	n.print, n.to, n.live, n.every, n.err = x.hash.Sum64(), len(x.numbers), live, every, err
}

// skip leaves a node out.
func (x *found) skip() { x.nodes = append(x.nodes, observedNode{}) }

// sampleOf returns what was found of a node, until the next reading.
func (x *found) sampleOf(i int) attr.Sample {
	if i >= len(x.nodes) { // the reading has not begun
		return attr.Sample{}
	}
	n := &x.nodes[i]
	return attr.Sample{Print: n.print, Values: x.numbers[n.from:n.to:n.to], Live: n.live, Every: n.every}
}

// note takes note of a value at p. Values whose change is no reason to notify (dm.Quiet, dm.Moving)
// are left out, and those with a dead band are compared by their size.
func (x *found) note(state *dm.Snapshot, p dm.Path, v dm.Value) {
	if v.IsSilentFor(x.node.Level()) {
		return
	}
	band := 0.0
	if v.HasDeadBand() {
		band = state.Reporting(p).DeadBand
	}
	if band > 0 || x.node.Level() >= dm.ResourceLevel && isNumber(v.Type()) {
		x.numbers = append(x.numbers, attr.Value{Key: key(p), Number: size(v), Band: band})
	}
	b := x.head[:0]
	b = append(b, byte(p.Level()), byte(v.Type()))
	b = binary.LittleEndian.AppendUint64(b, key(p))
	if band == 0 {
		b = binary.LittleEndian.AppendUint64(b, bits(v))
	}
	_, _ = x.hash.Write(b)
	_, _ = x.hash.WriteString(v.Text())
	_, _ = x.hash.Write(v.Opaque())
}

// key returns the IDs of a path in one number.
func key(p dm.Path) uint64 {
	return uint64(p.Object())<<48 | uint64(p.Instance())<<32 | uint64(p.Resource())<<16 | uint64(p.ResourceInstance())
}

// bits returns the bits of a number, and the length of a text.
func bits(v dm.Value) uint64 {
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

// size returns a number as it is compared by its size. Integers beyond 2^53 lose their last digits.
func size(v dm.Value) float64 {
	switch v.Type() {
	case registry.Integer:
		return float64(v.Integer())
	case registry.UnsignedInteger:
		return float64(v.Unsigned())
	case registry.Float:
		return v.Float()
	case registry.Time:
		return float64(v.Seconds())
	case registry.Boolean:
		if v.Boolean() {
			return 1
		}
	}
	return 0
}
