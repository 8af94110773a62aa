package coap

// receiveBlock handles one block of a request's body (RFC 7959 §2.5).
func (rs *requests) receiveBlock(r *Request) {
	b := r.block1
	size := b.Size()
	switch n := len(r.body); {
	case b.More && (n == 0 || n%size != 0 || n != size && b.SZX != BERT),
		!b.More && n > size && b.SZX != BERT:
		r.reply(BadRequest, "the payload does not have the size of a block")
		return
	}
	key := rs.e.transferKey(r.code, &r.options, true)
	if b.Num == 0 {
		rs.firstBlock(r, key)
		return
	}
	t := rs.transfers.find(key, true)
	if t == nil {
		r.reply(RequestEntityIncomplete, "no transfer that this block continues")
		return
	}
	switch offset := b.Offset(); {
	case offset == t.received:
	case b == t.last && offset+int64(len(r.body)) == t.received && len(r.body) == t.lastLen:
		t.resetIdle()
		rs.continueUpload(r) // a repetition of the last block
		return
	default:
		r.reply(RequestEntityIncomplete, "not the next block")
		return
	}
	t.resetIdle()
	rs.acceptBlock(r, t)
}

// firstBlock has the handler decide what to do with the body.
func (rs *requests) firstBlock(r *Request, key uint64) {
	if old := rs.transfers.find(key, true); old != nil {
		old.end(ErrIdle) // the client restarts
	}
	if rs.cfg.Handler == nil {
		r.reply(NotFound, "")
		return
	}
	r.serving = true
	rs.cfg.Handler.Head(r)
	r.serving = false
	if r.answered || rs.closed != nil {
		return
	}
	if announced, ok := r.options.Uint(OptionSize1); ok && r.sink == nil && int64(announced) > int64(r.limit) {
		rs.refuseBody(r, r.limit)
		return
	}
	t := rs.transfers.begin(key, true, 0)
	if t == nil {
		sink := r.sink
		r.reply(ServiceUnavailable, "")
		if sink != nil {
			sink.Abort(ErrBusy)
		}
		return
	}
	t.limit, t.sink = r.limit, r.sink
	rs.acceptBlock(r, t)
}

// acceptBlock adds the payload to the body and answers, or passes the request to the handler after
// the last block.
func (rs *requests) acceptBlock(r *Request, t *transfer) {
	if t.sink != nil {
		if _, err := t.sink.Write(r.body); err != nil {
			t.sink = nil
			t.release()
			r.reply(codeOf(err), "")
			return
		}
		if rs.closed != nil {
			return
		}
		if t.node.in == nil {
			// Ended from within the sink.
			r.reply(RequestEntityIncomplete, "")
			return
		}
	} else if limit := t.limit; int64(len(t.body)+len(r.body)) > int64(limit) {
		t.end(ErrTooLarge)
		rs.refuseBody(r, limit)
		return
	} else if !t.append(r.body) {
		t.end(ErrBusy)
		r.reply(ServiceUnavailable, "")
		return
	}
	t.received += int64(len(r.body))
	t.last, t.lastLen = r.block1, len(r.body)
	if r.hasBlock2 {
		t.response, t.hasResponse = Block{SZX: r.block2.SZX}, true
	}
	if r.block1.More {
		rs.continueUpload(r)
		return
	}
	r.sink, t.sink = t.sink, nil // it has the whole body
	t.detach()
	r.upload = t
	r.body = t.body
	if !r.hasBlock2 && t.hasResponse {
		r.block2, r.hasBlock2 = t.response, true
	}
	rs.serve(r)
}

// continueUpload asks for the next block, in smaller blocks if these are too large
// (RFC 7959 §2.5 and §2.6).
func (rs *requests) continueUpload(r *Request) {
	r.block1.SZX = min(r.block1.SZX, rs.sizes.maxExponent())
	r.reply(Continue, "")
}

// refuseBody refuses a body and tells the peer the limit (RFC 7959 §2.9.3).
func (rs *requests) refuseBody(r *Request, limit int) {
	resp := r.Response()
	resp.Code = RequestEntityTooLarge
	resp.Options.AddUint(OptionSize1, uint32(limit))
	_ = r.Respond(resp)
}
