// Package codec holds all data formats of LwM2M behind one Encoder and one Decoder, which choose by
// Content-Format.
package codec

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/cbor"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/lwm2mcbor"
	"github.com/lwm2mgen/toolkit/runtime/content/lwm2mjson"
	"github.com/lwm2mgen/toolkit/runtime/content/opaque"
	"github.com/lwm2mgen/toolkit/runtime/content/senml"
	"github.com/lwm2mgen/toolkit/runtime/content/text"
	"github.com/lwm2mgen/toolkit/runtime/content/tlv"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes payloads of any format, one after another: Begin, Value or Entry for each value,
// Finish. It is reused rather than made anew; in steady state it allocates nothing. One goroutine at a
// time uses it. The zero value is ready; it must not be copied.
type Encoder struct {
	now content.Encoder // one of those below, between Begin and Finish

	text      text.Encoder
	opaque    opaque.Encoder
	cbor      cbor.Encoder
	senmlJSON senml.JSONEncoder
	senmlCBOR senml.CBOREncoder
	tlv       tlv.Encoder
	json      lwm2mjson.Encoder
	lwm2mCBOR lwm2mcbor.Encoder
}

// Begin starts a payload behind the bytes of dst. A format that has no encoder is 4.06. See
// content.Encoder.
func (e *Encoder) Begin(f content.Format, dst []byte, t content.Target) error {
	if e.now = e.encoder(f); e.now == nil {
		return fault.NotAcceptable(t.Base, "%v is no format for values", f)
	}
	return e.now.Begin(dst, t)
}

func (e *Encoder) encoder(f content.Format) content.Encoder {
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

// Value appends one value. It is a dm.Yield, for walks of the data model: take the method value once
// and keep it, because taking it allocates.
func (e *Encoder) Value(p dm.Path, v dm.Value) error {
	return e.Entry(dm.Entry{Path: p, Value: v})
}

// Entry appends one value that may have a time. See content.Encoder.
func (e *Encoder) Entry(x dm.Entry) error {
	if e.now == nil {
		return fault.Internal(x.Path, "no payload has begun")
	}
	return e.now.Entry(x)
}

// SetPrefix changes the gateway prefix for the entries that follow, so that one answer carries values
// of several devices. It comes between Begin and Finish. A format without names in its payload is
// 4.06.
func (e *Encoder) SetPrefix(prefix string) error {
	p, ok := e.now.(interface{ SetPrefix(prefix string) error })
	if !ok {
		return fault.NotAcceptable(dm.Path{}, "the format cannot carry values of several devices")
	}
	return p.SetPrefix(prefix)
}

// Finish ends the payload and returns dst with it.
func (e *Encoder) Finish() ([]byte, error) {
	if e.now == nil {
		return nil, fault.Internal(dm.Path{}, "no payload has begun")
	}
	now := e.now
	e.now = nil
	return now.Finish()
}

// Encode appends a payload of entries to dst, as Begin, Entry for each and Finish do.
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

// AppendPaths appends the payload of a Read-Composite or an Observe-Composite. A format that carries
// no paths is 4.15.
func AppendPaths(f content.Format, dst []byte, paths []dm.Path, prefix string) ([]byte, error) {
	switch f {
	case content.SenMLJSON, content.SenMLETCHJSON:
		return senml.AppendJSONPaths(dst, paths, prefix), nil
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return senml.AppendCBORPaths(dst, paths, prefix), nil
	case content.LwM2MCBOR:
		return lwm2mcbor.AppendPaths(dst, paths)
	}
	return dst, fault.Unsupported(dm.Path{}, "%v is no format for paths", f)
}
