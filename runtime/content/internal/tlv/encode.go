package tlv

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes TLV payloads. See codec.Encoder. The payload of an object has a TLV for each
// instance. The payload of an instance has a TLV for each resource. The payload of a resource or of
// a resource instance has one TLV (Core 1.0.2 §6.4.3.2).
type Encoder struct {
	buf      []byte
	base     dm.Path
	last     dm.Path
	begun    bool
	instance open
	multiple open
}

// open is a TLV that is still being filled. Its header is inserted when its length is known.
type open struct {
	isOpen bool
	path   dm.Path // the path of the first entry in it
	start  int     // the offset of its value
}

// Begin starts a payload. TLV has no object IDs, so the root is refused.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{buf: dst, base: t.Base}
	if t.Base.IsRoot() {
		return fault.NotAcceptable(t.Base, "TLV cannot carry more than one object")
	}
	return nil
}

// Entry appends one value, in ascending order of paths.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := fault.Entry(e.base, &x); err != nil {
		return err
	}
	switch {
	case x.Time != 0:
		return fault.NotAcceptable(x.Path, "TLV cannot carry the time of a value")
	case e.begun && e.last.Compare(x.Path) >= 0:
		return fault.Internal(x.Path, "the entry is out of order")
	}
	e.begun, e.last = true, x.Path
	if err := e.enter(&x); err != nil || x.Value.Type() == registry.None {
		return err
	}
	h := Header{Resource, uint16(x.Path.Resource()), ValueLen(x.Value)}
	if x.Path.Level() == dm.ResourceInstanceLevel {
		h.Kind, h.ID = ResourceInstance, uint16(x.Path.ResourceInstance())
	}
	if h.Len > MaxLen {
		return tooLong(x.Path)
	}
	e.buf = AppendValue(AppendHeader(e.buf, h), x.Value)
	return nil
}

func tooLong(p dm.Path) error {
	return fault.NotAcceptable(p, "a TLV holds at most %d bytes", MaxLen)
}

// enter closes the TLVs that do not contain an entry, and opens those that do.
func (e *Encoder) enter(x *dm.Entry) error {
	if e.multiple.isOpen && !e.multiple.path.Shares(x.Path, dm.ResourceLevel) {
		if err := e.close(&e.multiple, Multiple, dm.ResourceLevel); err != nil {
			return err
		}
	}
	if e.instance.isOpen && !e.instance.path.Shares(x.Path, dm.InstanceLevel) {
		if err := e.close(&e.instance, ObjectInstance, dm.InstanceLevel); err != nil {
			return err
		}
	}
	if e.base.Level() == dm.ObjectLevel && !e.instance.isOpen {
		e.instance = open{true, x.Path, len(e.buf)}
	}
	holder := x.Path.Level() == dm.ResourceInstanceLevel ||
		x.Path.Level() == dm.ResourceLevel && x.Value.Type() == registry.None
	if holder && !e.multiple.isOpen && e.base.Level() < dm.ResourceInstanceLevel {
		e.multiple = open{true, x.Path, len(e.buf)}
	}
	return nil
}

// close inserts the header of an open TLV before its value.
func (e *Encoder) close(o *open, k Kind, level dm.Level) error {
	h := Header{k, o.path.ID(level), len(e.buf) - o.start}
	if h.Len > MaxLen {
		return tooLong(o.path.Up(level))
	}
	n := HeaderLen(h)
	for range n {
		e.buf = append(e.buf, 0)
	}
	copy(e.buf[o.start+n:], e.buf[o.start:])
	AppendHeader(e.buf[:o.start], h)
	o.isOpen = false
	return nil
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) {
	var err error
	if e.multiple.isOpen {
		err = e.close(&e.multiple, Multiple, dm.ResourceLevel)
	}
	if e.instance.isOpen && err == nil {
		err = e.close(&e.instance, ObjectInstance, dm.InstanceLevel)
	}
	b := e.buf
	*e = Encoder{}
	return b, err
}
