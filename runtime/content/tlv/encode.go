package tlv

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes TLV payloads. See content.Encoder. The payload of an object has a TLV for each
// instance; that of an instance has its resources alone, that of a resource the resource alone, that
// of a resource instance the resource instance alone (Core 1.0.2 §6.4.3.2).
type Encoder struct {
	buf      []byte
	base     dm.Path
	last     dm.Path
	begun    bool
	instance open
	multiple open
}

// open is a TLV that is still being filled. Its header is put before it when its length is known.
type open struct {
	is    bool
	path  dm.Path
	start int
}

// Begin starts a payload. TLV has no object IDs: it cannot carry the root.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{buf: dst, base: t.Base}
	if t.Base.IsRoot() {
		return fault.NotAcceptable(t.Base, "TLV cannot tell objects apart")
	}
	return nil
}

// Entry appends one value, in ascending order of paths.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	if err := e.check(&x); err != nil {
		return err
	}
	p := x.Path
	if err := e.closeFor(p); err != nil {
		return err
	}
	if e.base.Level() == dm.ObjectLevel && !e.instance.is {
		e.instance = open{true, p.Up(dm.InstanceLevel), len(e.buf)}
	}
	none := x.Value.Type() == registry.None
	if p.Level() == dm.InstanceLevel {
		return nil
	}
	if (none || p.Level() == dm.ResourceInstanceLevel) && e.base.Level() < dm.ResourceInstanceLevel && !e.multiple.is {
		e.multiple = open{true, p.Up(dm.ResourceLevel), len(e.buf)}
	}
	if none {
		return nil
	}
	h := Header{Resource, uint16(p.Resource()), ValueLen(x.Value)}
	if p.Level() == dm.ResourceInstanceLevel {
		h.Kind, h.ID = ResourceInstance, uint16(p.ResourceInstance())
	}
	if h.Len > MaxLen {
		return fault.NotAcceptable(p, "a TLV holds at most %d bytes", MaxLen)
	}
	e.buf = AppendValue(AppendHeader(e.buf, h), x.Value)
	return nil
}

func (e *Encoder) check(x *dm.Entry) error {
	if x.Time != 0 {
		return fault.NotAcceptable(x.Path, "TLV cannot tell when a value was measured")
	}
	if e.begun && e.last.Compare(x.Path) >= 0 {
		return fault.Internal(x.Path, "it comes after %v, out of order", e.last)
	}
	e.begun, e.last = true, x.Path
	return nil
}

// closeFor closes what p does not lie in.
func (e *Encoder) closeFor(p dm.Path) error {
	if e.multiple.is && !e.multiple.path.Contains(p) {
		if err := e.close(&e.multiple, Multiple, uint16(e.multiple.path.Resource())); err != nil {
			return err
		}
	}
	if e.instance.is && !e.instance.path.Contains(p) {
		return e.close(&e.instance, ObjectInstance, uint16(e.instance.path.Instance()))
	}
	return nil
}

// close puts the header before what an open TLV was filled with.
func (e *Encoder) close(o *open, k Kind, id uint16) error {
	h := Header{k, id, len(e.buf) - o.start}
	if h.Len > MaxLen {
		return fault.NotAcceptable(o.path, "a TLV holds at most %d bytes", MaxLen)
	}
	n := HeaderLen(h)
	for range n {
		e.buf = append(e.buf, 0)
	}
	copy(e.buf[o.start+n:], e.buf[o.start:])
	AppendHeader(e.buf[:o.start], h)
	o.is = false
	return nil
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) {
	err := e.closeFor(dm.Path{})
	b := e.buf
	*e = Encoder{}
	return b, err
}
