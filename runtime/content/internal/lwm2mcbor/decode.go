package lwm2mcbor

import (
	"cmp"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Decoder reads LwM2M CBOR. See codec.Decoder. It has no times.
type Decoder struct {
	sink  sink.Sink
	in    cborwire.Reader
	paths func(dm.Path) error // set while DecodePaths runs
	keys  []key
	maps  uint32 // the number of maps so far
	mixed bool   // whether the keys of a map are out of order
}

// ids are the IDs that lead to a value, as the keys of the payload list them.
type ids struct {
	id [dm.ResourceInstanceLevel]uint16
	n  int
}

// key is a key of one map.
type key struct {
	in uint32 // the number of its map
	ids
}

// compare orders keys by their map, then by their IDs. The zero key comes first.
func (k key) compare(l key) int {
	return cmp.Or(cmp.Compare(k.in, l.in), slices.Compare(k.id[:k.n], l.id[:l.n]))
}

var (
	errKey   = errors.New("a key must be an ID 0..65534, or an array of IDs")
	errDeep  = errors.New("a path has at most four IDs")
	errTwice = errors.New("a map has a key twice")
)

// Decode yields the entries of a payload.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	return d.decode(payload, r, yield, nil)
}

// DecodePaths yields the paths of a payload: the keys that lead to null.
func (d *Decoder) DecodePaths(payload []byte, r content.Request, yield func(dm.Path) error) error {
	return d.decode(payload, r, nil, yield)
}

func (d *Decoder) decode(
	payload []byte, r content.Request, yield func(dm.Entry) error, paths func(dm.Path) error,
) error {
	d.sink.Begin(r, yield)
	d.in = cborwire.Reader{B: payload}
	d.paths, d.keys, d.maps, d.mixed = paths, d.keys[:0], 0, false
	err := d.run()
	d.in.B, d.paths = nil, nil
	if cap(d.keys) > keepKeys {
		d.keys = nil
	}
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

// keepKeys is the largest capacity of keys that a Decoder keeps for the next payload.
const keepKeys = 1024

func (d *Decoder) run() error {
	d.in.Start()
	if err := d.pairs(ids{}); err != nil {
		return err
	}
	if err := d.in.End(); err != nil {
		return d.broken(err)
	}
	return d.unique()
}

func (d *Decoder) broken(err error) error { return d.sink.Broken(d.in.Pos, err) }

// pairs reads a map whose keys continue the path at. Each level takes at least one ID, so the
// recursion is at most five deep.
func (d *Decoder) pairs(at ids) error {
	pairs, err := d.in.Open(cborwire.Map)
	if err != nil {
		return d.broken(err)
	}
	d.maps++
	m, last := d.maps, key{}
	for n := 0; ; n++ {
		more, err := d.in.More(&pairs)
		if err != nil {
			return d.broken(err)
		}
		if !more {
			if n == 0 && at.n > 0 {
				return d.empty(at)
			}
			return nil
		}
		k, err := d.key(at)
		if err != nil {
			return d.broken(err)
		}
		this := key{m, k}
		d.mixed = d.mixed || last.compare(this) >= 0
		d.keys, last = append(d.keys, this), this
		if err := d.content(k); err != nil {
			return err
		}
	}
}

// key reads a key and returns the IDs up to and including it.
func (d *Decoder) key(at ids) (ids, error) {
	h, err := d.in.Peek()
	if err != nil {
		return at, err
	}
	if h.Major != cborwire.Array {
		return d.id(at)
	}
	list, err := d.in.Open(cborwire.Array)
	if err != nil {
		return at, err
	}
	before := at.n
	for {
		more, err := d.in.More(&list)
		if err != nil {
			return at, err
		}
		if !more {
			break
		}
		if at, err = d.id(at); err != nil {
			return at, err
		}
	}
	if at.n == before {
		return at, errKey
	}
	return at, nil
}

func (d *Decoder) id(at ids) (ids, error) {
	h, err := d.in.Peek()
	switch {
	case err != nil:
		return at, err
	case h.Major != cborwire.Unsigned || h.Arg > 0xfffe:
		return at, errKey
	case at.n == len(at.id):
		return at, errDeep
	}
	if _, err := d.in.Head(); err != nil {
		return at, err
	}
	at.id[at.n] = uint16(h.Arg)
	at.n++
	return at, nil
}

// content reads the map or the value that a key leads to.
func (d *Decoder) content(at ids) error {
	h, err := d.in.Peek()
	if err != nil {
		return d.broken(err)
	}
	if h.Major == cborwire.Map {
		return d.pairs(at)
	}
	v, err := d.in.Scalar()
	if err != nil {
		return d.broken(err)
	}
	if d.paths != nil {
		return d.path(at, &v)
	}
	p, err := d.place(at, dm.ResourceLevel, dm.ResourceInstanceLevel)
	if err != nil {
		return err
	}
	return d.sink.Scalar(p, &v, 0)
}

// path yields a path of a list of paths, which are absolute.
func (d *Decoder) path(at ids, v *scalar.Scalar) error {
	p := at.path(dm.Path{})
	if v.Kind != scalar.Null {
		return fault.BadRequest(p, "a list of paths must have null instead of values")
	}
	if err := d.sink.Within(p); err != nil {
		return err
	}
	return d.paths(p)
}

// empty yields an empty instance or resource. An object without instances is left out.
func (d *Decoder) empty(at ids) error {
	if d.paths != nil || at.n == 1 && at.path(dm.Path{}).Contains(d.sink.Req.Base) {
		return nil
	}
	p, err := d.place(at, dm.InstanceLevel, dm.ResourceLevel)
	if err != nil {
		return err
	}
	return d.sink.Value(p, dm.Value{}, 0)
}

// place returns the path of a node between two levels. The path is absolute if that lies within the
// base, else it continues the base. In a Create, a single ID is a resource of the new instance.
func (d *Decoder) place(at ids, low, high dm.Level) (dm.Path, error) {
	base := d.sink.Req.Base
	abs := at.path(dm.Path{})
	if abs.Level() >= low && abs.Level() <= high && d.sink.Contains(abs) {
		return abs, nil
	}
	rel := base
	if d.sink.Req.Create && at.n == 1 && low == dm.ResourceLevel {
		rel = dm.InstancePath(base.Object(), d.sink.Req.NewInstance)
	}
	if l := rel.Level() + dm.Level(at.n); !base.IsRoot() && l >= low && l <= high {
		return at.path(rel), nil
	}
	if err := d.sink.Within(abs); err != nil {
		return abs, err
	}
	return abs, fault.BadRequest(abs, "the payload has a value at a node that cannot have one")
}

// path returns the path of the node with the IDs below p. The caller has checked that the IDs fit.
func (at ids) path(p dm.Path) dm.Path {
	for _, id := range at.id[:at.n] {
		p, _ = p.Child(id)
	}
	return p
}

// unique returns an error for a key that a map has twice (RFC 8949 §5.6).
func (d *Decoder) unique() error {
	if !d.mixed {
		return nil
	}
	slices.SortFunc(d.keys, key.compare)
	for i := 1; i < len(d.keys); i++ {
		if d.keys[i] == d.keys[i-1] {
			return fault.BadRequest(d.sink.Req.Base, "%w", errTwice)
		}
	}
	return nil
}
