package coap

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A transfer is the state of one block-wise transfer between two requests of
// the peer: a body that arrives (Block1), or the snapshot of an answer that is
// being fetched (Block2). It is found by the request's cache key, ends when it
// is complete, and is given up when it pauses for too long, when the peer has
// begun too many, or when the memory is needed.
type transfer struct {
	c        *Conn
	node     node[*transfer] // in c.transfers
	idleNode node[*transfer] // in e.transfers, the longest idle first
	key      uint64
	incoming bool
	charged  int // bytes taken of the endpoint's memory
	idle     sched.Job
	body     []byte

	// incoming
	limit    int
	sink     Sink
	received int64
	last     Block // the block taken last
	lastLen  int

	// outgoing
	code    Code
	options Options
	source  Source
	size    int64
}

// transferBytes is what a transfer costs beyond its body.
const transferBytes = 512

func (c *Conn) newTransfer(key uint64, incoming bool, bytes int) *transfer {
	if t := c.findTransfer(key, incoming); t != nil {
		t.end(ErrIdle) // begun anew
	}
	if c.transfers.n >= c.cfg.MaxTransfers {
		c.longestIdle().end(ErrIdle)
	}
	if !c.e.take(bytes + transferBytes) {
		return nil
	}
	t := &transfer{c: c, key: key, incoming: incoming, charged: bytes + transferBytes}
	t.idle.Func = t.expire
	c.transfers.push(&t.node, t)
	t.touch()
	return t
}

func (c *Conn) findTransfer(key uint64, incoming bool) *transfer {
	for n := c.transfers.head; n != nil; n = n.next {
		if n.value.key == key && n.value.incoming == incoming {
			return n.value
		}
	}
	return nil
}

func (c *Conn) longestIdle() *transfer { return c.transfers.head.value }

// touch puts the transfer behind all others in the order of being given up.
func (t *transfer) touch() {
	t.c.transfers.push(&t.node, t)
	t.c.e.transfers.push(&t.idleNode, t)
	t.c.e.sched.After(&t.idle, t.c.cfg.Params.ExchangeTimeout)
}

// detach takes the transfer out of all lists; its body stays.
func (t *transfer) detach() {
	t.node.remove()
	t.idleNode.remove()
	t.c.e.sched.Cancel(&t.idle)
}

// release gives the memory back and closes what is open.
func (t *transfer) release() {
	t.detach()
	t.c.e.give(t.charged)
	t.charged, t.body = 0, nil
	closeSource(t.source)
	t.source = nil
}

// end gives the transfer up.
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
	t.idleNode.remove() // out of the way while room is made
	ok := t.c.e.take(n)
	t.c.e.transfers.push(&t.idleNode, t)
	if ok {
		t.charged += n
	}
	return ok
}

// transferKey identifies the transfers a request can belong to: its method and
// the options that are part of the cache key (RFC 7252 §5.4.2, RFC 7959 §2.4
// and §2.5). Requests for further blocks of an answer may leave out what
// describes the payload, which they do not have.
func (c *Conn) transferKey(r *Request, incoming bool) uint64 {
	b := append(c.e.key[:0], byte(r.code))
	for it := r.options.Iter(); it.Next(); {
		id := it.ID()
		switch id {
		case OptionBlock1, OptionBlock2, OptionObserve, OptionNoResponse:
			continue
		case OptionContentFormat, OptionETag, OptionRequestTag, OptionIfMatch, OptionIfNoneMatch:
			if !incoming && id != OptionRequestTag || id == OptionETag {
				continue
			}
		}
		if id.NoCacheKey() {
			continue
		}
		b = binary.BigEndian.AppendUint16(b, uint16(id))
		b = binary.BigEndian.AppendUint16(b, uint16(len(it.Value())))
		b = append(b, it.Value()...)
	}
	c.e.key = b
	return maphash.Bytes(c.e.hashSeed, b)
}

func closeSource(s Source) {
	if s != nil {
		_ = s.Close()
	}
}
