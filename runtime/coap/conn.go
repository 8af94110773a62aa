package coap

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// ConnConfig is what a [Conn] is made with.
type ConnConfig struct {
	// Socket carries the messages: RFC 7252 over datagrams, RFC 8323 over a
	// stream. It must be connected and stays the caller's: the caller connects
	// and closes it, and sets its receive deadline. Required.
	Socket socket.Socket
	// Handler answers the peer's requests. Nil: they are answered 4.04.
	Handler Handler
	// Params are the transmission parameters. Zero: those of RFC 7252.
	Params Params
	// BlockSize is the largest block to send and to ask for: a power of two from
	// 16 to 1024, in bytes. It gets smaller where the socket's MTU asks for it.
	// Zero: 1024.
	BlockSize int
	// MaxBody bounds, in bytes, the bodies that are kept in memory for a handler
	// or a caller who did not set another bound. Zero: 64 KiB.
	MaxBody int
	// MaxTransfers bounds the block-wise transfers the peer may have under way
	// at a time; a further one ends the one that paused longest. Zero: 16.
	MaxTransfers int
	// MaxHistory bounds, in bytes, what is remembered of the peer's messages to
	// recognize repetitions and answer them. Zero: 4 MiB, enough for every
	// message ID there is.
	MaxHistory int
	// MaxQueue bounds the messages that wait for their turn (NSTART), and the
	// peer's requests that are being worked on: a further one is answered 5.03.
	// Zero: 1024.
	MaxQueue int
	// MaxObservations bounds the peer's observations: a further one is answered
	// without becoming one (RFC 7641 §4.1). Zero: 1024.
	MaxObservations int
	// MaxToken is the longest token to accept, 8 to 65804 bytes (RFC 8974); a
	// longer one is a format error. Zero: 8.
	MaxToken int
	// MaxMessage is the largest message to accept from a stream, at least 1152
	// bytes (RFC 8323 §5.3.1). Zero: 64 KiB.
	MaxMessage int
	// Critical are numbers of critical options that the handler understands
	// beyond those of this package. Nil: none.
	Critical []OptionID
	// OnClose is called once when the connection was closed, by [Conn.Close] or
	// because a stream cannot go on, after everything under way has ended. Nil:
	// nobody is told.
	OnClose func(reason error)
	// KeepOnTimeout keeps an observation whose confirmable notification was not
	// acknowledged. False: it is cancelled (RFC 7641 §4.5).
	KeepOnTimeout bool
}

// withDefaults checks c and fills in what is zero.
func (c ConnConfig) withDefaults() (ConnConfig, error) {
	var faults []error
	def := func(name string, v *int, zero, low, high int) {
		if *v == 0 {
			*v = zero
		}
		if *v < low || *v > high {
			faults = append(faults, fmt.Errorf("coap: ConnConfig.%s is %d, it must be from %d to %d", name, *v, low, high))
		}
	}
	const big = 1<<31 - 1
	def("BlockSize", &c.BlockSize, 1024, 16, 1024)
	def("MaxBody", &c.MaxBody, 64<<10, 1, big)
	def("MaxTransfers", &c.MaxTransfers, 16, 1, big)
	def("MaxHistory", &c.MaxHistory, 4<<20, 1024, big)
	def("MaxQueue", &c.MaxQueue, 1024, 1, big)
	def("MaxObservations", &c.MaxObservations, 1024, 1, big)
	def("MaxToken", &c.MaxToken, 8, 8, MaxToken)
	def("MaxMessage", &c.MaxMessage, 64<<10, 1152, big)
	if c.BlockSize&(c.BlockSize-1) != 0 {
		faults = append(faults, fmt.Errorf("coap: ConnConfig.BlockSize is %d, it must be a power of two", c.BlockSize))
	}
	if c.Socket == nil {
		faults = append(faults, errors.New("coap: ConnConfig.Socket is missing"))
	}
	faults = append(faults, c.Params.Validate())
	c.Params = c.Params.withDefaults()
	return c, errors.Join(faults...)
}

// A Conn is the exchange layer over one socket, towards one peer: requests in
// both directions, retransmission, de-duplication, block-wise transfer and
// observation. It never waits and starts no goroutine; it belongs to the
// goroutine of its endpoint's scheduler, callbacks included. Callbacks may call
// every method, [Conn.Close] included.
type Conn struct {
	e      *Endpoint
	cfg    ConnConfig
	stream *stream // nil over datagrams
	closed error

	lifetime sched.Time // EXCHANGE_LIFETIME
	mids     midAllocator
	sent     table[uint16, *transmission] // waiting for an acknowledgement
	queue    list[*transmission]          // waiting for their turn
	inflight int                          // outstanding interactions (NSTART)
	lastErr  error                        // of the socket
	pumping  sched.Job                    // when message IDs are free again

	seen     history
	forget   sched.Job // when the next entry of seen expires
	seenSize int       // bytes taken for seen

	calls        list[*Call]
	byToken      table[uint64, *Call]
	requests     list[*Request] // being worked on after Serve has returned
	transfers    list[*transfer]
	observations list[*Observation]
	observeSeq   uint32

	stats Stats
}

// Stats are counters since the connection was made.
type Stats struct {
	BytesSent, BytesReceived       uint64 // CoAP messages, without lower layers
	MessagesSent, MessagesReceived uint64
	Retransmissions                uint64 // confirmable messages sent again
	Repeated                       uint64 // messages that arrived again
	Malformed                      uint64 // messages with a format error, and other versions
	Ignored                        uint64 // acknowledgements, resets and responses that belong to nothing
	SendErrors                     uint64 // messages that the socket did not take
}

// NewConn makes the exchange layer for a connected socket. Over a stream the
// first message, the CSM, is sent at once.
func (e *Endpoint) NewConn(cfg ConnConfig) (*Conn, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Conn{e: e, cfg: cfg}
	c.setLifetime()
	c.mids.next = uint16(e.rand.Uint32())
	c.observeSeq = e.rand.Uint32() & 0xffff
	c.forget.Func = c.forgetSeen
	c.pumping.Func = c.pump
	if cfg.Socket.Kind() == socket.Stream {
		if err := c.startStream(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Endpoint is the endpoint the connection was made by.
func (c *Conn) Endpoint() *Endpoint { return c.e }

// Socket is the socket the connection was made with.
func (c *Conn) Socket() socket.Socket { return c.cfg.Socket }

// Stats are the connection's counters.
func (c *Conn) Stats() Stats { return c.stats }

// Params are the transmission parameters in force, without zeros.
func (c *Conn) Params() Params {
	p := c.cfg.Params
	if p.MaxRetransmit == 0 {
		p.MaxRetransmit = -1 // which is how it is said
	}
	return p
}

// SetParams changes the transmission parameters. Messages under way keep theirs.
func (c *Conn) SetParams(p Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	c.cfg.Params = p.withDefaults()
	c.setLifetime()
	c.pump()
	return nil
}

func (c *Conn) setLifetime() {
	p := &c.cfg.Params
	c.lifetime = sched.Time(p.span() + 2*p.MaxLatency + p.AckTimeout)
}

// Idle reports whether nothing is under way: no request in either direction,
// no message waiting for its acknowledgement and no block-wise transfer.
// Observations and what is remembered for de-duplication do not count.
func (c *Conn) Idle() bool {
	for n := c.calls.head; n != nil; n = n.next {
		if n.value.state != callObserving {
			return false
		}
	}
	return c.requests.n == 0 && c.transfers.n == 0 && len(c.sent.m) == 0 && c.queue.n == 0
}

// Closed is the reason the connection was closed for, or nil.
func (c *Conn) Closed() error { return c.closed }

// Close ends everything under way, in the order it began, and sends nothing.
// Every request of ours has its outcome then: an error that matches
// [ErrClosed], and reason if that is not nil. Observations are cancelled,
// transfers aborted; requests of the peer can no longer be answered. The
// socket stays open. Closing twice does nothing.
func (c *Conn) Close(reason error) {
	if c.closed != nil {
		return
	}
	c.closed = ErrClosed
	if reason != nil {
		c.closed = fmt.Errorf("%w: %w", ErrClosed, reason)
	}
	s := c.e.sched
	s.Cancel(&c.forget)
	s.Cancel(&c.pumping)
	c.closeStream()
	for c.calls.n > 0 {
		call, _ := c.calls.first()
		call.finish(Result{Err: c.closed, Last: true})
	}
	for c.queue.n > 0 {
		t, _ := c.queue.first()
		t.fail(c.closed)
	}
	for len(c.sent.m) > 0 {
		c.oldestSent().fail(c.closed)
	}
	for c.observations.n > 0 {
		o, _ := c.observations.first()
		o.end(ObserveClosed)
	}
	for c.transfers.n > 0 {
		t, _ := c.transfers.first()
		t.end(c.closed)
	}
	for c.requests.n > 0 {
		r, _ := c.requests.first()
		r.drop()
	}
	c.seen.reset(c)
	if c.cfg.OnClose != nil {
		c.cfg.OnClose(c.closed)
	}
}

// oldestSent is the message with the lowest sequence of those that wait.
func (c *Conn) oldestSent() *transmission {
	var oldest *transmission
	for _, t := range c.sent.m {
		if oldest == nil || t.number < oldest.number {
			oldest = t
		}
	}
	return oldest
}

// take accounts for memory of the history.
func (c *Conn) take(bytes int) bool {
	if c.seenSize+bytes > c.cfg.MaxHistory || !c.e.reserve(bytes) {
		return false
	}
	c.seenSize += bytes
	return true
}

func (c *Conn) give(bytes int) {
	c.seenSize -= bytes
	c.e.unreserve(bytes)
}

func (c *Conn) forgetSeen() {
	if next, more := c.seen.expire(c.e.sched.Now(), c); more {
		c.e.sched.At(&c.forget, next)
	}
}

// write hands one encoded message to the socket.
func (c *Conn) write(b []byte) error {
	err := c.cfg.Socket.Send(b)
	if err != nil {
		c.stats.SendErrors++
		c.lastErr = err
		return err
	}
	c.stats.MessagesSent++
	c.stats.BytesSent += uint64(len(b))
	return nil
}

// lossy reports the errors after which a datagram counts as lost on its way,
// so that retransmission repairs it.
func lossy(err error) bool {
	return errors.Is(err, socket.ErrBusy) || errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrUnreachable)
}
