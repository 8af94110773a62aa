package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes UDP sockets for the scheme coap. The zero value is ready.
type Dialer struct {
	// Resolver looks up host names; a *net.Resolver is one. Zero: net.DefaultResolver.
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
	// Control is called for every system socket before it is bound and connected, to set options: a network interface,
	// DSCP, priority. It is that of [net.Dialer]. Zero: none.
	Control func(network, address string, c syscall.RawConn) error

	portable bool // use what works on every system; for tests
}

// Schemes returns "coap".
func (Dialer) Schemes() []string { return []string{"coap"} }

// NewSocket makes a closed socket.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("udp: %w", err)
	}
	if c.Security.Mode != socket.ModeNoSec {
		return nil, fmt.Errorf("udp: security mode %s: %w: it takes the scheme coaps and the dialer of net/dtls", c.Security.Mode, socket.ErrNotSupported)
	}
	s := &udpSocket{dialer: d, linkMTU: c.LinkMTU}
	s.life.Init(s, &c)
	return s, nil
}

// Resolve looks up a host name for the socket's life cycle.
func (s *udpSocket) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return osnet.Lookup(ctx, s.dialer.Resolver, host)
}

// Dial makes a connection to one address for the socket's life cycle.
func (s *udpSocket) Dial(ctx context.Context, local, remote netip.AddrPort) (*conn, error) {
	var from net.Addr // not a nil *net.UDPAddr
	bound := local != netip.AddrPort{}
	if bound {
		from = net.UDPAddrFromAddrPort(osnet.Local(local, remote.Addr()))
	}
	share := bound && s.life.Bound().Port() != 0
	nc, err := osnet.Dial(ctx, net.Dialer{}, "udp", from, remote, share, s.dialer.Control)
	if err != nil {
		return nil, err
	}
	c, err := newConn(nc.(*net.UDPConn), s.dialer.portable)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	if bound {
		c.discard()
	}
	return c, nil
}
