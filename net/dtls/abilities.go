package dtls

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Abilities implements socket.Describer: what the socket below is able to do, and besides Shutdowner and Session.
func (s *conn) Abilities() socket.Abilities {
	a := socket.Abilities{Session: s}
	if s.server == nil {
		a.Shutdowner = s
	}
	a.Addresses, a.Counters, a.ReceiverOff, a.Handle = s.able.Addresses, s.able.Counters, s.able.ReceiverOff, s.able.Handle
	if s.able.Binder != nil {
		a.Binder = s
	}
	if s.able.Alternates != nil {
		a.Alternates = s
	}
	if s.able.Notifier != nil {
		a.Notifier = s
	}
	if s.able.Handle != nil {
		a.Buffered = s
	}
	return a
}

// Bind implements socket.Binder.
func (s *conn) Bind(local netip.AddrPort) error { return s.able.Binder.Bind(local) }

// HasBuffered implements socket.Buffered.
func (s *conn) HasBuffered() bool {
	if l := s.cur.Load(); l != nil && l.hasBuffered() {
		return true
	}
	return s.able.Buffered != nil && s.able.Buffered.HasBuffered()
}

// NotifyReadable implements socket.Notifier. During a Connect it may be called for the handshake's datagrams too.
func (s *conn) NotifyReadable(ready func()) {
	s.notice.Lock()
	s.ready = ready
	s.notice.Unlock()
	s.able.Notifier.NotifyReadable(ready)
	if ready != nil {
		s.announce()
	}
}
