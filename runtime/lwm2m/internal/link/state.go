package link

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// State is what the next connection of a link needs to continue the last one.
type State struct {
	// Conn is that of coap.Conn.Save, and contains values of the device. It is empty for a stream.
	Conn []byte `json:"conn,omitempty"`
	// Local and Remote are the addresses of both ends, as far as the network tells them.
	Local  netip.AddrPort `json:"local,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"`
}

// state returns the state of a connection.
func (s *Socket) state() State {
	st := State{Conn: s.conn.Save()}
	if a := s.able.Addresses; a != nil {
		st.Local, st.Remote = a.LocalAddr(), a.RemoteAddr()
	}
	return st
}

// continues reports whether the server takes a new connection and the last one for the same
// endpoint, so that both repeat messages and remember message IDs (RFC 7252 §4.5): with security if
// the session is the same or was resumed, without security if both addresses are the same. A
// network that does not tell its addresses, such as a serial line, is expected to keep them.
func (l *Link) continues(able *socket.Abilities) bool {
	if l.opened.Secured {
		return able.Session != nil && able.Session.Resumption() != socket.NewSession
	}
	if able.Addresses == nil {
		return true
	}
	return able.Addresses.LocalAddr() == l.last.Local && able.Addresses.RemoteAddr() == l.last.Remote
}
