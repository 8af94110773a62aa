// Package lwm2mcbor implements LwM2M CBOR (Core 1.2.2 §7.4.4): nested maps whose keys are IDs, from
// the object ID down to a value.
//
// The encoder writes absolute paths, one ID per key, and maps of definite length. The decoder also
// accepts arrays of IDs as keys, indefinite lengths, and paths that are relative to the request,
// which version 1.2 allows for Write and Create. A path that fits both ways is absolute.
package lwm2mcbor

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes LwM2M CBOR. See codec.Encoder.
type Encoder struct {
	buf  []byte
	base dm.Path
	last dm.Path // the last path, whose maps are open
	any  bool    // whether there is a last path
	maps [dm.ResourceInstanceLevel]openMap
	open int // the number of open maps
}

// openMap is a map that is still being filled.
type openMap struct {
	start int // the offset of its head
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
		return fault.NotAcceptable(x.Path, "LwM2M CBOR cannot carry the time of a value")
	case e.any && e.last.Compare(x.Path) >= 0:
		return fault.Internal(x.Path, "the entry is out of order")
	case e.any && e.last.Level() == dm.ResourceLevel && e.open < int(dm.ResourceInstanceLevel) &&
		e.last.Contains(x.Path):
		return fault.Internal(x.Path, "the resource has a value itself")
	}
	e.descend(x.Path)
	e.any, e.last = true, x.Path
	if x.Value.Type() == registry.None {
		e.push()
		return nil
	}
	e.buf = cborwire.AppendValue(e.buf, &x.Value)
	return nil
}

// descend closes the maps that do not contain a path, opens those that do, and appends the last ID
// of the path.
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
