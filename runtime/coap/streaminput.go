package coap

import "fmt"

// receive handles what was read from the stream.
func (s *stream) receive(b []byte) error {
	s.stats.BytesReceived += uint64(len(b))
	var released error
	data := b
	if len(s.partial) > 0 {
		s.partial = append(s.partial, b...)
		data = s.partial
	}
	for len(data) > 0 && s.closed == nil {
		if !s.peer.announced && isTLSRecord(data) {
			s.stats.Malformed++
			return s.abort(0, errTLS)
		}
		size, err := FrameTCP(data)
		if err == ErrIncomplete {
			break
		}
		if err == nil && size > int64(s.cfg.MaxMessage) {
			err = fmt.Errorf("%w: a message of %d bytes, %d are announced", ErrFormat, size, s.cfg.MaxMessage)
		}
		if err == nil && size > int64(len(data)) {
			break
		}
		m := &s.e.inMsg
		if err == nil {
			_, err = m.ParseTCP(data[:size])
		}
		if err == nil && len(m.Token) > s.cfg.MaxToken {
			err = errTokenLength
		}
		if err != nil {
			s.stats.Malformed++
			if !s.peer.announced {
				err = fmt.Errorf("%w (%v)", errNoCSM, err)
			}
			return s.abort(0, err)
		}
		data = data[size:]
		s.stats.MessagesReceived++
		switch err := s.handleMessage(m); {
		case err == ErrReleased:
			released = err // what follows still counts
		case err != nil:
			return err
		}
	}
	if s.closed != nil {
		return nil
	}
	if err := s.storePartial(data); err != nil {
		return err
	}
	return released
}

// storePartial stores the beginning of a message that is not complete yet.
func (s *stream) storePartial(data []byte) error {
	if len(data) == 0 {
		s.e.unreserve(s.charged)
		s.charged = 0
		s.partial = s.partial[:0]
		if cap(s.partial) > maxFreeBytes {
			s.partial = nil
		}
		return nil
	}
	if more := len(data) - s.charged; more > 0 {
		if !s.e.reserve(more) {
			return s.abort(0, fmt.Errorf("%w: no memory for the message", ErrBusy))
		}
		s.charged += more
	}
	s.partial = append(s.partial[:0], data...) // data may be the end of s.partial
	return nil
}

// handleMessage handles one message.
func (s *stream) handleMessage(m *Message) error {
	if m.Code.isSignal() {
		return s.handleSignal(m)
	}
	if !s.peer.announced {
		return s.abort(0, errNoCSM)
	}
	switch {
	case m.Code == Empty: // keeps the connection alive (RFC 8323 §3.4)
	case m.Code.IsRequest():
		s.up.handleRequest(m, envelope{kind: Confirmable, acked: true})
	default:
		s.handleResponse(m)
	}
	return nil
}

func (s *stream) handleResponse(m *Message) {
	q := s.up.findRequester(m.Token)
	if q == nil {
		s.stats.Ignored++
		return
	}
	err := q.admit(m)
	if err == errRefused || q.isCrossing(m) {
		s.stats.Ignored++
		return
	}
	q.respond(m, err)
}
