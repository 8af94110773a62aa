package coap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// peerSettings are what the peer of a stream has announced (RFC 8323 §5.3).
type peerSettings struct {
	announced  bool // its CSM has arrived
	maxMessage int  // the largest message that it accepts, in bytes
	blockWise  bool // it supports block-wise transfer
	released   bool // it asked to end the connection
}

// handleSignal handles a signalling message (RFC 8323 §5).
func (s *stream) handleSignal(m *Message) error {
	if !s.peer.announced && m.Code != CSM && m.Code != Abort {
		return s.abort(0, errNoCSM)
	}
	for it := m.Options.Iter(); it.Next(); {
		// No signal has a critical option so far.
		if it.ID().Critical() {
			return s.abort(it.ID(), fmt.Errorf("%w: critical option %d of %v is not understood", ErrFormat, uint16(it.ID()), m.Code))
		}
	}
	switch m.Code {
	case CSM:
		return s.applySettings(m)
	case Ping:
		pong := &s.e.outMsg
		*pong = Message{Code: Pong, Token: m.Token}
		if m.Options.Has(pingCustody) {
			// Everything before it has been handled (RFC 8323 §5.4.1).
			pong.Options.Add(pingCustody, nil)
		}
		return s.send(pong, nil)
	case Pong:
		s.endPing(m.Token)
	case Release:
		s.peer.released = true
		return ErrReleased
	case Abort:
		reason := fmt.Errorf("%w: %q", ErrAborted, diagnostic(m.Payload))
		s.fail(reason)
		return reason
	}
	return nil // an unknown signal is ignored
}

// applySettings applies a CSM. A later one changes only what it mentions
// (RFC 8323 §5.3).
func (s *stream) applySettings(m *Message) error {
	s.peer.announced = true
	for it := m.Options.Iter(); it.Next(); {
		switch it.ID() {
		case csmMaxMessageSize:
			if v := it.Value(); len(v) <= 4 {
				s.peer.maxMessage = int(min(parseUint(v), 1<<30))
			}
		case csmBlockWise:
			s.peer.blockWise = true
		}
	}
	s.peer.maxMessage = max(s.peer.maxMessage, 64) // a smaller message cannot carry an error
	s.up.handleSettings()
	s.pump()
	return nil
}

// diagnostic is a payload as text for people, shortened.
func diagnostic(payload []byte) string {
	if !utf8.Valid(payload) {
		return ""
	}
	return string(payload[:min(len(payload), 200)])
}

// abort tells the peer why the connection ends, closes it and returns the reason.
func (s *stream) abort(badOption OptionID, reason error) error {
	m := &s.e.outMsg
	*m = Message{Code: Abort, Payload: []byte(reason.Error())}
	if badOption != 0 {
		m.Options.AddUint(abortBadCSM, uint32(badOption))
	}
	_ = s.send(m, nil)
	s.fail(reason)
	return reason
}

// A ping waits for its pong.
type ping struct {
	node  node[*ping]
	s     *stream
	token [8]byte
	timer sched.Job
	done  func(error)
}

// ping sends a Ping (RFC 8323 §5.4).
func (s *stream) ping(done func(error)) error {
	p := &ping{s: s, done: done}
	binary.BigEndian.PutUint64(p.token[:], s.e.newToken())
	if err := s.send(&Message{Code: Ping, Token: p.token[:]}, nil); err != nil {
		return err
	}
	p.timer.Func = func() { p.finish(ErrTimeout) }
	s.e.sched.After(&p.timer, s.cfg.Params.wait())
	s.pings.push(&p.node, p)
	return nil
}

func (p *ping) finish(err error) {
	p.node.remove()
	p.s.e.sched.Cancel(&p.timer)
	p.done(err)
}

// endPing ends the ping with this token. A pong without a token, such as libcoap's, ends the
// oldest.
func (s *stream) endPing(token []byte) {
	for n := s.pings.head; n != nil; n = n.next {
		if len(token) == 0 || bytes.Equal(n.value.token[:], token) {
			n.value.finish(nil)
			return
		}
	}
	s.stats.Ignored++
}
