package coap

import "encoding/binary"

// FrameTCP is the size in bytes of the message that b begins with (RFC 8323 §3.2). It needs only
// the first bytes of the message; while they are missing the error is [ErrIncomplete]. Other errors
// match [ErrFormat]. Only the format bounds the size, at more than 4 GB: compare it with the
// announced maximum before you wait for that much.
func FrameTCP(b []byte) (size int64, err error) {
	body, head, err := tcpHead(b)
	if err != nil {
		return 0, err
	}
	tkl := int(b[0] & 15)
	if tkl == 15 {
		return 0, errTokenLength
	}
	tkl, n, err := parseExtended(b[head:], tkl, 0)
	if err != nil {
		return 0, ErrIncomplete
	}
	return int64(head) + int64(n) + int64(tkl) + body, nil
}

// tcpHead parses the length and skips the code: head is where the token begins.
func tcpHead(b []byte) (body int64, head int, err error) {
	if len(b) == 0 {
		return 0, 0, ErrIncomplete
	}
	nibble := b[0] >> 4
	head = 2
	if nibble > 12 {
		head += 1 << (nibble - 13)
	}
	if len(b) < head {
		return 0, 0, ErrIncomplete
	}
	switch nibble {
	case 13:
		return int64(b[1]) + 13, head, nil
	case 14:
		return int64(binary.BigEndian.Uint16(b[1:])) + 269, head, nil
	case 15:
		return int64(binary.BigEndian.Uint32(b[1:])) + 65805, head, nil
	}
	return int64(nibble), head, nil
}

// ParseTCP parses the message that b begins with and returns its size in bytes (RFC 8323 §3.2). On
// success all of m is replaced and aliases b. The error is [ErrIncomplete] when b ends too early,
// or matches [ErrFormat], after which nothing further can be read from the connection.
func (m *Message) ParseTCP(b []byte) (n int, err error) {
	size, err := FrameTCP(b)
	if err != nil {
		return 0, err
	}
	if size > int64(len(b)) {
		return 0, ErrIncomplete
	}
	_, head, _ := tcpHead(b)
	*m = Message{Code: Code(b[head-1])}
	token, t, err := parseToken(b[head:size], int(b[0]&15))
	if err != nil {
		return 0, err
	}
	m.Token = token
	if m.Code == Empty && size > int64(head) {
		return 0, errEmptyContent
	}
	if c := m.Code.Class(); c == 1 || c == 6 {
		return 0, errReservedClass
	}
	if err := m.parseBody(b[head+t : size : size]); err != nil {
		return 0, err
	}
	return int(size), nil
}

// AppendTCP appends the message in its format over TCP. The only error is [ErrEncode], with which
// dst is returned unchanged.
func (m *Message) AppendTCP(dst []byte) ([]byte, error) {
	if err := m.checkEncodable(); err != nil {
		return dst, err
	}
	tkl := extendedNibble(len(m.Token))
	switch n := m.bodyLen(); {
	case n < 13:
		dst = append(dst, byte(n)<<4|tkl)
	case n < 269:
		dst = append(dst, 13<<4|tkl, byte(n-13))
	case n < 65805:
		dst = binary.BigEndian.AppendUint16(append(dst, 14<<4|tkl), uint16(n-269))
	default:
		if uint64(n)-65805 > 1<<32-1 {
			return dst, ErrEncode
		}
		dst = binary.BigEndian.AppendUint32(append(dst, 15<<4|tkl), uint32(n-65805))
	}
	dst = append(dst, byte(m.Code))
	return m.appendBody(m.appendToken(dst)), nil
}
