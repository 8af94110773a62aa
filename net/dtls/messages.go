package dtls

import "encoding/binary"

// Handshake message types (RFC 5246 §7.4, RFC 6347 §4.3.2, RFC 5077 §3.3, RFC 6066 §8).
const (
	msgClientHello        = 1
	msgServerHello        = 2
	msgHelloVerify        = 3
	msgSessionTicket      = 4
	msgCertificate        = 11
	msgServerKey          = 12
	msgCertificateRequest = 13
	msgHelloDone          = 14
	msgCertificateVerify  = 15
	msgClientKey          = 16
	msgCertificateStatus  = 22
)

const (
	messageHead = 12 // of a handshake message (RFC 6347 §4.2.2)
	emptyList   = 3  // length of an empty Certificate message
)

// wellFormed reports whether a plaintext record is one that a peer may send. Others would make pion
// fail.
func (g *guard) wellFormed(h *header, record []byte) bool {
	body := record[h.body:]
	switch h.typ {
	case typeHandshake:
		return g.wellFormedMessages(body)
	case typeChangeCipherSpec:
		return len(body) == 1 && body[0] == 1
	case typeAlert:
		return len(body) == 2 && (body[0] == 1 || body[0] == 2)
	}
	return false
}

// renumber gives a plaintext record of a server the next sequence number. pion believes the one in
// the record, so that a forged high one would make it drop all that the server sends. The caller
// holds g.mu.
func (g *guard) renumber(record []byte) {
	if !g.client {
		return
	}
	binary.BigEndian.PutUint64(record[3:], g.passed) // epoch 0
	g.passed++
}

// wellFormedMessages reports whether b is one or more handshake messages, or fragments of them, of
// kinds that the peer may send. HelloRequest is none of them: during a handshake it is ignored (RFC
// 5246 §7.4.1.1).
func (g *guard) wellFormedMessages(b []byte) bool {
	for first := true; first || len(b) > 0; first = false {
		if len(b) < messageHead {
			return false
		}
		length, offset, part := uint24(b[1:]), uint24(b[6:]), uint24(b[9:])
		if first && g.isTooEarly(b) || !g.isExpected(b[0]) || offset+part > length || part > len(b)-messageHead {
			return false
		}
		b = b[messageHead+part:]
	}
	return true
}

// isTooEarly reports whether a message of a server comes before the one that has the number 0. It
// is of an earlier handshake from this address, and would be taken for one of this handshake.
func (g *guard) isTooEarly(message []byte) bool {
	return g.client && !g.seen.helloVerify && !g.seen.serverHello && binary.BigEndian.Uint16(message[4:]) > 0
}

// isExpected reports whether the peer may send plaintext handshake messages of a type.
func (g *guard) isExpected(typ uint8) bool {
	if !g.client {
		return typ == msgClientHello || typ == msgCertificate || typ == msgCertificateVerify || typ == msgClientKey
	}
	switch typ {
	case msgServerHello, msgHelloVerify, msgSessionTicket, msgCertificate, msgServerKey, msgCertificateRequest,
		msgHelloDone, msgCertificateStatus:
		return true
	}
	return false
}

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }
