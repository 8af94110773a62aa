package coap

// baseOverhead is what a message needs in addition to token, options and payload: the header, the
// longest option fields that this package adds, and the payload marker.
const baseOverhead = udpHeader + 1 + 32

// smallMessage is a size in bytes that fits one packet of every link. Up to it the MTU is not
// asked for, which may cost a system call.
const smallMessage = 400

// blockSizes says how much of a body fits one message: as configured, as the socket's MTU or the
// peer of a stream allows, and with the overhead of the Layer.
type blockSizes struct {
	socket   interface{ InnerMTU() int }
	largest  uint8         // exponent of ConnConfig.BlockSize
	overhead int           // of a message, in addition to token, options and payload
	peer     *peerSettings // nil over datagrams
}

func newBlockSizes(cfg *ConnConfig, peer *peerSettings) blockSizes {
	b := blockSizes{socket: cfg.Socket, overhead: baseOverhead, peer: peer}
	if cfg.Layer != nil {
		b.overhead += cfg.Layer.Overhead()
	}
	for 16<<b.largest < cfg.BlockSize {
		b.largest++
	}
	return b
}

// awaitsSettings reports whether the peer of a stream has not announced yet how large a message and
// a block may be (RFC 8323 §5.3).
func (b *blockSizes) awaitsSettings() bool { return b.peer != nil && !b.peer.announced }

func (b *blockSizes) isStream() bool { return b.peer != nil }

// maxExponent is the largest exponent: as configured, or BERT over a stream whose peer supports it
// (RFC 8323 §6).
func (b *blockSizes) maxExponent() uint8 {
	if b.peer != nil && b.peer.blockWise && b.peer.maxMessage > baseMaxMessage {
		return BERT
	}
	return b.largest
}

// fitExponent is the largest exponent, at most szx, with which a message with this many bytes of
// options and token and a part of a body of size bytes fits one packet, or over a stream the
// largest message that the peer accepts.
func (b *blockSizes) fitExponent(szx uint8, options, token int, size int64) uint8 {
	if int64(b.overhead+options+token)+min(size, 16<<szx) <= smallMessage {
		return szx
	}
	limit := 0
	if b.peer != nil {
		limit = b.peer.maxMessage
	} else {
		limit = b.socket.InnerMTU()
	}
	limit -= b.overhead + options + token
	for szx > 0 && (Block{SZX: szx}).Size() > limit {
		szx--
	}
	return szx
}

// askExponent is the exponent, at most szx, of the blocks of a response to ask for: the response
// has to fit one packet, too.
func (b *blockSizes) askExponent(szx uint8, options int) uint8 {
	szx = min(szx, b.maxExponent())
	if b.peer != nil {
		return szx
	}
	return b.fitExponent(szx, options, 8, 1<<31)
}

// blockBytes is how much of a body a block with this exponent has.
func (b *blockSizes) blockBytes(szx uint8, options, token int) int {
	if szx < BERT {
		return 16 << szx
	}
	limit := b.peer.maxMessage - b.overhead - 16 - options - token
	return max(limit/1024, 1) * 1024
}

// wholeBytes is the largest body that goes without blocks, where blocks would have this exponent.
func (b *blockSizes) wholeBytes(szx uint8, options, token int) int64 {
	if b.peer != nil {
		return int64(b.peer.maxMessage - b.overhead - options - token)
	}
	return int64(b.blockBytes(szx, options, token))
}
