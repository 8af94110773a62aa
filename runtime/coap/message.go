package coap

import "errors"

// A Type is the type of a message over UDP (RFC 7252 §3). Messages over TCP
// have none.
type Type uint8

// The types of messages.
const (
	Confirmable     Type = 0
	NonConfirmable  Type = 1
	Acknowledgement Type = 2
	Reset           Type = 3
)

// String is the type's usual abbreviation.
func (t Type) String() string { return [4]string{"CON", "NON", "ACK", "RST"}[t&3] }

// A Message is one CoAP message. Parsing fills it without copying: Token,
// Options and Payload alias the parsed bytes. Appending changes nothing in it.
type Message struct {
	Type      Type   // UDP only
	Code      Code   // zero: an Empty message
	MessageID uint16 // UDP only
	// Token has up to 8 bytes, or up to 65 804 between peers that support extended tokens
	// (RFC 8974).
	Token   []byte
	Options Options
	// Payload is nil when there is none: the wire format has no empty payload.
	Payload []byte
}

// MaxToken is the longest token the wire format can carry, in bytes
// (RFC 8974 §2.1).
const MaxToken = 65535 + 269

// ErrFormat is matched, with errors.Is, by every error about the format of a message.
var ErrFormat = errors.New("coap: message format error")

// ErrVersion is the error for a datagram whose version number is not 1. Ignore such datagrams
// (RFC 7252 §3).
var ErrVersion = errors.New("coap: the protocol version is not 1")

// ErrIncomplete is the error for a message over TCP that has not completely arrived.
var ErrIncomplete = errors.New("coap: the message is not complete yet")

// ErrEncode is the error for a message that cannot be encoded: a token, an option's value or a
// block number is too large, or an Empty message has content.
var ErrEncode = errors.New("coap: a part of the message does not fit the wire format")

type formatError string

func (e formatError) Error() string { return "coap: message format error: " + string(e) }

func (e formatError) Is(target error) bool { return target == ErrFormat }

const (
	errHeaderShort   formatError = "less than the four bytes of a header (RFC 7252 §3)"
	errTokenLength   formatError = "reserved token length (RFC 7252 §3, RFC 8974 §2.1)"
	errTokenShort    formatError = "the token ends beyond the message"
	errEmptyContent  formatError = "an Empty message with a token, options or a payload (RFC 7252 §4.1)"
	errReservedClass formatError = "a code of a reserved class (RFC 7252 §4.2)"
	errOptionShort   formatError = "an option ends beyond the message"
	errOptionNibble  formatError = "reserved option delta or length 15 (RFC 7252 §3.1)"
	errOptionNumber  formatError = "an option number above 65535"
	errNoPayload     formatError = "a payload marker without a payload (RFC 7252 §3)"
)

const payloadMarker = 0xff

// parseBody parses b, which is the options and the payload.
func (m *Message) parseBody(b []byte) error {
	pos, id := 0, 0
	maybe := uint64(0)
	for pos < len(b) {
		c := b[pos]
		if c == payloadMarker {
			if pos+1 == len(b) {
				return errNoPayload
			}
			m.Options = Options{raw: b[:pos:pos], last: OptionID(id), maybe: maybe}
			m.Payload = b[pos+1:]
			return nil
		}
		if d, n := int(c>>4), int(c&15); d < 13 && n < 13 {
			id += d
			pos += 1 + n
		} else {
			delta, _, size, err := parseOption(b[pos:])
			if err != nil {
				return err
			}
			id += delta
			pos += size
		}
		if id > 65535 {
			return errOptionNumber
		}
		maybe |= OptionID(id).bit()
	}
	if pos > len(b) {
		return errOptionShort
	}
	m.Options = Options{raw: b[:pos:pos], last: OptionID(id), maybe: maybe}
	m.Payload = nil
	return nil
}

// parseToken parses a token whose length field is tkl. size is how many bytes of b it has,
// including its extended length.
func parseToken(b []byte, tkl int) (token []byte, size int, err error) {
	if tkl == 15 {
		return nil, 0, errTokenLength
	}
	if tkl, size, err = parseExtended(b, tkl, 0); err != nil {
		return nil, 0, errTokenShort
	}
	if len(b)-size < tkl {
		return nil, 0, errTokenShort
	}
	end := size + tkl
	return b[size:end:end], end, nil
}

// checkEncodable checks what the types of the fields do not rule out.
func (m *Message) checkEncodable() error {
	n := len(m.Token)
	switch {
	case n > MaxToken, m.Options.tooLong:
		return ErrEncode
	case m.Code == Empty && (n > 0 || len(m.Options.raw) > 0 || len(m.Payload) > 0):
		return ErrEncode
	}
	return nil
}

func (m *Message) appendToken(dst []byte) []byte {
	return append(appendExtended(dst, len(m.Token)), m.Token...)
}

func (m *Message) appendBody(dst []byte) []byte {
	dst = append(dst, m.Options.raw...)
	if len(m.Payload) > 0 {
		dst = append(dst, payloadMarker)
		dst = append(dst, m.Payload...)
	}
	return dst
}

// bodyLen is the encoded size of options and payload.
func (m *Message) bodyLen() int {
	n := len(m.Options.raw)
	if len(m.Payload) > 0 {
		n += 1 + len(m.Payload)
	}
	return n
}
