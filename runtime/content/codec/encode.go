package codec

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cbor"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/lwm2mcbor"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/lwm2mjson"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/opaque"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/senml"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/text"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/tlv"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes payloads, one after another: Begin, then Value or Entry for each value, then
// Finish. Reuse an Encoder: after the first payloads it allocates nothing. One goroutine at a time
// may use it. The zero value is ready to use. An Encoder must not be copied.
//
// Its errors are *dm.Error: 4.06 for a value that the format cannot carry, 5.00 for a value that no
// format can carry and for calls in the wrong order. After an error the payload is unusable; Begin
// starts the next one.
type Encoder struct {
	current format // between Begin and Finish

	text      text.Encoder
	opaque    opaque.Encoder
	cbor      cbor.Encoder
	senmlJSON senml.JSONEncoder
	senmlCBOR senml.CBOREncoder
	tlv       tlv.Encoder
	json      lwm2mjson.Encoder
	lwm2mCBOR lwm2mcbor.Encoder
}

// format is the encoder of one format.
type format interface {
	Begin(dst []byte, t content.Target) error
	Entry(e dm.Entry) error
	Finish() ([]byte, error)
}

// Begin starts a payload that is appended to dst. The Encoder owns dst until Finish. A format that
// does not carry values is refused with 4.06.
func (e *Encoder) Begin(f content.Format, dst []byte, t content.Target) error {
	if e.current = e.encoder(f); e.current == nil {
		return fault.NotAcceptable(t.Base, "%v is not a format for values", f)
	}
	return e.current.Begin(dst, t)
}

func (e *Encoder) encoder(f content.Format) format {
	switch f.Canonical() {
	case content.Text:
		return &e.text
	case content.Opaque:
		return &e.opaque
	case content.CBOR:
		return &e.cbor
	case content.SenMLJSON, content.SenMLETCHJSON:
		return &e.senmlJSON
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return &e.senmlCBOR
	case content.TLV:
		return &e.tlv
	case content.LwM2MJSON:
		return &e.json
	case content.LwM2MCBOR:
		return &e.lwm2mCBOR
	}
	return nil
}

// Value appends one value. Its signature is that of dm.Yield, for walks of the data model: take the
// method value once and keep it, because taking it allocates.
func (e *Encoder) Value(p dm.Path, v dm.Value) error {
	return e.Entry(dm.Entry{Path: p, Value: v})
}

// Entry appends one value, which may have a time. The zero dm.Value at an instance, or at a
// resource that has resource instances, says that the node is empty. Entries come in ascending
// order of paths; SenML takes them in any order.
func (e *Encoder) Entry(x dm.Entry) error {
	if e.current == nil {
		return fault.Internal(x.Path, "an entry comes before Begin")
	}
	return e.current.Entry(x)
}

// SetPrefix changes the gateway prefix for the entries that follow, so that one payload carries
// values of several devices. Call it between Begin and Finish. A format whose payloads have no
// names is refused with 4.06.
func (e *Encoder) SetPrefix(prefix string) error {
	p, ok := e.current.(interface{ SetPrefix(prefix string) error })
	if !ok {
		return fault.NotAcceptable(dm.Path{}, "the format cannot carry values of several devices")
	}
	return p.SetPrefix(prefix)
}

// Finish ends the payload and returns dst with the payload appended.
func (e *Encoder) Finish() ([]byte, error) {
	if e.current == nil {
		return nil, fault.Internal(dm.Path{}, "Finish comes before Begin")
	}
	current := e.current
	e.current = nil
	return current.Finish()
}

// Encode appends a payload of entries to dst: it calls Begin, Entry for each of them, and Finish.
func (e *Encoder) Encode(f content.Format, dst []byte, t content.Target, entries []dm.Entry) ([]byte, error) {
	if err := e.Begin(f, dst, t); err != nil {
		return dst, err
	}
	for i := range entries {
		if err := e.Entry(entries[i]); err != nil {
			return dst, err
		}
	}
	return e.Finish()
}

// AppendPaths appends the payload of a Read-Composite or an Observe-Composite: paths without
// values. Names in SenML have the Root and the Prefix of the target. A format that does not carry
// paths is refused with 4.15.
func AppendPaths(f content.Format, dst []byte, t content.Target, paths []dm.Path) ([]byte, error) {
	switch f {
	case content.SenMLJSON, content.SenMLETCHJSON:
		return senml.AppendJSONPaths(dst, t, paths)
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return senml.AppendCBORPaths(dst, t, paths)
	case content.LwM2MCBOR:
		return lwm2mcbor.AppendPaths(dst, paths)
	}
	return dst, fault.Unsupported(dm.Path{}, "%v is not a format for paths", f)
}
