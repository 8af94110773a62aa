// Package cbor implements the format application/cbor: one value as one CBOR item (Core 1.2.2
// §7.4.3). A Time goes out as a number with tag 1.
package cbor

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/single"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// epochTime is the tag of a number of seconds since 1970 (RFC 8949 §3.4.2).
const epochTime = 1

// Encoder writes CBOR. See codec.Encoder.
type Encoder struct{ single single.Encoder }

// Begin starts a payload. The target is a resource or a resource instance.
func (e *Encoder) Begin(dst []byte, t content.Target) error { return e.single.Begin(dst, t) }

// Entry appends the value.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := e.single.Check(&x); err != nil {
		return err
	}
	if x.Value.Type() == registry.Time {
		// Core 1.1.1 has date/time strings here, Core 1.2 numbers or date/time strings, and both
		// cite RFC 7049 §2.4.1, the section about tags 0 and 1. Leshan refuses a number without
		// tag.
		e.single.Buf = cborwire.AppendHead(e.single.Buf, cborwire.Tag, epochTime)
	}
	e.single.Buf = cborwire.AppendValue(e.single.Buf, &x.Value)
	return nil
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) { return e.single.Finish() }

// Decoder reads CBOR. See codec.Decoder.
type Decoder struct {
	sink sink.Sink
	in   cborwire.Reader
}

// Decode yields the one value.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	if err := single.CheckRequest(&r); err != nil {
		return err
	}
	d.sink.Begin(r, yield)
	d.in = cborwire.Reader{B: payload}
	err := d.decode()
	d.in.B = nil
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

func (d *Decoder) decode() error {
	d.in.Start()
	v, err := d.in.Scalar()
	if err == nil {
		err = d.in.End()
	}
	if err != nil {
		return d.sink.Broken(d.in.Pos, err)
	}
	return d.sink.Scalar(d.sink.Req.Base, &v, 0)
}
