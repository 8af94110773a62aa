package coap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// signal handles a signalling message (RFC 8323 §5).
func (s *stream) signal(m *Message) error {
	if !s.greeted && m.Code != CSM && m.Code != Abort {
		return s.abort(0, fmt.Errorf("%w: the first message is not a CSM (RFC 8323 §5.3)", ErrFormat))
	}
	for it := m.Options.Iter(); it.Next(); {
		// No critical option is defined for any of them so far.
		if it.ID().Critical() {
			return s.abort(it.ID(), fmt.Errorf("%w: critical option %d of %v is not understood", ErrFormat, uint16(it.ID()), m.Code))
		}
	}
	switch m.Code {
	case CSM:
		return s.settings(m)
	case Ping:
		pong := Message{Code: Pong, Token: m.Token}
		if m.Options.Has(pingCustody) {
			// Everything before was handled when it arrived (RFC 8323 §5.4.1).
			pong.Options.Add(pingCustody, nil)
		}
		return s.send(&pong)
	case Pong:
		s.ponged(m.Token)
	case Release:
		s.released = true
		return ErrReleased
	case Abort:
		reason := fmt.Errorf("%w: %q", ErrAborted, diagnostic(m.Payload))
		s.c.Close(reason)
		return reason
	}
	return nil // an unknown signal asks for nothing
}

// settings takes over what the peer says of itself; later messages change what
// they mention only (RFC 8323 §5.3).
func (s *stream) settings(m *Message) error {
	s.greeted = true
	for it := m.Options.Iter(); it.Next(); {
		switch it.ID() {
		case csmMaxMessageSize:
			if v := it.Value(); len(v) <= 4 {
				s.peerMax = int(min(parseUint(v), 1<<30))
			}
		case csmBlockWise:
			s.peerBlock = true
		}
	}
	s.peerMax = max(s.peerMax, 64) // less than that could not even carry an error
	return nil
}

// diagnostic is a payload for people to read, shortened.
func diagnostic(payload []byte) string {
	if !utf8.Valid(payload) {
		return ""
	}
	return string(payload[:min(len(payload), 200)])
}

// Release asks the peer of a stream to end the connection when it has
// answered everything (RFC 8323 §5.5). Over datagrams it is [ErrUsage].
func (c *Conn) Release() error {
	if c.stream == nil {
		return fmt.Errorf("%w: only a connection over a stream is released", ErrUsage)
	}
	if c.closed != nil {
		return c.closed
	}
	return c.stream.send(&Message{Code: Release})
}

// Abort tells the peer of a stream that the connection ends because of an error
// (RFC 8323 §5.6), and closes it; over datagrams it only closes it.
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

// A ping waits for its pong.
type ping struct {
	node  node[*ping]
	c     *Conn
	token [8]byte
	timer sched.Job
	done  func(error)
}

// Ping asks the peer for a sign of life: by an empty confirmable message over
// datagrams (RFC 7252 §4.3), by a Ping over a stream (RFC 8323 §5.4). done is
// called exactly once if the error is nil: with nil when the peer answered, or
// with the reason why not, [ErrTimeout] after MAX_TRANSMIT_WAIT at the latest.
func (c *Conn) Ping(done func(error)) error {
	if c.closed != nil {
		return c.closed
	}
	p := &ping{c: c, done: done}
	if c.stream == nil {
		_, err := c.transmit(p, &Message{Type: Confirmable})
		if err == nil {
			c.pump()
		}
		return err
	}
	binary.BigEndian.PutUint64(p.token[:], c.e.newToken())
	if err := c.stream.send(&Message{Code: Ping, Token: p.token[:]}); err != nil {
		return err
	}
	p.timer.Func = func() { p.finish(ErrTimeout) }
	c.e.sched.After(&p.timer, c.cfg.Params.wait())
	c.stream.pings.push(&p.node, p)
	return nil
}

func (p *ping) acked() { p.done(nil) }

// failed: a reset is the answer that a ping asks for.
func (p *ping) failed(err error) {
	if err == ErrReset {
		err = nil
	}
	p.done(err)
}

func (p *ping) finish(err error) {
	p.node.remove()
	p.c.e.sched.Cancel(&p.timer)
	p.done(err)
}

// ponged ends the ping with this token. A pong without a token, such as
// libcoap's, is taken for the oldest.
func (s *stream) ponged(token []byte) {
	for n := s.pings.head; n != nil; n = n.next {
		if len(token) == 0 || bytes.Equal(n.value.token[:], token) {
			n.value.finish(nil)
			return
		}
	}
	s.c.stats.Ignored++
}

// PeerSettings are what the peer of a stream has announced (RFC 8323 §5.3).
type PeerSettings struct {
	Announced  bool // its CSM has arrived
	MaxMessage int  // bytes
	BlockWise  bool
	Released   bool // it asked to end the connection
}

// Peer is what the peer of a stream has announced; zero over datagrams.
func (c *Conn) Peer() PeerSettings {
	if c.stream == nil {
		return PeerSettings{}
	}
	s := c.stream
	return PeerSettings{s.greeted, s.peerMax, s.peerBlock, s.released}
}
