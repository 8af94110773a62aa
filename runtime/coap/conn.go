package coap

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// A Conn is the exchange layer over one socket, towards one peer: requests in both directions,
// retransmission, de-duplication, block-wise transfer and observation. It never waits and starts
// no goroutine. It belongs to the goroutine of its endpoint's scheduler, callbacks included.
// Callbacks may call every method, including [Conn.Close].
type Conn struct {
	shared
	datagrams    *datagrams // nil over a stream
	stream       *stream    // nil over datagrams
	transfers    transfers
	calls        calls
	requests     requests
	observations observations
	router       router
}

// NewConn makes the exchange layer for a connected socket. Over a stream it sends the first
// message, the CSM, at once.
func (e *Endpoint) NewConn(cfg ConnConfig) (*Conn, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Conn{shared: shared{e: e, cfg: cfg, pace: newPace()}}
	s := &c.shared
	s.conn = c
	s.setParams(cfg.Params)
	c.router = router{calls: &c.calls, requests: &c.requests, observations: &c.observations}
	var peer *peerSettings // of a stream
	if cfg.Socket.Kind() == socket.Stream {
		c.stream = newStream(s, &c.router, c.Close)
		c.carrier, peer = c.stream, &c.stream.peer
	} else {
		c.datagrams = newDatagrams(s, &c.router)
		c.carrier = c.datagrams
	}
	c.cfg.Saved = nil
	c.sizes = newBlockSizes(&cfg, peer)
	c.transfers.shared = s
	c.observations.init(s)
	c.observations.transfers = &c.transfers
	c.calls.shared = s
	c.requests = requests{shared: s, transfers: &c.transfers, observations: &c.observations}
	if c.datagrams != nil && len(cfg.Saved) > 0 {
		c.restore(cfg.Saved)
	}
	if c.stream != nil {
		if err := c.stream.start(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Endpoint is the endpoint that made the connection.
func (c *Conn) Endpoint() *Endpoint { return c.e }

// Socket is the socket that the connection was made with.
func (c *Conn) Socket() socket.Socket { return c.cfg.Socket }

// Stats are the connection's counters.
func (c *Conn) Stats() Stats { return c.stats }

// MessageIDs is how many message IDs are free for messages of normal priority, up to 65536. Below
// 16384 notifications are sent so slowly that the rest lasts. Over a stream it is 65536.
func (c *Conn) MessageIDs() int {
	if c.datagrams == nil {
		return 1 << 16
	}
	n, _ := c.datagrams.mids.count(c.e.sched.Now())
	return n
}

// Params are the transmission parameters in force, without zeros.
func (c *Conn) Params() Params {
	p := c.cfg.Params
	if p.MaxRetransmit == 0 {
		p.MaxRetransmit = -1 // how Params say it
	}
	return p
}

// SetParams changes the transmission parameters. A message that has been sent keeps its time-outs,
// and what has arrived its delay and lifetime; all else has the new ones at once, messages that
// wait included. If that makes NSTART larger, further messages are sent before SetParams returns.
func (c *Conn) SetParams(p Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	c.setParams(p.withDefaults())
	c.carrier.pump()
	return nil
}

// Receive reads up to limit datagrams, or pieces of a stream, from the socket and handles them. It
// waits as long as the socket's receive deadline allows, and returns when that passes: with
// [socket.NoWait] it handles what has arrived. n is how many it read.
//
// The error is nil then. Otherwise it is that of the socket, or over a stream of the peer's
// messages ([ErrFormat], [ErrAborted], [ErrReleased]). The caller decides whether to continue; a
// stream must be ended after any error but ErrReleased. Called from a callback, Receive does
// nothing.
func (c *Conn) Receive(limit int) (n int, err error) {
	if c.e.receiving {
		return 0, nil
	}
	for n < limit && c.closed == nil {
		buf := c.e.receiveBuffer()
		size, err := c.cfg.Socket.Recv(buf)
		switch {
		case err == nil:
		case errors.Is(err, socket.ErrTimeout):
			return n, nil
		case errors.Is(err, socket.ErrMessageTooLong) && c.stream == nil:
			c.stats.Malformed++ // no message is longer than 64 KiB
			n++
			continue
		default:
			c.lastErr = err
			if c.stream != nil {
				err = c.stream.explainEnd(err)
			}
			return n, err
		}
		n++
		if err := c.handle(buf[:size]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Handle handles one datagram that was received by other means than [Conn.Receive]. It may change
// the datagram and does not keep it. Called from a callback, or over a stream, it does nothing.
func (c *Conn) Handle(datagram []byte) {
	if c.e.receiving || c.closed != nil || c.stream != nil {
		return
	}
	_ = c.handle(datagram)
}

// handle handles what arrived. The endpoint's input buffers are in use until it returns.
func (c *Conn) handle(b []byte) (err error) {
	c.e.receiving = true
	defer func() { c.e.receiving = false }()
	if c.stream != nil {
		return c.stream.receive(b)
	}
	c.datagrams.handle(b)
	return nil
}

// Do begins a request. Its outcome is passed to call.Done, possibly before Do returns. An error
// means that nothing was begun and Done will not be called: the connection is closed
// ([ErrClosed]), too much is queued ([ErrBusy]), the peer has released the connection
// ([ErrReleased]), or the call is wrong ([ErrUsage], [ErrEncode]).
func (c *Conn) Do(call *Call) error { return c.calls.do(call) }

// Ping asks the peer for a sign of life: by an empty confirmable message over datagrams
// (RFC 7252 §4.3), by a Ping over a stream (RFC 8323 §5.4). done is called exactly once if the
// error is nil: with nil when the peer answered, or with the reason why not, which is
// [ErrTimeout] after MAX_TRANSMIT_WAIT at the latest.
func (c *Conn) Ping(done func(error)) error {
	if c.closed != nil {
		return c.closed
	}
	return c.carrier.ping(done)
}

// Resume continues an observation on another connection of the same endpoint to the same peer,
// after the observation has ended because its own connection was closed: the peer still knows it
// by its token, for instance because its DTLS session continues. The error matches [ErrUsage] for
// an observation that has not ended or belongs to another endpoint, matches [ErrClosed] when c is
// closed, and is [ErrBusy] when there are too many observations.
func (c *Conn) Resume(old *Observation) (*Observation, error) { return c.observations.resume(old) }

// Release asks the peer of a stream to end the connection when it has answered everything
// (RFC 8323 §5.5). Over datagrams the error matches [ErrUsage].
func (c *Conn) Release() error {
	if c.stream == nil {
		return fmt.Errorf("%w: only a connection over a stream is released", ErrUsage)
	}
	if c.closed != nil {
		return c.closed
	}
	return c.stream.send(&Message{Code: Release}, nil)
}

// Abort tells the peer of a stream that the connection ends because of an error (RFC 8323 §5.6),
// and closes it. Over datagrams it only closes it.
func (c *Conn) Abort(reason error) {
	if c.stream == nil || c.closed != nil {
		c.Close(reason)
		return
	}
	if reason == nil {
		reason = errors.New("ended")
	}
	_ = c.stream.abort(0, reason)
}

// Busy reports what is under way, for a device that wants to turn its receiver off. exchange: a
// request of this endpoint waits for its response or observes, one of the peer waits for its
// answer, or a message waits to be sent or acknowledged. transfer: the peer is between two blocks
// of a block-wise transfer, or has abandoned it; see [Params.ExchangeTimeout].
func (c *Conn) Busy() (exchange, transfer bool) {
	exchange = c.calls.active.n > 0 || c.requests.pending.n > 0 || c.notices.n > 0
	if c.datagrams != nil {
		x := &c.datagrams.transmitter
		exchange = exchange || x.inflight > 0 || x.suspended.n > 0 || x.waiting.len() > 0
	}
	return exchange, c.transfers.n > 0
}

// Closed is the reason for which the connection was closed, or nil.
func (c *Conn) Closed() error { return c.closed }

// Close ends everything outstanding, in the order it began, and sends nothing. Each request of
// this endpoint gets its outcome: an error that matches [ErrClosed], and reason if that is not
// nil. Observations end and transfers are aborted; requests of the peer can no longer be answered.
// The socket stays open. A second call does nothing.
func (c *Conn) Close(reason error) {
	if c.closed != nil {
		return
	}
	c.closed = ErrClosed
	if reason != nil {
		c.closed = fmt.Errorf("%w: %w", ErrClosed, reason)
	}
	if c.stream != nil {
		c.stream.close(c.closed)
	}
	c.calls.close(c.closed)
	c.failNotices(c.closed)
	if c.datagrams != nil {
		c.datagrams.transmitter.close(c.closed)
	}
	c.observations.close()
	c.transfers.close(c.closed)
	c.requests.close()
	if c.datagrams != nil {
		c.datagrams.seen.close()
	}
	if c.cfg.OnClose != nil {
		c.cfg.OnClose(c.closed)
	}
}
