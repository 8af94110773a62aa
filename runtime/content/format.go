package content

import "strconv"

// Format is the number of a data format, a CoAP Content-Format (RFC 7252 §12.3; Core 1.2.2 §7.4,
// Transport 1.2.2 §6.4.7). The zero value means Text.
type Format uint16

// The formats of LwM2M 1.0 to 1.2.
const (
	Text          Format = 0     // text/plain: one value
	Link          Format = 40    // application/link-format: registrations and Discover
	Opaque        Format = 42    // application/octet-stream: one Opaque
	CBOR          Format = 60    // application/cbor: one value
	SenMLJSON     Format = 110   // application/senml+json
	SenMLCBOR     Format = 112   // application/senml+cbor
	SenMLETCHJSON Format = 320   // application/senml-etch+json: payloads of FETCH and iPATCH
	SenMLETCHCBOR Format = 322   // application/senml-etch+cbor: payloads of FETCH and iPATCH
	TLV           Format = 11542 // application/vnd.oma.lwm2m+tlv
	LwM2MJSON     Format = 11543 // application/vnd.oma.lwm2m+json
	LwM2MCBOR     Format = 11544 // application/vnd.oma.lwm2m+cbor
)

// Numbers that early servers used before the formats were registered. A response carries the number
// that the request asked for.
const (
	LegacyTLV99 Format = 99
	LegacyTLV   Format = 1542
	LegacyJSON  Format = 1543
)

// None means that a message has no Content-Format. It is the reserved number 65535.
const None Format = 65535

// Canonical returns the registered number of a legacy one, and f itself otherwise.
func (f Format) Canonical() Format {
	switch f {
	case LegacyTLV99, LegacyTLV:
		return TLV
	case LegacyJSON:
		return LwM2MJSON
	}
	return f
}

// String returns the short name of the format, such as "SenML CBOR". A legacy or unknown format
// also shows its number.
func (f Format) String() string {
	name := f.Canonical().name()
	switch {
	case name == "":
		return "Content-Format " + strconv.Itoa(int(f))
	case f != f.Canonical():
		return name + " (" + strconv.Itoa(int(f)) + ")"
	}
	return name
}

// name returns the short name of a format, or "" for a number that LwM2M does not use.
func (f Format) name() string {
	switch f {
	case Text:
		return "plain text"
	case Link:
		return "link format"
	case Opaque:
		return "octet stream"
	case CBOR:
		return "CBOR"
	case SenMLJSON:
		return "SenML JSON"
	case SenMLCBOR:
		return "SenML CBOR"
	case SenMLETCHJSON:
		return "SenML-ETCH JSON"
	case SenMLETCHCBOR:
		return "SenML-ETCH CBOR"
	case TLV:
		return "TLV"
	case LwM2MJSON:
		return "LwM2M JSON"
	case LwM2MCBOR:
		return "LwM2M CBOR"
	}
	return ""
}
