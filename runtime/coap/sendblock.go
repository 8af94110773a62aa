package coap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// overhead is what a message needs besides its payload: header, the longest
// option fields this package adds, and the payload marker.
const overhead = udpHeader + 1 + 32

// smallMessage fits one packet of every link there is, in bytes: asking the
// socket may cost a system call.
const smallMessage = 400

// fitting is the largest block exponent, at most szx, with which a message with
// these options and token and a part of a body of size bytes fits one packet.
func (c *Conn) fitting(szx uint8, options, token int, size int64) uint8 {
	if c.stream != nil || int64(overhead+options+token)+min(size, 16<<szx) <= smallMessage {
		return szx
	}
	room := c.cfg.Socket.InnerMTU() - overhead - options - token
	for szx > 0 && 16<<szx > room {
		szx--
	}
	return szx
}

// blockBytes is how much of a body one message takes with this exponent.
func (c *Conn) blockBytes(szx uint8, options, token int) int {
	if szx < BERT {
		return 16 << szx
	}
	room := c.stream.peerMax - overhead - 16 - options - token
	return max(room/1024, 1) * 1024
}

// sendBody answers r with a body that may need several blocks.
func (c *Conn) sendBody(r *Request, resp *Response) error {
	opts := &c.e.opts
	opts.CopyFrom(&resp.Options)
	if r.relation != nil {
		opts.SetUint(OptionObserve, c.nextSequence())
	}
	if r.hasBlock1 {
		b := r.block1
		b.More = resp.Code == Continue
		opts.SetBlock(OptionBlock1, b)
	}
	szx := c.maxSZX()
	if r.hasBlock2 {
		szx = min(szx, r.block2.SZX)
	}
	size := int64(len(resp.Body))
	if resp.Source != nil {
		size = resp.SourceSize
	}
	szx = c.fitting(szx, opts.Len(), len(r.token), size)
	whole := size <= int64(c.blockBytes(szx, opts.Len(), len(r.token)))
	if c.stream != nil && !r.hasBlock2 {
		whole = size <= int64(c.stream.peerMax-overhead-opts.Len()-len(r.token))
	}
	if whole && !(r.hasBlock2 && r.block2.Num > 0 && resp.Code.IsSuccess()) {
		if r.hasBlock2 && resp.Code.IsSuccess() {
			opts.SetBlock(OptionBlock2, Block{SZX: szx})
		}
		body, err := c.wholeBody(resp)
		if err != nil {
			return err
		}
		return c.sendAnswer(r, resp.Code, opts, body, resp.NonConfirmable)
	}
	t, err := c.snapshot(c.transferKey(r, false), resp)
	if err != nil {
		return err
	}
	first := Block{SZX: szx}
	if r.hasBlock2 {
		// Requests count in blocks of the size they ask for.
		first.Num = uint32(r.block2.Offset() / int64(first.Size()))
	}
	if first.Offset() >= t.size && t.size > 0 || first.Num > 0 && t.size == 0 {
		t.end(ErrIdle)
		c.e.opts.Reset()
		return c.sendAnswer(r, BadRequest, &c.e.opts, nil, false)
	}
	return c.sendSnapshot(r, t, first, opts, resp.NonConfirmable)
}

// wholeBody is the body of a response that fits one message.
func (c *Conn) wholeBody(resp *Response) ([]byte, error) {
	if resp.Source == nil {
		return resp.Body, nil
	}
	b := c.e.blockBuffer(int(resp.SourceSize))
	err := readSource(resp.Source, b, 0)
	closeSource(resp.Source)
	return b, err
}

func readSource(s Source, b []byte, off int64) error {
	n, err := s.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("coap: the source ended %d bytes early: %w", len(b)-n, err)
}

// snapshot keeps an answer that needs several blocks (RFC 7959 §2.4).
func (c *Conn) snapshot(key uint64, resp *Response) (*transfer, error) {
	t := c.newTransfer(key, false, len(resp.Body)+resp.Options.Len())
	if t == nil {
		closeSource(resp.Source)
		return nil, &Error{Code: ServiceUnavailable, Err: ErrBusy}
	}
	t.code, t.options = resp.Code, resp.Options.Clone()
	if t.source = resp.Source; t.source != nil {
		t.size = resp.SourceSize
	} else {
		t.body = append([]byte(nil), resp.Body...)
		t.size = int64(len(t.body))
	}
	if !t.options.Has(OptionETag) {
		t.options.Add(OptionETag, c.etag(t))
	}
	return t, nil
}

// etag is a hash of the content, so that a client which resumes a transfer
// whose snapshot is gone can tell whether it still fetches the same; of a
// source, which is not read twice for that, it is a random number.
func (c *Conn) etag(t *transfer) []byte {
	var tag [8]byte
	h := c.e.rand.Uint64()
	if t.source == nil {
		h = maphash.Bytes(c.e.hashSeed, t.body)
	}
	binary.BigEndian.PutUint64(tag[:], h)
	return tag[:4]
}

// sendNextBlock answers a request for a further block out of its snapshot, if
// that is there.
func (c *Conn) sendNextBlock(r *Request) bool {
	t := c.findTransfer(c.transferKey(r, false), false)
	if t == nil {
		return false
	}
	b := r.block2
	szx := min(b.SZX, c.maxSZX())
	szx = c.fitting(szx, t.options.Len(), len(r.token), t.size)
	next := Block{SZX: szx, Num: uint32(b.Offset() / int64(Block{SZX: szx}.Size()))}
	if next.Offset() >= t.size {
		r.reply(BadRequest, "beyond the last block")
		return true
	}
	t.touch()
	opts := &c.e.opts
	opts.CopyFrom(&t.options)
	r.answered = true
	if err := c.sendSnapshot(r, t, next, opts, false); err != nil {
		c.fallback(r)
	}
	return true
}

// sendSnapshot answers r with one block of t, and frees t after the last one.
func (c *Conn) sendSnapshot(r *Request, t *transfer, b Block, opts *Options, non bool) error {
	if tag, ok := t.options.ETag(); ok {
		opts.Set(OptionETag, tag)
	}
	payload, err := c.snapshotBlock(t, &b, opts, len(r.token))
	if err != nil {
		t.end(err)
		return err
	}
	err = c.sendAnswer(r, t.code, opts, payload, non)
	if !b.More || err != nil {
		t.end(ErrIdle)
	}
	return err
}

// snapshotBlock is the payload of block b; it sets b.More and the options.
func (c *Conn) snapshotBlock(t *transfer, b *Block, opts *Options, token int) ([]byte, error) {
	off := b.Offset()
	n := min(t.size-off, int64(c.blockBytes(b.SZX, opts.Len(), token)))
	b.More = off+n < t.size
	if b.valid() != nil {
		return nil, ErrTooLarge
	}
	opts.SetBlock(OptionBlock2, *b)
	if b.Num == 0 && t.size <= 1<<32-1 {
		opts.SetUint(OptionSize2, uint32(t.size))
	}
	if t.source == nil {
		return t.body[off : off+n], nil
	}
	payload := c.e.blockBuffer(int(n))
	return payload, readSource(t.source, payload, off)
}
