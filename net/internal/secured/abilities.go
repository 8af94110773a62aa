package secured

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Abilities implements socket.Describer: the abilities of the socket below but Backlog, and in
// addition Session and, unless a listener made the socket, Shutdowner and Forgetter.
func (s *Socket[L]) Abilities() socket.Abilities {
	a := s.Able
	a.Session, a.Shutdowner, a.Forgetter, a.Buffered, a.Backlog = s, nil, nil, nil, nil
	if !s.accepted {
		a.Shutdowner, a.Forgetter = s, s
	}
	if a.Alternates != nil {
		a.Alternates = s
	}
	if a.Binder != nil {
		a.Binder = s
	}
	if a.Notifier != nil {
		a.Notifier = s
	}
	if a.Handle != nil {
		a.Buffered = s
	}
	return a
}

// Bind implements socket.Binder.
func (s *Socket[L]) Bind(local netip.AddrPort) error { return s.Able.Binder.Bind(local) }

// ForgetSession implements socket.Forgetter.
func (s *Socket[L]) ForgetSession(remote socket.Endpoint) error { return s.protocol.Forget(remote) }

// HasBuffered implements socket.Buffered.
func (s *Socket[L]) HasBuffered() bool {
	if l, open := s.Link(); open && l.HasBuffered() {
		return true
	}
	return s.Able.Buffered != nil && s.Able.Buffered.HasBuffered()
}

// NotifyReadable implements socket.Notifier. During a Connect ready may be called for the messages
// of the handshake too.
func (s *Socket[L]) NotifyReadable(ready func()) {
	s.notice.Lock()
	s.ready = ready
	s.notice.Unlock()
	s.Able.Notifier.NotifyReadable(ready)
	s.announce()
}

// announce calls the function of NotifyReadable if the link has something that the socket below
// does not show.
func (s *Socket[L]) announce() {
	s.notice.Lock()
	ready := s.ready
	s.notice.Unlock()
	if l, open := s.Link(); ready != nil && open && l.HasBuffered() {
		ready()
	}
}
