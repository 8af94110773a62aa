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

// Decoder reads payloads, one after another. Reuse a Decoder: it keeps its buffers. One goroutine
// at a time may use it. The zero value is ready to use. A Decoder must not be copied.
type Decoder struct {
	text      text.Decoder
	opaque    opaque.Decoder
	cbor      cbor.Decoder
	senmlJSON senml.JSONDecoder
	senmlCBOR senml.CBORDecoder
	tlv       tlv.Decoder
	json      lwm2mjson.Decoder
	lwm2mCBOR lwm2mcbor.Decoder
}

// Decode calls yield for each entry, in the order of the payload. When Decode fails, discard the
// entries that yield has seen. The error is what yield returned, or a *dm.Error: 4.15 for a format
// that does not carry values, 4.00 for a payload that is not valid. A 4.00 names the path, or the
// base where the payload is broken before a path is known.
//
// Opaque values share the payload's bytes. The same path comes twice only with different times.
func (d *Decoder) Decode(f content.Format, payload []byte, r content.Request, yield func(dm.Entry) error) error {
	switch f.Canonical() {
	case content.Text:
		return d.text.Decode(payload, r, yield)
	case content.Opaque:
		return d.opaque.Decode(payload, r, yield)
	case content.CBOR:
		return d.cbor.Decode(payload, r, yield)
	case content.SenMLJSON, content.SenMLETCHJSON:
		return d.senmlJSON.Decode(payload, r, yield)
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return d.senmlCBOR.Decode(payload, r, yield)
	case content.TLV:
		return d.tlv.Decode(payload, r, yield)
	case content.LwM2MJSON:
		return d.json.Decode(payload, r, yield)
	case content.LwM2MCBOR:
		return d.lwm2mCBOR.Decode(payload, r, yield)
	}
	return fault.Unsupported(r.Base, "%v is not a format for values", f)
}

// DecodePaths calls yield for each path of a Read-Composite or an Observe-Composite, in the order
// of the payload, repetitions included. Its errors are those of Decode.
func (d *Decoder) DecodePaths(f content.Format, payload []byte, r content.Request, yield func(dm.Path) error) error {
	switch f {
	case content.SenMLJSON, content.SenMLETCHJSON:
		return d.senmlJSON.DecodePaths(payload, r, yield)
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return d.senmlCBOR.DecodePaths(payload, r, yield)
	case content.LwM2MCBOR:
		return d.lwm2mCBOR.DecodePaths(payload, r, yield)
	}
	return fault.Unsupported(r.Base, "%v is not a format for paths", f)
}
