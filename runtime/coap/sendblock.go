package coap

// send sends one message that answers r. Its options are in the endpoint's scratch options.
func (rs *requests) send(r *Request, code Code, opts *Options, payload []byte, nonConfirmable bool) error {
	m := &rs.e.outMsg
	m.Code, m.Token, m.Options, m.Payload = code, r.token, *opts, payload
	return rs.carrier.respond(r, m, nonConfirmable)
}

// sendFallback answers 5.00 when the handler's response cannot be sent.
func (rs *requests) sendFallback(r *Request) {
	rs.e.outOpts.Reset()
	_ = rs.send(r, InternalServerError, &rs.e.outOpts, nil, false)
}

// sendBody answers r with a body that may need several blocks.
func (rs *requests) sendBody(r *Request, resp *Response) error {
	if resp.Code == Continue {
		r.hasBlock2 = false // it has no body (RFC 7959 §2.9.1), and Block2 describes the body
	}
	var sequence uint32
	if r.observation != nil {
		sequence = rs.observations.nextSequence()
	}
	opts := rs.responseOptions(r, resp, sequence)
	szx := rs.sizes.maxExponent()
	if r.hasBlock2 {
		szx = min(szx, r.block2.SZX)
	}
	size := resp.size()
	szx = rs.sizes.fitExponent(szx, opts.Len(), len(r.token), size)
	var whole bool
	if r.hasBlock2 {
		whole = size <= int64(rs.sizes.blockBytes(szx, opts.Len(), len(r.token)))
	} else {
		whole = size <= rs.sizes.wholeBytes(szx, opts.Len(), len(r.token))
	}
	if whole && !(r.hasBlock2 && r.block2.Num > 0 && resp.Code.IsSuccess()) {
		if r.hasBlock2 && resp.Code.IsSuccess() {
			opts.SetBlock(OptionBlock2, Block{SZX: szx})
		}
		body, err := rs.e.wholeBody(resp)
		if err != nil {
			return err
		}
		return rs.send(r, resp.Code, opts, body, resp.NonConfirmable)
	}
	if resp.Stateless {
		return rs.sendStateless(r, resp, szx, opts)
	}
	t, err := rs.transfers.snapshot(rs.e.transferKey(r.code, &r.options, false), resp)
	if err != nil {
		return err
	}
	// Making memory available may have ended another transfer, whose sink may have used the
	// endpoint's scratch options.
	opts = rs.responseOptions(r, resp, sequence)
	first, ok := r.firstBlock(szx, t.size)
	if !ok {
		t.end(ErrIdle)
		rs.e.outOpts.Reset()
		return rs.send(r, BadRequest, &rs.e.outOpts, nil, false)
	}
	return rs.sendSnapshot(r, t, first, opts, resp.NonConfirmable)
}

// firstBlock is the block that r asks for, of a body of size bytes in blocks of the exponent szx.
// ok is false if it is beyond the end.
func (r *Request) firstBlock(szx uint8, size int64) (b Block, ok bool) {
	b.SZX = szx
	if r.hasBlock2 {
		// The request counts in blocks of the size it asks for.
		b.Num = uint32(r.block2.Offset() / int64(b.Size()))
	}
	return b, b.Num == 0 || b.Offset() < size
}

// sendStateless answers r with one block of the body and keeps nothing.
func (rs *requests) sendStateless(r *Request, resp *Response, szx uint8, opts *Options) error {
	defer closeSource(resp.Source)
	t := &transfer{in: rs.transfers, options: resp.Options, body: resp.Body, source: resp.Source, size: resp.size(), omitSize: resp.OmitSize}
	b, ok := r.firstBlock(szx, t.size)
	if !ok {
		opts.Reset()
		return rs.send(r, BadRequest, opts, nil, false)
	}
	payload, err := t.block(&b, opts, &rs.sizes, len(r.token))
	if err != nil {
		return err
	}
	return rs.send(r, resp.Code, opts, payload, resp.NonConfirmable)
}

// responseOptions fills the endpoint's scratch options with those of a response.
func (rs *requests) responseOptions(r *Request, resp *Response, sequence uint32) *Options {
	opts := &rs.e.outOpts
	opts.CopyFrom(&resp.Options)
	if r.observation != nil {
		opts.SetUint(OptionObserve, sequence)
	}
	if r.hasBlock1 {
		b := r.block1
		b.More = resp.Code == Continue
		opts.SetBlock(OptionBlock1, b)
	}
	return opts
}

// wholeBody is the body of a response that fits one message.
func (e *Endpoint) wholeBody(resp *Response) ([]byte, error) {
	if resp.Source == nil {
		return resp.Body, nil
	}
	b := e.blockBuffer(int(resp.SourceSize))
	err := readSource(resp.Source, b, 0)
	closeSource(resp.Source)
	return b, err
}

// sendNextBlock answers a request for a further block from its snapshot, if it still exists.
func (rs *requests) sendNextBlock(r *Request) bool {
	t := rs.transfers.find(rs.e.transferKey(r.code, &r.options, false), false)
	if t == nil {
		return false
	}
	b := r.block2
	szx := min(b.SZX, rs.sizes.maxExponent())
	szx = rs.sizes.fitExponent(szx, t.options.Len(), len(r.token), t.size)
	next := Block{SZX: szx, Num: uint32(b.Offset() / int64(Block{SZX: szx}.Size()))}
	if next.Offset() >= t.size {
		r.reply(BadRequest, "beyond the last block")
		return true
	}
	t.resetIdle()
	opts := &rs.e.outOpts
	opts.CopyFrom(&t.options)
	r.answered = true
	if err := rs.sendSnapshot(r, t, next, opts, false); err != nil {
		rs.sendFallback(r)
	}
	return true
}

// sendSnapshot answers r with one block of t, and ends t after the last one.
func (rs *requests) sendSnapshot(r *Request, t *transfer, b Block, opts *Options, nonConfirmable bool) error {
	payload, err := t.block(&b, opts, &rs.sizes, len(r.token))
	if err != nil {
		t.end(err)
		return err
	}
	err = rs.send(r, t.code, opts, payload, nonConfirmable)
	if !b.More || err != nil {
		t.end(ErrIdle)
	}
	return err
}
