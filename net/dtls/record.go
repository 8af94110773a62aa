package dtls

import "encoding/binary"

// Content types of records (RFC 5246 §6.2.1, RFC 9146 §4).
const (
	typeChangeCipherSpec = 20
	typeAlert            = 21
	typeHandshake        = 22
	typeApplicationData  = 23
	typeConnectionID     = 25
)

const (
	headerLen    = 13      // of a record without a Connection ID (RFC 6347 §4.1)
	maxPlaintext = 1 << 14 // bytes in one record (RFC 5246 §6.2.1)
	maxExpansion = 2048    // that protection may add to it (RFC 5246 §6.2.3)
	maxSequence  = 1<<48 - 1
	maxCID       = 255

	version12 = 0xfefd // DTLS 1.2
	version10 = 0xfeff // DTLS 1.0, which the first records of a handshake may carry
)

// header is the head of a record.
type header struct {
	typ   uint8
	epoch uint16
	seq   uint64
	cid   []byte // part of the record
	body  int    // offset of what follows the header
}

// splitRecord splits the first record from a datagram. cidLen is the length of the Connection ID in
// records that have one. ok is false if the datagram does not start with a whole record of DTLS;
// the rest cannot be parsed then.
func splitRecord(b []byte, cidLen int) (h header, record, rest []byte, ok bool) {
	if len(b) < headerLen {
		return header{}, nil, nil, false
	}
	h.typ, h.body = b[0], headerLen
	if h.typ == typeConnectionID {
		h.body += cidLen
		if len(b) < h.body {
			return header{}, nil, nil, false
		}
		h.cid = b[11 : 11+cidLen]
	}
	if v := binary.BigEndian.Uint16(b[1:]); v != version12 && v != version10 {
		return header{}, nil, nil, false
	}
	h.epoch = binary.BigEndian.Uint16(b[3:])
	h.seq = binary.BigEndian.Uint64(b[3:]) & maxSequence
	end := h.body + int(binary.BigEndian.Uint16(b[h.body-2:]))
	if end > len(b) {
		return header{}, nil, nil, false
	}
	return h, b[:end], b[end:], true
}

// appendHeader appends the head of a record of epoch 1 whose body has length bytes.
func appendHeader(b []byte, typ uint8, seq uint64, cid []byte, length int) []byte {
	b = append(b, typ, version12>>8, version12&0xff)
	b = binary.BigEndian.AppendUint64(b, 1<<48|seq)
	b = append(b, cid...)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}

// appendAdditional appends the additional data of AEAD ciphers for a plaintext of length bytes (RFC
// 5246 §6.2.3.3; with a Connection ID RFC 9146 §5.3).
func appendAdditional(b []byte, h *header, length int) []byte {
	epochSeq := uint64(h.epoch)<<48 | h.seq
	if h.typ != typeConnectionID {
		b = binary.BigEndian.AppendUint64(b, epochSeq)
		b = append(b, h.typ, version12>>8, version12&0xff)
		return binary.BigEndian.AppendUint16(b, uint16(length))
	}
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, typeConnectionID, uint8(len(h.cid)),
		typeConnectionID, version12>>8, version12&0xff)
	b = binary.BigEndian.AppendUint64(b, epochSeq)
	b = append(b, h.cid...)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}

// additionalLen is the most bytes that appendAdditional appends.
const additionalLen = 8 + 3 + 2 + 8 + maxCID + 2

// unwrapInner removes the content type and the padding from a DTLSInnerPlaintext (RFC 9146 §4).
func unwrapInner(b []byte) (typ uint8, content []byte, ok bool) {
	for n := len(b); n > 0; n-- {
		if b[n-1] != 0 {
			return b[n-1], b[:n-1], true
		}
	}
	return 0, nil, false
}

// window is the anti-replay window (RFC 6347 §4.1.2.6) of the last 64 sequence numbers.
type window struct {
	next uint64 // one above the highest seen
	seen uint64 // bit i: next-1-i was seen
}

const windowSize = 64

// isFresh reports whether seq is new and not too old.
func (w *window) isFresh(seq uint64) bool {
	if seq >= w.next {
		return true
	}
	age := w.next - 1 - seq
	return age < windowSize && w.seen>>age&1 == 0
}

// mark records seq, which must be fresh and authenticated. It reports whether it is the newest.
func (w *window) mark(seq uint64) bool {
	if seq >= w.next {
		shift := seq + 1 - w.next
		if shift >= windowSize {
			w.seen = 0
		} else {
			w.seen <<= shift
		}
		w.seen |= 1
		w.next = seq + 1
		return true
	}
	w.seen |= 1 << (w.next - 1 - seq)
	return false
}
