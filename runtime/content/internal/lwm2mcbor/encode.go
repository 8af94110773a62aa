// Package lwm2mcbor is LwM2M CBOR (Core 1.2.2 §7.4.4): maps within maps whose keys are IDs, from the
// object ID down to a value.
//
// Written are one ID per key, absolute paths, and maps of definite length. Read are also arrays of IDs
// as keys, lengths that are indefinite, and paths that are relative to that of the request, which
// version 1.2 allows for Write and Create: a path that fits both ways is absolute.
package lwm2mcbor

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborvalue"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes LwM2M CBOR. See codec.Encoder.
type Encoder struct {
	buf  []byte
	base dm.Path
	last dm.Path // the last path, whose maps are open
	any  bool
	maps [dm.ResourceInstanceLevel]openMap
	open int // how many of maps are open
}

// openMap is a map that is still being filled: where its head will be, and how many pairs it has.
type openMap struct {
	start int
	pairs uint64
}

// Begin starts a payload.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{buf: dst, base: t.Base}
	e.push()
	return nil
}

// Entry appends one value, in ascending order of paths.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	switch {
	case x.Time != 0:
		return fault.NotAcceptable(x.Path, "LwM2M CBOR cannot tell when a value was measured")
	case e.any && e.last.Compare(x.Path) >= 0:
		return fault.Internal(x.Path, "it comes out of order")
	case e.any && e.last.Level() == dm.ResourceLevel && e.open < int(dm.ResourceInstanceLevel) && e.last.Contains(x.Path):
		return fault.Internal(x.Path, "the resource has a value itself")
	}
	e.descend(x.Path)
	e.any, e.last = true, x.Path
	if x.Value.Type() == registry.None {
		e.push()
		return nil
	}
	e.buf = cborvalue.Append(e.buf, &x.Value)
	return nil
}

// descend closes the maps that a path does not lie in, opens those that it does, and appends its last
// ID.
func (e *Encoder) descend(k dm.Path) {
	shared := 0
	for shared+1 < min(e.open, int(k.Level())) && e.last.Shares(k, dm.Level(shared+1)) {
		shared++
	}
	for e.open > shared+1 {
		e.pop()
	}
	for level := dm.Level(e.open); ; level++ {
		e.maps[e.open-1].pairs++
		e.buf = cborwire.AppendUint(e.buf, uint64(k.ID(level)))
		if level == k.Level() {
			return
		}
		e.push()
	}
}

// push opens a map and reserves a byte for its head.
func (e *Encoder) push() {
	e.maps[e.open] = openMap{start: len(e.buf)}
	e.buf = append(e.buf, 0)
	e.open++
}

// pop closes the innermost map.
func (e *Encoder) pop() {
	e.open--
	m := e.maps[e.open]
	e.buf = cborwire.FillHead(e.buf, m.start, cborwire.Map, m.pairs)
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) {
	for e.open > 0 {
		e.pop()
	}
	b := e.buf
	*e = Encoder{}
	return b, nil
}
