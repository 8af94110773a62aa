package coap

import (
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A stream is what a connection over a reliable transport has beyond one over
// datagrams: framing, and the signalling of RFC 8323.
type stream struct {
	c        *Conn
	buf      []byte // an incomplete message
	charged  int    // bytes taken of the endpoint's memory for buf
	backlog  []byte // what the socket has not taken over yet
	flushing sched.Job

	peerMax   int // the largest message the peer takes
	peerBlock bool
	greeted   bool // the peer's CSM has arrived
	released  bool // the peer wants to end the connection
	pings     list[*ping]
}

const (
	baseMaxMessage = 1152 // until the peer says more (RFC 8323 §5.3.1)
	// sendPiece is what the socket is given at a time: it takes all or nothing,
	// and its buffer may be smaller than a message.
	sendPiece  = 16 << 10
	maxBacklog = 1 << 20
	flushEvery = 5 * time.Millisecond
)

// Options of signalling messages (RFC 8323 §5.3 to §5.6, RFC 8974 §2.2.1).
const (
	csmMaxMessageSize OptionID = 2
	csmBlockWise      OptionID = 4
	csmTokenLength    OptionID = 6
	pingCustody       OptionID = 2
	abortBadCSM       OptionID = 2
)

func (c *Conn) startStream() error {
	s := &stream{c: c, peerMax: baseMaxMessage}
	s.flushing.Func = s.flush
	c.stream = s
	m := Message{Code: CSM}
	m.Options.AddUint(csmMaxMessageSize, uint32(c.cfg.MaxMessage))
	m.Options.Add(csmBlockWise, nil)
	if c.cfg.MaxToken > 8 {
		m.Options.AddUint(csmTokenLength, uint32(c.cfg.MaxToken))
	}
	return s.send(&m)
}

func (c *Conn) closeStream() {
	s := c.stream
	if s == nil {
		return
	}
	c.e.sched.Cancel(&s.flushing)
	c.e.unreserve(len(s.backlog))
	s.backlog = nil
	_ = s.keep(nil)
	for s.pings.n > 0 {
		p, _ := s.pings.first()
		p.finish(c.closed)
	}
}

// bert reports whether the peer takes blocks of several kilobytes (RFC 8323 §6).
func (s *stream) bert() bool { return s.peerBlock && s.peerMax > baseMaxMessage }

// send sends one message, or queues it when the socket is busy.
func (s *stream) send(m *Message) error {
	out, err := m.AppendTCP(s.c.e.out[:0])
	if err != nil {
		return err
	}
	s.c.e.out = out
	if len(out) > s.peerMax {
		return fmt.Errorf("%w: a message of %d bytes for a peer that takes %d", ErrTooLarge, len(out), s.peerMax)
	}
	rest := out
	if len(s.backlog) == 0 {
		if rest, err = s.write(out); err != nil {
			return fmt.Errorf("coap: sending: %w", err)
		}
	}
	if len(rest) > 0 {
		if len(s.backlog) > maxBacklog || !s.c.e.reserve(len(rest)) {
			if len(rest) < len(out) { // half a message is on its way
				s.c.Close(fmt.Errorf("%w: no memory for what the peer does not read", ErrBusy))
			}
			return ErrBusy
		}
		s.backlog = append(s.backlog, rest...)
		if !s.flushing.Pending() {
			s.c.e.sched.After(&s.flushing, flushEvery)
		}
	}
	s.c.stats.MessagesSent++
	s.c.stats.BytesSent += uint64(len(out))
	if cap(s.c.e.out) > 1<<17 {
		s.c.e.out = nil
	}
	return nil
}

// write gives the socket what it takes and returns the rest.
func (s *stream) write(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		n := min(len(b), sendPiece)
		if err := s.c.cfg.Socket.Send(b[:n]); err != nil {
			if errors.Is(err, socket.ErrBusy) {
				return b, nil
			}
			s.c.stats.SendErrors++
			s.c.lastErr = err
			return b, err
		}
		b = b[n:]
	}
	return nil, nil
}

// flush tries to send the backlog.
func (s *stream) flush() {
	rest, err := s.write(s.backlog)
	if err != nil {
		s.c.Close(fmt.Errorf("coap: sending: %w", err))
		return
	}
	n := copy(s.backlog, rest)
	s.c.e.unreserve(len(s.backlog) - n)
	s.backlog = s.backlog[:n]
	if n > 0 {
		s.c.e.sched.After(&s.flushing, flushEvery)
	} else if cap(s.backlog) > maxFreeBytes {
		s.backlog = nil
	}
}

// receive handles what was read from the stream.
func (s *stream) receive(b []byte) error {
	c := s.c
	c.e.receiving = true
	defer func() { c.e.receiving = false }()
	c.stats.BytesReceived += uint64(len(b))
	var released error
	data := b
	if len(s.buf) > 0 {
		s.buf = append(s.buf, b...)
		data = s.buf
	}
	for len(data) > 0 && c.closed == nil {
		size, err := FrameTCP(data)
		if err == ErrIncomplete {
			break
		}
		if err == nil && size > int64(c.cfg.MaxMessage) {
			err = fmt.Errorf("%w: a message of %d bytes, %d are announced", ErrFormat, size, c.cfg.MaxMessage)
		}
		if err == nil && size > int64(len(data)) {
			break
		}
		m := &c.e.msg
		if err == nil {
			_, err = m.ParseTCP(data[:size])
		}
		if err == nil && len(m.Token) > c.cfg.MaxToken {
			err = errTokenLength
		}
		if err != nil {
			c.stats.Malformed++
			return s.abort(0, err)
		}
		data = data[size:]
		c.stats.MessagesReceived++
		switch err := s.message(m); {
		case err == ErrReleased:
			released = err // what follows still counts
		case err != nil:
			return err
		}
	}
	if c.closed != nil {
		return nil
	}
	if err := s.keep(data); err != nil {
		return err
	}
	return released
}

// keep stores the beginning of a message that is not complete yet.
func (s *stream) keep(data []byte) error {
	if len(data) == 0 {
		s.c.e.unreserve(s.charged)
		s.charged = 0
		s.buf = s.buf[:0]
		if cap(s.buf) > maxFreeBytes {
			s.buf = nil
		}
		return nil
	}
	if more := len(data) - s.charged; more > 0 {
		if !s.c.e.reserve(more) {
			return s.abort(0, fmt.Errorf("%w: no memory for the message", ErrBusy))
		}
		s.charged += more
	}
	s.buf = append(s.buf[:0], data...) // data may be the end of s.buf
	return nil
}

// message handles one message.
func (s *stream) message(m *Message) error {
	c := s.c
	if m.Code.IsSignal() {
		return s.signal(m)
	}
	if !s.greeted {
		return s.abort(0, fmt.Errorf("%w: the first message is not a CSM (RFC 8323 §5.3)", ErrFormat))
	}
	switch {
	case m.Code == Empty: // keeps the connection alive (RFC 8323 §3.4)
	case m.Code.IsRequest():
		c.request(m, 0)
	default:
		call := c.callFor(m.Token)
		if call == nil || call.cancel && m.Options.Has(OptionObserve) {
			c.stats.Ignored++
			return nil
		}
		call.respond(m)
	}
	return nil
}

// abort tells the peer why the connection ends, and returns the reason.
func (s *stream) abort(badOption OptionID, reason error) error {
	m := Message{Code: Abort, Payload: []byte(reason.Error())}
	if badOption != 0 {
		m.Options.AddUint(abortBadCSM, uint32(badOption))
	}
	_ = s.send(&m)
	s.c.Close(reason)
	return reason
}
