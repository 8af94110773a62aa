package tshark

import (
	"encoding/binary"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// capture returns a file in pcap format with a CoAP PUT of a TLV payload for each request.
func capture(requests []request) []byte {
	var messages []message
	for i, r := range requests {
		messages = append(messages, message{data: put(r.path, uint16(i), r.payload)})
	}
	return captureMessages(messages)
}

// captureMessages returns a file in pcap format with CoAP messages between a device and a server.
func captureMessages(messages []message) []byte {
	const (
		magic   = 0xa1b2c3d4 // with microseconds
		rawIP   = 101        // the link type of packets without a link layer
		longest = 65535
	)
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magic)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, longest)
	b = le.AppendUint32(b, rawIP)
	for _, m := range messages {
		p := packet(m)
		b = append(b, make([]byte, 8)...)
		b = le.AppendUint32(b, uint32(len(p)))
		b = le.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// packet returns an IPv4 packet that carries a CoAP message over UDP.
func packet(m message) []byte {
	const udp = 17
	from, to := uint16(50000), uint16(5683)
	if m.fromServer {
		from, to = to, from
	}
	be := binary.BigEndian
	b := []byte{0x45, 0}
	b = be.AppendUint16(b, uint16(20+8+len(m.data)))
	b = append(b, 0, 0, 0, 0, 64, udp, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
	b = be.AppendUint16(b, from)
	b = be.AppendUint16(b, to)
	b = be.AppendUint16(b, uint16(8+len(m.data)))
	b = append(b, 0, 0)
	return append(b, m.data...)
}

// put returns a CoAP PUT with a TLV payload. IDs have at most five digits, so every option has a
// one-byte header.
func put(p dm.Path, messageID uint16, payload []byte) []byte {
	const uriPath, contentFormat, tlv = 11, 12, 11542
	b := binary.BigEndian.AppendUint16([]byte{0x40, 3}, messageID)
	last := 0
	segment := func(s []byte) {
		b = append(b, byte((uriPath-last)<<4|len(s)))
		b = append(b, s...)
		last = uriPath
	}
	text := p.Append(nil)[1:]
	for start, i := 0, 0; i <= len(text); i++ {
		if i == len(text) || text[i] == '/' {
			segment(text[start:i])
			start = i + 1
		}
	}
	b = append(b, (contentFormat-uriPath)<<4|2)
	b = binary.BigEndian.AppendUint16(b, tlv)
	return append(append(b, 0xff), payload...)
}
