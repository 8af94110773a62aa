package tcp

import (
	"net"
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// tcpSocket is a socket.Socket with the abilities that the package documentation names.
type tcpSocket struct {
	osnet.Socket[*conn]
	dialer Dialer
	limits limits
}

// Kind implements socket.Socket.
func (s *tcpSocket) Kind() socket.Kind { return socket.Stream }

// Payload implements osnet.Transport.
func (s *tcpSocket) Payload(mtu int, remote netip.Addr) int { return osnet.TCPPayload(mtu, remote) }

// NewConn implements osnet.Transport.
func (s *tcpSocket) NewConn(c net.Conn, _ bool) (*conn, error) {
	return newConn(c.(*net.TCPConn), s.limits, s.dialer.portable)
}

// SendBacklog implements socket.Backlog.
func (s *tcpSocket) SendBacklog() int {
	if c, open := s.Conn(); open {
		return c.pending()
	}
	return 0
}
