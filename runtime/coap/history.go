package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// history remembers the message IDs that arrived from a peer and the reactions to them, for
// EXCHANGE_LIFETIME (RFC 7252 §4.5). The token is remembered with each: a peer that has restarted
// may use a message ID again too early, and the answer to its old message would be of no use.
// Finding and adding cost O(1): entries lie in a ring in the order of arrival, which is the order
// in which they expire. Each hash bucket chains its entries from the newest to the oldest, so that
// a chain ends where it reaches a forgotten entry.
//
// Entry numbers count arrivals and wrap around.
type history struct {
	ring        []arrival // length is a power of two, or none
	buckets     []uint32  // newest entry by hash of its message ID
	first, next uint32    // entries first..next-1 are remembered

	// Answers lie in a ring of chunks.
	chunks                []chunk // length is a power of two, or none
	firstChunk, nextChunk uint32  // chunks firstChunk..nextChunk-1 are in use
	chunkBytes            int     // bytes in chunks
}

// A reaction is how a repeated message is answered.
type reaction uint8

const (
	reactIgnore reaction = iota // not at all: it was not confirmable, or has no response yet
	reactAck                    // an empty acknowledgement
	reactReset                  // a reset
	reactAnswer                 // the answer stored in a chunk
)

type arrival struct {
	expires sched.Time
	mark    uint32 // of the message
	older   uint32 // next entry of the same bucket
	chunk   uint32 // where the answer is
	at      uint16
	size    uint16
	mid     uint16
	react   reaction
}

// A chunk holds answers one after the other.
type chunk struct {
	bytes   []byte
	expires sched.Time // when the last of them is forgotten
}

// memory accounts for what a peer makes this endpoint remember.
type memory interface {
	charge(bytes int) bool
	refund(bytes int)
}

const (
	minChunkBytes = 2048
	arrivalBytes  = 36 // an arrival and its bucket
	firstArrivals = 8
)

func (h *history) isLive(n uint32) bool { return n-h.first < h.next-h.first }

func (h *history) entry(n uint32) *arrival { return &h.ring[n&uint32(len(h.ring)-1)] }

func (h *history) bucket(mid uint16) *uint32 {
	return &h.buckets[uint32(mid)&uint32(len(h.buckets)-1)]
}

// markOf returns what tells a message from another one with its message ID. A repetition has the
// same mark (FNV-1a).
func markOf(m *Message) uint32 {
	const offset, prime = 2166136261, 16777619
	mark := (offset ^ uint32(m.Code)) * prime
	for _, b := range m.Token {
		mark = (mark ^ uint32(b)) * prime
	}
	return mark
}

// find is the entry of a message that has not expired, or nil.
func (h *history) find(mid uint16, mark uint32, now sched.Time) *arrival {
	if len(h.ring) == 0 {
		return nil
	}
	for n := *h.bucket(mid); h.isLive(n); {
		a := h.entry(n)
		if a.mid == mid && a.mark == mark {
			if a.expires <= now {
				return nil
			}
			return a
		}
		if a.older-h.first >= n-h.first {
			return nil // the chain must lead to the past
		}
		n = a.older
	}
	return nil
}

// add remembers a message and returns the number of its entry. If m has no memory left, the oldest
// entry is forgotten.
func (h *history) add(mid uint16, mark uint32, now, expires sched.Time, m memory) uint32 {
	for h.first != h.next && h.entry(h.first).expires <= now {
		h.first++
	}
	if int(h.next-h.first) == len(h.ring) && !h.enlarge(m) {
		if len(h.ring) == 0 {
			return h.next // no memory at all: a repetition is not recognized
		}
		h.first++
	}
	n := h.next
	h.next++
	b := h.bucket(mid)
	*h.entry(n) = arrival{expires: expires, mark: mark, older: *b, mid: mid}
	*b = n
	return n
}

func (h *history) enlarge(m memory) bool {
	size := max(2*len(h.ring), firstArrivals)
	if size > 1<<16 || !m.charge((size-len(h.ring))*arrivalBytes) {
		return false
	}
	old := *h
	h.ring = make([]arrival, size)
	h.buckets = make([]uint32, size)
	for i := range h.buckets {
		h.buckets[i] = h.first - 1 // empty
	}
	for n := old.first; n != old.next; n++ {
		a := *old.entry(n)
		b := h.bucket(a.mid)
		a.older = *b
		*h.entry(n) = a
		*b = n
	}
	return true
}

// set sets how repetitions of entry n are answered from now on.
func (h *history) set(n uint32, r reaction) {
	if h.isLive(n) {
		h.entry(n).react = r
	}
}

// forget forgets the message ID of entry n. The entry stays in the ring until it is the first.
func (h *history) forget(n uint32) {
	if h.isLive(n) {
		h.entry(n).expires = 0
	}
}

// dropAnswer makes the answer to entry n one that was dropped.
func (h *history) dropAnswer(n uint32) {
	if h.isLive(n) {
		h.entry(n).chunk = h.firstChunk - 1
	}
}

// storeAnswer stores the answer to entry n. When limit bytes of answers are stored or m has no
// memory left, the oldest answers are dropped.
func (h *history) storeAnswer(n uint32, answer []byte, limit int, m memory) {
	if !h.isLive(n) || len(answer) > 1<<16-1 {
		return
	}
	c := h.lastChunk()
	if c == nil || cap(c.bytes)-len(c.bytes) < len(answer) {
		if c = h.addChunk(max(minChunkBytes, len(answer)), limit, m); c == nil {
			return
		}
	}
	a := h.entry(n)
	a.react, a.chunk = reactAnswer, h.nextChunk-1
	a.at, a.size = uint16(len(c.bytes)), uint16(len(answer))
	c.bytes = append(c.bytes, answer...)
	c.expires = max(c.expires, a.expires)
}

func (h *history) hasChunks() bool { return h.firstChunk != h.nextChunk }

func (h *history) chunkAt(n uint32) *chunk { return &h.chunks[n&uint32(len(h.chunks)-1)] }

func (h *history) lastChunk() *chunk {
	if !h.hasChunks() {
		return nil
	}
	return h.chunkAt(h.nextChunk - 1)
}

// addChunk returns a new last chunk, or nil when there is no memory for it.
func (h *history) addChunk(size, limit int, m memory) *chunk {
	var spare []byte
	for h.chunkBytes+size > limit || !m.charge(size) {
		if !h.hasChunks() {
			return nil
		}
		spare = h.dropChunk(m)
	}
	if cap(spare) != size {
		spare = make([]byte, 0, size)
	}
	if int(h.nextChunk-h.firstChunk) == len(h.chunks) {
		old := *h
		h.chunks = make([]chunk, max(2*len(old.chunks), 1))
		for n := old.firstChunk; n != old.nextChunk; n++ {
			*h.chunkAt(n) = *old.chunkAt(n)
		}
	}
	h.chunkBytes += size
	h.nextChunk++
	c := h.lastChunk()
	*c = chunk{bytes: spare[:0]}
	return c
}

// answer is the answer that was stored for a, or nil if it was dropped.
func (h *history) answer(a *arrival) []byte {
	if a.chunk-h.firstChunk >= h.nextChunk-h.firstChunk {
		return nil
	}
	return h.chunkAt(a.chunk).bytes[a.at:][:a.size]
}

func (h *history) dropChunk(m memory) []byte {
	c := h.chunkAt(h.firstChunk)
	b := c.bytes
	*c = chunk{}
	m.refund(cap(b))
	h.chunkBytes -= cap(b)
	h.firstChunk++
	return b
}

// expire forgets what has expired, and frees the memory when nothing is left. It returns when
// the next entry expires.
func (h *history) expire(now sched.Time, m memory) (next sched.Time, more bool) {
	for h.first != h.next && h.entry(h.first).expires <= now {
		h.first++
	}
	for h.hasChunks() && h.chunkAt(h.firstChunk).expires <= now {
		h.dropChunk(m)
	}
	if h.first == h.next {
		h.reset(m)
		return 0, false
	}
	return h.entry(h.first).expires, true
}

// reset forgets everything.
func (h *history) reset(m memory) {
	for h.hasChunks() {
		h.dropChunk(m)
	}
	m.refund(len(h.ring) * arrivalBytes)
	*h = history{}
}
