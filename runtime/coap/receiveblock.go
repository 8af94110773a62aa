package coap

// receiveBlock handles one block of a request's body (RFC 7959 §2.5).
func (c *Conn) receiveBlock(r *Request) {
	b := r.block1
	size := b.Size()
	switch n := len(r.body); {
	case b.More && (n == 0 || n%size != 0 || n != size && b.SZX != BERT),
		!b.More && n > size && b.SZX != BERT:
		r.reply(BadRequest, "the payload does not have the size of a block")
		return
	}
	key := c.transferKey(r, true)
	if b.Num == 0 {
		c.firstBlock(r, key)
		return
	}
	t := c.findTransfer(key, true)
	if t == nil {
		r.reply(RequestEntityIncomplete, "no transfer that this block continues")
		return
	}
	switch offset := b.Offset(); {
	case offset == t.received:
	case b == t.last && offset+int64(len(r.body)) == t.received && len(r.body) == t.lastLen:
		t.touch()
		c.goOn(r) // the same once more: taken already
		return
	default:
		r.reply(RequestEntityIncomplete, "not the next block")
		return
	}
	t.touch()
	c.takeBlock(r, t)
}

// firstBlock asks the handler what to do with the body.
func (c *Conn) firstBlock(r *Request, key uint64) {
	if old := c.findTransfer(key, true); old != nil {
		old.end(ErrIdle) // the client begins anew
	}
	if c.cfg.Handler == nil {
		r.reply(NotFound, "")
		return
	}
	r.serving = true
	c.cfg.Handler.Head(r)
	r.serving = false
	if r.answered || c.closed != nil {
		return
	}
	if announced, ok := r.options.Uint(OptionSize1); ok && r.sink == nil && int64(announced) > int64(r.limit) {
		c.tooLarge(r, r.limit)
		return
	}
	t := c.newTransfer(key, true, 0)
	if t == nil {
		sink := r.sink
		r.reply(ServiceUnavailable, "")
		if sink != nil {
			sink.Abort(ErrBusy)
		}
		return
	}
	t.limit, t.sink = r.limit, r.sink
	c.takeBlock(r, t)
}

// takeBlock adds the payload to the body and answers, or has the handler
// answer after the last block.
func (c *Conn) takeBlock(r *Request, t *transfer) {
	if t.sink != nil {
		if _, err := t.sink.Write(r.body); err != nil {
			t.sink = nil
			t.release()
			r.reply(codeOf(err), "")
			return
		}
		if c.closed != nil {
			return
		}
		if t.node.in == nil {
			// Given up from within the sink.
			r.reply(RequestEntityIncomplete, "")
			return
		}
	} else if limit := t.limit; int64(len(t.body)+len(r.body)) > int64(limit) {
		t.end(ErrTooLarge)
		c.tooLarge(r, limit)
		return
	} else if !t.keep(r.body) {
		t.end(ErrBusy)
		r.reply(ServiceUnavailable, "")
		return
	}
	t.received += int64(len(r.body))
	t.last, t.lastLen = r.block1, len(r.body)
	if r.block1.More {
		c.goOn(r)
		return
	}
	r.sink, t.sink = t.sink, nil // it has everything
	t.detach()
	r.upload = t
	r.body = t.body
	c.serve(r)
}

// keep appends to the body and accounts for the memory it takes.
func (t *transfer) keep(p []byte) bool {
	if need := len(t.body) + len(p); need > cap(t.body) {
		size := min(max(2*cap(t.body), need, 1024), max(t.limit, need))
		if !t.charge(size - cap(t.body)) {
			return false
		}
		body := make([]byte, len(t.body), size)
		copy(body, t.body)
		t.body = body
	}
	t.body = append(t.body, p...)
	return true
}

// goOn asks for the next block, in smaller blocks if these are too large here
// (RFC 7959 §2.5 and §2.6).
func (c *Conn) goOn(r *Request) {
	r.block1.SZX = min(r.block1.SZX, c.maxSZX())
	r.reply(Continue, "")
}

// tooLarge refuses a body and says how much is possible (RFC 7959 §2.9.3).
func (c *Conn) tooLarge(r *Request, limit int) {
	resp := r.Response()
	resp.Code = RequestEntityTooLarge
	resp.Options.AddUint(OptionSize1, uint32(limit))
	_ = r.Respond(resp)
}

// maxSZX is the exponent of the configured block size, or BERT over a stream
// whose peer takes it.
func (c *Conn) maxSZX() uint8 {
	if c.stream != nil && c.stream.bert() {
		return BERT
	}
	szx := uint8(0)
	for 16<<szx < c.cfg.BlockSize {
		szx++
	}
	return szx
}
