package coap

import (
	crand "crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config configures an [Endpoint].
type Config struct {
	// Scheduler runs the endpoint's deadlines. The endpoint, its connections and all callbacks
	// belong to the scheduler's goroutine. It may be shared with others. Required.
	Scheduler *sched.Scheduler
	// MaxMemory bounds, in bytes, what peers can make all connections together keep: partial
	// bodies, answers for de-duplication, snapshots. When it is reached, the block-wise
	// transfers that have been idle longest end. The zero value means 64 MiB.
	MaxMemory int
	// Seed makes tokens, message IDs and time-outs repeatable. It is for tests only: anyone who
	// knows the seed can forge answers. The zero value means that the seed is drawn from the
	// operating system.
	Seed [32]byte
}

// An Endpoint is what the connections of a process share: the scheduler, the memory budget, the
// random numbers and the buffers. It belongs to one goroutine and starts none.
type Endpoint struct {
	sched      *sched.Scheduler
	rand       *rand.Rand
	hashSeed   maphash.Seed
	maxMemory  int
	memory     int             // charged of maxMemory
	reserved   int             // of memory, for other purposes than transfers
	transfers  list[*transfer] // of all connections, the longest idle first
	requests   []*Request      // free
	txs        []*transmission // free
	deliveries []*delivery     // free
	receiving  bool            // guards in and inMsg
	in         []byte          // the datagram being handled
	inMsg      Message         // parsed from in
	out        []byte          // the encoded message being sent
	outMsg     Message         // the message being sent, with outOpts
	outOpts    Options         // its options
	sealing    Message         // being protected when its turn has come
	sealed     []byte          // its encoding
	block      []byte          // a block read from a source
	key        []byte          // what the key of a transfer is hashed from
}

const (
	defaultMaxMemory = 64 << 20
	// Free lists.
	maxFreeRequests      = 4 // one is served at a time
	maxFreeTransmissions = 16
	maxFreeBytes         = 1280 // of the buffer of each
)

// NewEndpoint makes an endpoint.
func NewEndpoint(cfg Config) (*Endpoint, error) {
	if cfg.Scheduler == nil {
		return nil, errors.New("coap: Config.Scheduler is missing")
	}
	if cfg.MaxMemory < 0 {
		return nil, fmt.Errorf("coap: Config.MaxMemory is %d, it must not be negative", cfg.MaxMemory)
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = defaultMaxMemory
	}
	if cfg.Seed == ([32]byte{}) {
		if _, err := crand.Read(cfg.Seed[:]); err != nil {
			return nil, fmt.Errorf("coap: no random numbers: %w", err)
		}
	}
	return &Endpoint{
		sched:     cfg.Scheduler,
		rand:      rand.New(rand.NewChaCha8(cfg.Seed)),
		hashSeed:  maphash.MakeSeed(),
		maxMemory: cfg.MaxMemory,
	}, nil
}

// Scheduler is the scheduler that the endpoint was made with.
func (e *Endpoint) Scheduler() *sched.Scheduler { return e.sched }

// Memory is how much of [Config.MaxMemory] is in use, in bytes.
func (e *Endpoint) Memory() int { return e.memory }

// charge accounts for memory that a peer makes this endpoint keep. When the budget is used up, it
// ends the transfers that have been idle longest.
func (e *Endpoint) charge(bytes int) bool {
	for e.memory+bytes > e.maxMemory {
		t, ok := e.transfers.first()
		if !ok || bytes > e.maxMemory {
			return false
		}
		t.end(ErrIdle)
	}
	e.memory += bytes
	return true
}

// refund is the opposite of charge.
func (e *Endpoint) refund(bytes int) { e.memory -= bytes }

// reserve accounts for memory of other purposes than transfers, which may use half of the budget.
// Otherwise peers that only send new message IDs, or requests that take long, could end the
// transfers of all others.
func (e *Endpoint) reserve(bytes int) bool {
	if e.reserved+bytes > e.maxMemory/2 || !e.charge(bytes) {
		return false
	}
	e.reserved += bytes
	return true
}

// unreserve is the opposite of reserve.
func (e *Endpoint) unreserve(bytes int) {
	e.reserved -= bytes
	e.refund(bytes)
}

// newToken draws a token that cannot be guessed (RFC 7252 §5.3.1).
func (e *Endpoint) newToken() uint64 { return e.rand.Uint64() }

// firstTimeout is between AckTimeout and AckTimeout times AckRandomFactor.
func (e *Endpoint) firstTimeout(p *Params) sched.Time {
	spread := int64(float64(p.AckTimeout) * (p.AckRandomFactor - 1))
	return sched.Time(int64(p.AckTimeout) + e.rand.Int64N(spread+1))
}

// receiveBuffer is the buffer that sockets are read into.
func (e *Endpoint) receiveBuffer() []byte {
	if e.in == nil {
		e.in = make([]byte, 1<<16)
	}
	return e.in
}

// blockBuffer is a buffer of n bytes.
func (e *Endpoint) blockBuffer(n int) []byte {
	if cap(e.block) < n {
		e.block = make([]byte, n)
	}
	return e.block[:n]
}
