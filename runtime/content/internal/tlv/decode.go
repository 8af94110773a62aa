package tlv

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Decoder reads TLV payloads. See codec.Decoder.
//
// A payload may leave out the TLV of the instance where the request names the instance, in a
// Create, and for an object that has a single instance. It may leave out the TLV of the resource
// where the request names a resource instance. It may also contain these TLVs, with the IDs of the
// request.
type Decoder struct {
	sink sink.Sink
	in   []byte // the whole payload, for offsets in errors
}

// Decode yields the entries of a payload.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	d.sink.Begin(r, yield)
	d.in = payload
	err := d.list(payload, r.Base, payloadLevel)
	d.in = nil
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

// payloadLevel is the kind of the holder of the outermost TLVs: the payload itself.
const payloadLevel Kind = 4

// list reads the TLVs in a holder, which follow one another.
func (d *Decoder) list(b []byte, p dm.Path, holder Kind) error {
	for len(b) > 0 {
		h, n, err := ParseHeader(b)
		if err != nil {
			return d.sink.Broken(len(d.in)-len(b), err)
		}
		if err := d.item(h, b[n:n+h.Len], p, holder); err != nil {
			return err
		}
		b = b[n+h.Len:]
	}
	return nil
}

// item reads a TLV. p is the path of its holder, or of the request for an outermost TLV.
func (d *Decoder) item(h Header, value []byte, p dm.Path, holder Kind) error {
	at, err := d.place(h, p, holder)
	if err != nil {
		return err
	}
	leaf := h.Kind == Resource || h.Kind == ResourceInstance
	within := d.sink.Contains(at)
	if !within && (leaf || !at.Contains(d.sink.Req.Base)) {
		return d.sink.Within(at)
	}
	switch {
	case leaf:
		v, err := ParseValue(value, d.sink.Type(at))
		if err != nil {
			return fault.BadRequest(at, "%w", err)
		}
		return d.sink.Value(at, v, 0)
	case len(value) > 0:
		return d.list(value, at, h.Kind)
	case within:
		return d.sink.Value(at, dm.Value{}, 0)
	}
	return nil
}

// place returns the path of the node that a TLV holds.
func (d *Decoder) place(h Header, p dm.Path, holder Kind) (dm.Path, error) {
	above := dm.InstanceLevel
	switch h.Kind {
	case ObjectInstance:
		above = dm.ObjectLevel
	case ResourceInstance:
		above = dm.ResourceLevel
	}
	if holder != payloadLevel && p.Level() != above {
		return p, fault.BadRequest(p, "%v is inside %v", h.Kind, holder)
	}
	if p.Level() < above {
		id, ok := d.unnamed(p)
		if !ok || above != dm.InstanceLevel {
			return p, fault.BadRequest(p, "%v is in the payload without the instance or resource it belongs to", h.Kind)
		}
		p = dm.InstancePath(p.Object(), id)
	}
	at, ok := p.Up(above).Child(h.ID)
	if !ok {
		return p, fault.BadRequest(p, "the ID 65535 is reserved")
	}
	return at, nil
}

// unnamed returns the ID of the instance whose resources follow without a TLV for the instance.
func (d *Decoder) unnamed(p dm.Path) (dm.InstanceID, bool) {
	switch {
	case p.Level() != dm.ObjectLevel:
		return 0, false
	case d.sink.Req.Create:
		return d.sink.Req.NewInstance, true
	}
	o := d.sink.Object(p.Object())
	return 0, o != nil && !o.Multiple
}

// String returns the kind as error texts name it.
func (k Kind) String() string {
	switch k {
	case ObjectInstance:
		return "an object instance"
	case ResourceInstance:
		return "a resource instance"
	case Multiple:
		return "a resource with resource instances"
	}
	return "a resource"
}
