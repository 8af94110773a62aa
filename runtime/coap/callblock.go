package coap

import "bytes"

// An upload is the state of sending a request's body (RFC 7959 §2.5).
type upload struct {
	size   int64
	offset int64 // of the block under way
	length int64 // of the block under way
	szx    uint8
	blocks bool // the body needs several
	sent   Block
}

// fill sets Block1 if the body needs it and returns the payload of this message.
func (u *upload) fill(call *Call, opts *Options) ([]byte, error) {
	sizes := &call.in.sizes
	u.szx = sizes.fitExponent(u.szx, opts.Len(), 8, u.size)
	if !u.blocks && u.size <= sizes.wholeBytes(u.szx, opts.Len(), 8) {
		u.length = u.size
		return u.read(call)
	}
	if !u.blocks {
		u.blocks = true
		call.setRequestTag()
	}
	if call.tag != nil {
		opts.Add(OptionRequestTag, call.tag)
	}
	if u.offset == 0 && u.size < 1<<32 {
		opts.SetUint(OptionSize1, uint32(u.size))
	}
	u.length = min(u.size-u.offset, int64(sizes.blockBytes(u.szx, opts.Len(), 8)))
	u.sent = Block{SZX: u.szx, More: u.offset+u.length < u.size}
	num := u.offset / int64(u.sent.Size())
	if num > maxBlockNum {
		return nil, ErrTooLarge
	}
	u.sent.Num = uint32(num)
	opts.SetBlock(OptionBlock1, u.sent)
	return u.read(call)
}

func (u *upload) read(call *Call) ([]byte, error) {
	if call.Source == nil {
		return call.Body[u.offset : u.offset+u.length], nil
	}
	b := call.in.e.blockBuffer(int(u.length))
	return b, readSource(call.Source, b, u.offset)
}

// handle handles the answer to a block that is not the last. It reports whether the upload
// continues, or has ended the call.
func (u *upload) handle(call *Call, m *Message) bool {
	if !u.blocks || call.download.active && call.download.next > call.download.start {
		if m.Code == Continue {
			call.finish(Result{Err: ErrTransfer, Last: true})
			return true
		}
		return false
	}
	b, ok := m.Options.Block(OptionBlock1)
	switch {
	case m.Code == RequestEntityTooLarge && ok && b.SZX < u.szx && u.offset == 0:
		// The size of the block was too large, not the body (RFC 7959 §2.9.3).
		u.szx = b.SZX
		call.sendNext()
		return true
	case m.Code == Continue || m.Code.IsSuccess() && u.sent.More && ok:
		if ok && b.Num != u.sent.Num || !u.sent.More {
			call.finish(Result{Err: ErrTransfer, Last: true})
			return true
		}
		u.offset += u.length
		if ok { // libcoap's server sometimes leaves it out
			u.szx = min(u.szx, b.SZX)
		}
		call.sendNext()
		return true
	}
	return false
}

// setRequestTag makes the transfer distinguishable from a concurrent one to the same resource, if
// there is one (RFC 9175 §3.3).
func (call *Call) setRequestTag() {
	for n := call.in.active.head; n != nil; n = n.next {
		o := n.value
		if o != call && o.upload.blocks && o.state == callWaiting && o.Code == call.Code &&
			bytes.Equal(o.Options.raw, call.Options.raw) && bytes.Equal(o.tag, call.tag) {
			v := uint32(call.in.e.rand.Uint32())
			call.tag = appendUint(nil, v|1<<24)
			return
		}
	}
}

// A download is the state of receiving a response's body (RFC 7959 §2.4).
type download struct {
	active   bool
	start    int64 // where the transfer begins in the body
	next     int64 // where the next block begins in the body
	szx      uint8
	body     []byte
	code     Code
	options  Options // of the first block
	etag     [8]byte
	etagLen  int
	restarts int
}

// maxRestarts is how often a transfer restarts when the resource changes.
const maxRestarts = 2

func (d *download) reset() { *d = download{options: d.options} }

// begin prepares a transfer that begins with block b, in blocks of the exponent szx.
func (d *download) begin(b Block, szx uint8) {
	d.active, d.szx = true, szx
	d.start = b.Offset()
	d.next = d.start
}

// nextBlock is the next block to ask for.
func (d *download) nextBlock() Block {
	b := Block{SZX: d.szx}
	b.Num = uint32(d.next / int64(b.Size()))
	return b
}

// handle handles a response with the body, or a block of it.
func (d *download) handle(call *Call, m *Message) {
	b, ok := m.Options.Block(OptionBlock2)
	began := d.active && d.next > d.start
	if !m.Code.IsSuccess() || !ok && !began {
		d.handleWhole(call, m)
		return
	}
	if !d.isExpected(b, ok, len(m.Payload), call.in.sizes.isStream()) {
		call.finish(Result{Err: ErrTransfer, Last: true})
		return
	}
	if call.OneBlock {
		call.finish(Result{Code: m.Code, Options: &m.Options, Body: m.Payload, Last: true})
		return
	}
	tag, _ := m.Options.ETag()
	if began && (!bytes.Equal(tag, d.etag[:d.etagLen]) || m.Code != d.code) {
		d.restart(call)
		return
	}
	if !began {
		d.active, d.code = true, m.Code
		d.options.CopyFrom(&m.Options)
		d.etagLen = copy(d.etag[:], tag)
	}
	d.szx = min(b.SZX, call.in.sizes.maxExponent())
	if !d.store(call, m.Payload) {
		return
	}
	if b.More {
		call.sendNext()
		return
	}
	r := Result{Code: d.code, Options: &d.options, Last: true}
	if call.Sink == nil {
		r.Body = d.body
	}
	call.finish(r)
}

// isExpected reports whether the block is the one asked for and as long as it must be.
func (d *download) isExpected(b Block, ok bool, n int, stream bool) bool {
	if !ok || b.Offset() != d.next || b.SZX == BERT && !stream {
		return false
	}
	switch {
	case b.SZX == BERT:
		return !b.More || n > 0 && n%1024 == 0
	case b.More:
		return n == b.Size()
	}
	return n <= b.Size()
}

// restart restarts the transfer, a few times, because the resource has changed.
func (d *download) restart(call *Call) {
	if !call.Code.isSafe() || call.Sink != nil || d.restarts == maxRestarts || call.watch.isChild {
		call.finish(Result{Err: ErrChanged, Last: true})
		return
	}
	d.restarts++
	d.next, d.body = d.start, d.body[:0]
	call.sendNext()
}

// store stores a block of the body. It returns false if it ended the call.
func (d *download) store(call *Call, p []byte) bool {
	d.next += int64(len(p))
	if call.Sink != nil {
		if _, err := call.Sink.Write(p); err != nil {
			d.active = false // no Abort: the sink itself failed
			call.finish(Result{Err: err, Last: true})
			return false
		}
		return call.state == callWaiting
	}
	limit := call.MaxBody
	if limit == 0 {
		limit = call.in.cfg.MaxBody
	}
	if len(d.body)+len(p) > limit {
		call.finish(Result{Err: ErrTooLarge, Last: true})
		return false
	}
	d.body = append(d.body, p...)
	return true
}

// handleWhole ends the call with a response in one message.
func (d *download) handleWhole(call *Call, m *Message) {
	r := Result{Code: m.Code, Options: &m.Options, Body: m.Payload, Last: true}
	if call.Sink != nil {
		if !m.Code.IsSuccess() {
			if d.next > d.start {
				call.Sink.Abort(&Error{Code: m.Code})
			}
		} else {
			if len(m.Payload) > 0 {
				if _, err := call.Sink.Write(m.Payload); err != nil {
					d.active = false
					call.finish(Result{Err: err, Last: true})
					return
				}
			}
			if call.state != callWaiting {
				return
			}
			r.Body = nil
		}
	}
	d.active = false
	call.finish(r)
}
