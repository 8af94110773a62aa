// Package opaque implements the format application/octet-stream: the bytes of one Opaque (Core
// 1.2.2 §7.4.2).
package opaque

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/single"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes octet streams. See codec.Encoder.
type Encoder struct{ single single.Encoder }

// Begin starts a payload. The target is a resource or a resource instance.
func (e *Encoder) Begin(dst []byte, t content.Target) error { return e.single.Begin(dst, t) }

// Entry appends the value, an Opaque.
func (e *Encoder) Entry(x dm.Entry) error {
	if err := e.single.Check(&x); err != nil {
		return err
	}
	if x.Value.Type() != registry.Opaque {
		return fault.NotAcceptable(x.Path, "an octet stream carries an Opaque, not the type %v", x.Value.Type())
	}
	e.single.Buf = append(e.single.Buf, x.Value.Opaque()...)
	return nil
}

// Finish ends the payload.
func (e *Encoder) Finish() ([]byte, error) { return e.single.Finish() }

// Decoder reads octet streams. See codec.Decoder. The value shares the payload's bytes.
type Decoder struct{ sink sink.Sink }

// Decode yields the one value.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	if err := single.CheckRequest(&r); err != nil {
		return err
	}
	d.sink.Begin(r, yield)
	err := d.decode(payload)
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

func (d *Decoder) decode(payload []byte) error {
	p := d.sink.Req.Base
	if t := d.sink.Type(p); t != registry.Opaque && t != registry.None {
		return fault.BadRequest(p, "the payload has bytes where the type is %v", t)
	}
	return d.sink.Value(p, dm.OpaqueValue(payload), 0)
}
