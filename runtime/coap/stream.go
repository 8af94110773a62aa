package coap

import (
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A stream is the message layer of RFC 8323 over one stream socket: framing, the backlog of what
// the socket does not accept at once, and the signals.
type stream struct {
	*shared
	up   receiver
	fail func(reason error) // closes the connection

	partial  []byte // an incomplete message
	charged  int    // bytes charged for partial
	backlog  []byte // what the socket has not accepted yet
	flushing sched.Job

	peer  peerSettings
	pings list[*ping]
}

const (
	baseMaxMessage = 1152 // until the peer announces more (RFC 8323 §5.3.1)
	// sendPiece is the most that the socket is given at a time: it accepts all or nothing, and
	// its buffer may be smaller than a message.
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

func newStream(s *shared, up receiver, fail func(error)) *stream {
	st := &stream{shared: s, up: up, fail: fail, peer: peerSettings{maxMessage: baseMaxMessage}}
	st.flushing.Func = st.flush
	return st
}

// start sends the CSM, the first message of a connection (RFC 8323 §5.3).
func (s *stream) start() error {
	m := &s.e.outMsg
	*m = Message{Code: CSM}
	m.Options.AddUint(csmMaxMessageSize, uint32(s.cfg.MaxMessage))
	m.Options.Add(csmBlockWise, nil)
	if s.cfg.MaxToken > 8 {
		m.Options.AddUint(csmTokenLength, uint32(s.cfg.MaxToken))
	}
	return s.send(m, nil)
}

func (s *stream) close(reason error) {
	s.e.sched.Cancel(&s.flushing)
	s.e.unreserve(len(s.backlog))
	s.backlog = nil
	_ = s.storePartial(nil)
	for p, ok := s.pings.first(); ok; p, ok = s.pings.first() {
		p.finish(reason)
	}
}

// queue sends m at once: the stream itself is reliable and in order (RFC 8323 §3.3).
func (s *stream) queue(_ sender, m *Message, how sending) (*transmission, error) {
	return nil, s.send(m, how.protect)
}

func (s *stream) sendOnce(m *Message, protect protector) (mid uint16, err error) {
	return 0, s.send(m, protect)
}

func (s *stream) respond(r *Request, m *Message, _ bool) error {
	if r.options.suppresses(m.Code) {
		return nil
	}
	err := s.send(m, protectorOf(r.binding))
	if errors.Is(err, ErrBusy) {
		// A response cannot be left out, and the peer does not read.
		s.fail(err)
	}
	return err
}

func (s *stream) acknowledge(*Request) {}

func (s *stream) forget(*Request) {}

func (s *stream) rejectRequest(*Request) {} // there is no such message

// pump sends the notifications that wait: as soon as the peer has said what it accepts, and while
// it reads, so that what is sent is the state at that time.
func (s *stream) pump() {
	for s.closed == nil && s.peer.announced && len(s.backlog) == 0 {
		d, ok := s.notices.first()
		if !ok {
			return
		}
		m, t, err := d.compose()
		if err == nil {
			err = s.send(m, protectorOf(d.o.binding))
		}
		d.finishCompose(t, err)
		if err != nil {
			d.fail(err)
		} else {
			d.settle(nil)
		}
	}
}

// send protects and sends one message, or queues what the socket does not accept.
func (s *stream) send(m *Message, protect protector) error {
	if protect != nil {
		if err := protect.apply(m); err != nil {
			return err
		}
	}
	out, err := m.AppendTCP(s.e.out[:0])
	if err != nil {
		return err
	}
	s.e.out = out
	if len(out) > s.peer.maxMessage {
		return fmt.Errorf("%w: a message of %d bytes, the peer accepts %d", ErrTooLarge, len(out), s.peer.maxMessage)
	}
	rest := out
	if len(s.backlog) == 0 {
		if rest, err = s.writePieces(out); err != nil {
			return fmt.Errorf("coap: sending: %w", err)
		}
	}
	if len(rest) > 0 {
		if len(s.backlog) > maxBacklog || !s.e.reserve(len(rest)) {
			if len(rest) < len(out) { // half a message is on its way
				s.fail(fmt.Errorf("%w: no memory for what the peer does not read", ErrBusy))
			}
			return ErrBusy
		}
		s.backlog = append(s.backlog, rest...)
		if !s.flushing.Pending() {
			s.e.sched.After(&s.flushing, flushEvery)
		}
	}
	s.stats.MessagesSent++
	s.stats.BytesSent += uint64(len(out))
	if cap(s.e.out) > 1<<17 {
		s.e.out = nil
	}
	return nil
}

// writePieces gives the socket what it accepts and returns the rest.
func (s *stream) writePieces(b []byte) (rest []byte, err error) {
	for len(b) > 0 {
		n := min(len(b), sendPiece)
		if err := s.cfg.Socket.Send(b[:n]); err != nil {
			if errors.Is(err, socket.ErrBusy) {
				return b, nil
			}
			s.stats.SendErrors++
			s.lastErr = err
			return b, err
		}
		b = b[n:]
	}
	return nil, nil
}

// flush tries to send the backlog.
func (s *stream) flush() {
	rest, err := s.writePieces(s.backlog)
	if err != nil {
		s.fail(fmt.Errorf("coap: sending: %w", err))
		return
	}
	n := copy(s.backlog, rest)
	s.e.unreserve(len(s.backlog) - n)
	s.backlog = s.backlog[:n]
	if n > 0 {
		s.e.sched.After(&s.flushing, flushEvery)
		return
	}
	if cap(s.backlog) > maxFreeBytes {
		s.backlog = nil
	}
	s.pump()
}
