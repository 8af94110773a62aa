package coap

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// transfers is the state of the peer's block-wise transfers between its requests. It is bounded
// in number by ConnConfig.MaxTransfers and in memory by Config.MaxMemory.
type transfers struct {
	*shared
	list[*transfer] // the longest idle first
}

// A transfer is one block-wise transfer of the peer: a body that arrives (Block1), or the snapshot
// of a response that the peer fetches (Block2). It is found by the request's cache key. It ends
// when it is complete, when it is idle for too long, when the peer has begun too many, or when its
// memory is needed.
type transfer struct {
	in       *transfers
	node     node[*transfer] // in in.list
	idleNode node[*transfer] // in e.transfers, the longest idle first
	key      uint64
	incoming bool
	charged  int // bytes charged to the endpoint's memory
	idle     sched.Job
	body     []byte

	// incoming
	limit    int
	sink     Sink
	received int64
	last     Block // the last block that was accepted
	lastLen  int
	// response is the block size for the response that an earlier block asked for.
	response    Block
	hasResponse bool

	// outgoing
	code    Code
	options Options
	source  Source
	size    int64
	// omitSize leaves out Size2.
	omitSize bool
}

// transferBytes is what a transfer costs in addition to its body.
const transferBytes = 512

// begin begins a transfer that needs this many bytes, in place of one with the same key. It
// returns nil when there is no memory for it.
func (ts *transfers) begin(key uint64, incoming bool, bytes int) *transfer {
	if t := ts.find(key, incoming); t != nil {
		t.end(ErrIdle)
	}
	if ts.n >= ts.cfg.MaxTransfers {
		ts.head.value.end(ErrIdle)
	}
	if !ts.e.charge(bytes + transferBytes) {
		return nil
	}
	t := &transfer{in: ts, key: key, incoming: incoming, charged: bytes + transferBytes}
	t.idle.Func = t.expire
	t.resetIdle()
	return t
}

// snapshot keeps a response that needs several blocks (RFC 7959 §2.4).
func (ts *transfers) snapshot(key uint64, resp *Response) (*transfer, error) {
	t := ts.begin(key, false, len(resp.Body)+resp.Options.Len())
	if t == nil {
		closeSource(resp.Source)
		return nil, &Error{Code: ServiceUnavailable, Err: ErrBusy}
	}
	t.code, t.options, t.omitSize = resp.Code, resp.Options.Clone(), resp.OmitSize
	if t.source = resp.Source; t.source != nil {
		t.size = resp.SourceSize
	} else {
		t.body = append([]byte(nil), resp.Body...)
		t.size = int64(len(t.body))
	}
	if !t.options.Has(OptionETag) {
		t.options.Add(OptionETag, t.etag())
	}
	return t, nil
}

func (ts *transfers) find(key uint64, incoming bool) *transfer {
	for n := ts.head; n != nil; n = n.next {
		if n.value.key == key && n.value.incoming == incoming {
			return n.value
		}
	}
	return nil
}

func (ts *transfers) close(reason error) {
	for t, ok := ts.first(); ok; t, ok = ts.first() {
		t.end(reason)
	}
}

// resetIdle restarts the idle time and makes the transfer the last to be ended for others.
func (t *transfer) resetIdle() {
	t.in.push(&t.node, t)
	t.in.e.transfers.push(&t.idleNode, t)
	t.in.e.sched.After(&t.idle, t.in.cfg.Params.ExchangeTimeout)
}

// detach removes the transfer from all lists. Its body stays.
func (t *transfer) detach() {
	t.node.remove()
	t.idleNode.remove()
	t.in.e.sched.Cancel(&t.idle)
}

// release frees the memory and closes the source.
func (t *transfer) release() {
	t.detach()
	t.in.e.refund(t.charged)
	t.charged, t.body = 0, nil
	closeSource(t.source)
	t.source = nil
}

// end ends the transfer before it is complete.
func (t *transfer) end(reason error) {
	sink := t.sink
	t.sink = nil
	t.release()
	if sink != nil {
		sink.Abort(reason)
	}
}

func (t *transfer) expire() { t.end(ErrIdle) }

// charge accounts for n more bytes. It may end other transfers, never this one.
func (t *transfer) charge(n int) bool {
	t.idleNode.remove() // not a candidate while others are ended
	ok := t.in.e.charge(n)
	t.in.e.transfers.push(&t.idleNode, t)
	if ok {
		t.charged += n
	}
	return ok
}

// append appends to the body and accounts for the memory it needs.
func (t *transfer) append(p []byte) bool {
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

// block is the payload of block b. It sets b.More and the options of the block.
func (t *transfer) block(b *Block, opts *Options, sizes *blockSizes, token int) ([]byte, error) {
	if tag, ok := t.options.ETag(); ok {
		opts.Set(OptionETag, tag)
	}
	off := b.Offset()
	n := min(t.size-off, int64(sizes.blockBytes(b.SZX, opts.Len(), token)))
	b.More = off+n < t.size
	if b.check() != nil {
		return nil, ErrTooLarge
	}
	opts.SetBlock(OptionBlock2, *b)
	if b.Num == 0 && !t.omitSize && t.size <= 1<<32-1 && !t.options.Has(OptionSize2) {
		opts.SetUint(OptionSize2, uint32(t.size))
	}
	if t.source == nil {
		return t.body[off : off+n], nil
	}
	payload := t.in.e.blockBuffer(int(n))
	return payload, readSource(t.source, payload, off)
}

// etag is a hash of the content, so that a client that resumes a transfer after its snapshot is
// gone can tell whether it still fetches the same content. For a source, which is not read twice
// for that, it is a random number.
func (t *transfer) etag() []byte {
	var tag [8]byte
	h := t.in.e.rand.Uint64()
	if t.source == nil {
		h = maphash.Bytes(t.in.e.hashSeed, t.body)
	}
	binary.BigEndian.PutUint64(tag[:], h)
	return tag[:4]
}

// transferKey identifies the transfer that a request belongs to: by its method and the options
// that are part of the cache key (RFC 7252 §5.4.2, RFC 7959 §2.4 and §2.5). Requests for further
// blocks of a response may leave out the options that describe the payload, which they lack.
func (e *Endpoint) transferKey(code Code, options *Options, incoming bool) uint64 {
	return e.hashKey(e.cacheKey(code, options, incoming))
}

func (e *Endpoint) hashKey(cacheKey []byte) uint64 { return maphash.Bytes(e.hashSeed, cacheKey) }

// cacheKey is what transferKey hashes. It is valid until the next call.
func (e *Endpoint) cacheKey(code Code, options *Options, incoming bool) []byte {
	b := append(e.key[:0], byte(code))
	for it := options.Iter(); it.Next(); {
		id := it.ID()
		switch id {
		case OptionBlock1, OptionBlock2, OptionObserve, OptionNoResponse:
			continue
		case OptionContentFormat, OptionETag, OptionRequestTag, OptionIfMatch, OptionIfNoneMatch:
			if !incoming && id != OptionRequestTag || id == OptionETag {
				continue
			}
		}
		if id.noCacheKey() {
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(id))
		b = binary.BigEndian.AppendUint16(b, uint16(len(it.Value())))
		b = append(b, it.Value()...)
	}
	e.key = b
	return b
}
