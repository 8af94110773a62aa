// Package single holds what the formats of one value share: text, octet stream and CBOR.
package single

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder holds the state of a payload that is one value: the value of the resource or resource
// instance that the request names.
type Encoder struct {
	Buf   []byte
	base  dm.Path
	begun bool
}

// Begin starts a payload.
func (e *Encoder) Begin(dst []byte, t content.Target) error {
	*e = Encoder{Buf: dst, base: t.Base}
	if t.Base.Level() < dm.ResourceLevel {
		return fault.NotAcceptable(t.Base, "the format carries one value, and this node is not a resource")
	}
	return nil
}

// Check returns an error unless the entry is the one value of the payload.
func (e *Encoder) Check(x *dm.Entry) error {
	if err := fault.Entry(e.base, x); err != nil {
		return err
	}
	switch {
	case x.Path != e.base, x.Value.Type() == registry.None:
		return fault.NotAcceptable(e.base, "the format carries one value, and the resource has resource instances")
	case x.Time != 0:
		return fault.NotAcceptable(x.Path, "the format cannot carry the time of a value")
	case e.begun:
		return fault.Internal(x.Path, "the value is encoded twice")
	}
	e.begun = true
	return nil
}

// Finish ends the payload. It returns an error without a value, which is also the case for a
// resource that has no resource instances at the moment.
func (e *Encoder) Finish() ([]byte, error) {
	b := e.Buf
	begun, base := e.begun, e.base
	*e = Encoder{}
	if !begun {
		return b, fault.NotAcceptable(base, "the format carries one value, and there is none")
	}
	return b, nil
}

// CheckRequest returns an error unless the request names a resource or a resource instance.
func CheckRequest(r *content.Request) error {
	if r.Base.Level() >= dm.ResourceLevel {
		return nil
	}
	return fault.Unsupported(r.Base, "the format carries one value, and this node is not a resource")
}
