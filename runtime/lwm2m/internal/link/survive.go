package link

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// registrationSurvives reports whether the registration is valid over a new connection.
func (l *Link) registrationSurvives() bool { return l.RegistrationLoss() == "" }

// RegistrationLoss returns why a registration over an earlier connection is not valid over the
// present one (Transport 1.2.2 §6.4.3), in words. It is empty if the registration is valid. A new
// security context ends it; whether a resumed session is one is disputed (OMA issue 506), so that
// Config decides. Without security a new local IP address ends it; a new port alone does not. A
// network that cannot tell may have a new session, or a new address. Over a stream the connection
// itself is the session.
func (l *Link) RegistrationLoss() string {
	session := l.socket.able.Session
	from, local := l.registeredFrom, l.LocalIP()
	switch {
	case l.opened.Socket.Kind() == socket.Stream:
		return "a new stream"
	case session != nil && session.Resumption() == socket.ConnectionIDResumed,
		session != nil && session.Resumption() == socket.SessionResumed && l.cfg.ResumptionKeepsRegistration:
		return ""
	case session != nil:
		return session.Resumption().String()
	case l.opened.Secured:
		return "the network does not tell whether the session was resumed"
	case !local.IsValid() || !from.IsValid():
		return "the network does not tell the local address"
	case local != from:
		return "the local address has changed from " + from.String() + " to " + local.String()
	}
	return ""
}

// SetRegisteredFrom says from which IP address the device has registered: that of LocalIP when the
// server has confirmed the registration.
func (l *Link) SetRegisteredFrom(a netip.Addr) { l.registeredFrom = a }

// LocalIP returns the local IP address of the last connection. It is the zero Addr if there was
// none, or if the network cannot tell.
func (l *Link) LocalIP() netip.Addr {
	if l.opened.Socket == nil {
		return netip.Addr{}
	}
	if a := socket.Detect(l.opened.Socket).Addresses; a != nil {
		return a.LocalAddr().Addr().WithZone("")
	}
	return netip.Addr{}
}
