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

// Decoder reads payloads of any format. It is reused rather than made anew; one goroutine at a time
// uses it. The zero value is ready; it must not be copied.
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

// Decode yields the entries of a payload in a format. A format that has no decoder is 4.15. See
// content.Decoder.
func (d *Decoder) Decode(f content.Format, payload []byte, r content.Request, yield func(dm.Entry) error) error {
	dec := d.decoder(f)
	if dec == nil {
		return fault.Unsupported(r.Base, "%v is no format for values", f)
	}
	return dec.Decode(payload, r, yield)
}

func (d *Decoder) decoder(f content.Format) content.Decoder {
	switch f.Canonical() {
	case content.Text:
		return &d.text
	case content.Opaque:
		return &d.opaque
	case content.CBOR:
		return &d.cbor
	case content.SenMLJSON, content.SenMLETCHJSON:
		return &d.senmlJSON
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return &d.senmlCBOR
	case content.TLV:
		return &d.tlv
	case content.LwM2MJSON:
		return &d.json
	case content.LwM2MCBOR:
		return &d.lwm2mCBOR
	}
	return nil
}

// DecodePaths yields the paths of a Read-Composite or an Observe-Composite. A format that carries no
// paths is 4.15. See content.PathDecoder.
func (d *Decoder) DecodePaths(f content.Format, payload []byte, r content.Request, yield func(dm.Path) error) error {
	switch f {
	case content.SenMLJSON, content.SenMLETCHJSON:
		return d.senmlJSON.DecodePaths(payload, r, yield)
	case content.SenMLCBOR, content.SenMLETCHCBOR:
		return d.senmlCBOR.DecodePaths(payload, r, yield)
	case content.LwM2MCBOR:
		return d.lwm2mCBOR.DecodePaths(payload, r, yield)
	}
	return fault.Unsupported(r.Base, "%v is no format for paths", f)
}
