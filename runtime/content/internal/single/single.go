// Package single is what the formats of one value have in common.
package single

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder holds the state of a payload that is one value: that of the resource, or of the resource
// instance, that the request names.
type Encoder struct {
	Buf   []byte
	base  dm.Path
	begun bool
}

// Begin starts a payload.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{Buf: dst, base: t.Base}
	if t.Base.Level() < dm.ResourceLevel {
		return fault.NotAcceptable(t.Base, "the format carries one value, and this node is no resource")
	}
	return nil
}

// Check reports what is no single value.
func (e *Encoder) Check(x *dm.Entry) error {
	if err := fault.Entry(e.base, x); err != nil {
		return err
	}
	switch {
	case x.Path != e.base, x.Value.Type() == registry.None:
		return fault.NotAcceptable(e.base, "the format carries one value, and the resource has resource instances")
	case x.Time != 0:
		return fault.NotAcceptable(x.Path, "the format cannot tell when a value was measured")
	case e.begun:
		return fault.Internal(x.Path, "it is encoded twice")
	}
	e.begun = true
	return nil
}

// Finish ends the payload. A resource with resource instances that has none at the moment is no value
// either.
func (e *Encoder) Finish() ([]byte, error) {
	b := e.Buf
	begun, base := e.begun, e.base
	*e = Encoder{}
	if !begun {
		return b, fault.NotAcceptable(base, "the format carries one value, and there is none")
	}
	return b, nil
}

// Named reports a request whose path names no resource and no resource instance.
func Named(r *content.Request) error {
	if r.Base.Level() >= dm.ResourceLevel {
		return nil
	}
	return fault.Unsupported(r.Base, "the format carries one value, and this node is no resource")
}
