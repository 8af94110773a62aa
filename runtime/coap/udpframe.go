package coap

import "encoding/binary"

const udpHeader = 4

// ParseUDP parses one datagram (RFC 7252 §3). On success all of m is replaced and aliases b. A
// datagram with [ErrVersion] must be ignored. Any other error matches [ErrFormat]; then, if b has
// at least four bytes, Type, Code and MessageID of m are valid, so that the message can be
// rejected.
//
// ParseUDP also checks that an Empty message has no content (§4.1) and that the code's class is not
// reserved (§4.2). Check options by [Options.Unrecognized].
func (m *Message) ParseUDP(b []byte) error {
	if len(b) < udpHeader {
		*m = Message{}
		return errHeaderShort
	}
	if b[0]>>6 != 1 {
		*m = Message{}
		return ErrVersion
	}
	m.Type = Type(b[0] >> 4 & 3)
	m.Code = Code(b[1])
	m.MessageID = binary.BigEndian.Uint16(b[2:])
	m.Token, m.Payload, m.Options = nil, nil, Options{}
	if m.Code == Empty {
		if b[0]&15 != 0 || len(b) > udpHeader {
			return errEmptyContent
		}
		return nil
	}
	if m.Code.isReserved() {
		return errReservedClass
	}
	token, n, err := parseToken(b[udpHeader:], int(b[0]&15))
	if err != nil {
		return err
	}
	m.Token = token
	return m.parseBody(b[udpHeader+n:])
}

// AppendUDP appends the message as a datagram. The only error is [ErrEncode], with which dst is
// returned unchanged.
func (m *Message) AppendUDP(dst []byte) ([]byte, error) {
	if err := m.checkEncodable(); err != nil {
		return dst, err
	}
	dst = append(dst, 1<<6|byte(m.Type&3)<<4|extendedNibble(len(m.Token)), byte(m.Code),
		byte(m.MessageID>>8), byte(m.MessageID))
	return m.appendBody(m.appendToken(dst)), nil
}
