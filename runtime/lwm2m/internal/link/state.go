package link

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// State is what the next connection of a link needs to continue the last one. It can be stored as
// JSON, for a later process.
type State struct {
	// Conn is that of coap.Conn.Save, and contains values of the device. It is empty for a stream.
	Conn []byte `json:"conn,omitempty"`
	// Local and Remote are the addresses of both ends, as far as the network tells them.
	Local  netip.AddrPort `json:"local,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"`
	// RegisteredFrom is that of SetRegisteredFrom.
	RegisteredFrom netip.Addr `json:"registered_from,omitzero"`
}

// Save returns the state of the connection, or of the last one if there is none. Call it directly
// before the link ends, because it does not cover what happens later, and use it for one Restore.
func (l *Link) Save() State {
	st := l.last
	if l.socket != nil {
		st = l.socket.state()
	}
	st.RegisteredFrom = l.registeredFrom
	return st
}

// Restore continues the link of an earlier process. It must be called before the first Connect,
// which prefers the address of the server in the earlier process, and the same local port: without
// security the server knows the device by it, and so does a NAT. If the program has configured a
// local address, or the port is taken, another port is used.
func (l *Link) Restore(st State) {
	l.last, l.restored = st, true
	l.registeredFrom = st.RegisteredFrom
}

// bind binds a new socket to the port of an earlier process, unless the program has bound it. A
// stream is not bound: the port of a TCP connection cannot be used again at once.
func (o *Opened) bind(port uint16) {
	b := socket.Detect(o.Socket).Binder
	if port == 0 || b == nil || o.Socket.Kind() == socket.Stream || o.Socket.State() == socket.StateBound {
		return
	}
	if b.Bind(netip.AddrPortFrom(netip.Addr{}, port)) == nil {
		o.bound = b
	}
}

// unbind is called after a Connect that has undone bind, or not. After a success the socket keeps
// its port by itself, as far as it can.
func (o *Opened) unbind(undone, connected bool) {
	if o.bound == nil || !undone && !connected {
		return
	}
	if !undone {
		_ = o.bound.Bind(netip.AddrPort{}) // it was bound by the same call
	}
	o.bound = nil
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
