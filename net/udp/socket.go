package udp

import (
	"net"
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// udpSocket is a socket.Socket with the abilities that the package documentation names.
type udpSocket struct {
	osnet.Socket[*conn]
	dialer Dialer
}

// Kind implements socket.Socket.
func (s *udpSocket) Kind() socket.Kind { return socket.Datagram }

// Payload implements osnet.Transport.
func (s *udpSocket) Payload(mtu int, remote netip.Addr) int { return osnet.UDPPayload(mtu, remote) }

// NewConn implements osnet.Transport.
func (s *udpSocket) NewConn(nc net.Conn, bound bool) (*conn, error) {
	c, err := newConn(nc.(*net.UDPConn), s.dialer.portable)
	if err == nil && bound {
		c.discard()
	}
	return c, err
}
