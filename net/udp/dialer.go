package udp

import (
	"context"
	"net/netip"
	"syscall"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes UDP sockets for the scheme coap. The zero value is ready to use.
type Dialer struct {
	// Resolver looks up host names; a *net.Resolver is one. The zero value means
	// net.DefaultResolver.
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
	// Control is called for every socket of the system before it is bound and connected, to set
	// options: a network interface, DSCP, priority. See [net.Dialer]. The zero value means none.
	Control func(network, address string, c syscall.RawConn) error

	portable bool // use only what works on every system; for tests
}

// Schemes returns "coap".
func (Dialer) Schemes() []string { return []string{"coap"} }

// NewSocket makes a closed socket.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := lifecycle.CheckPlain("udp", &c, "the scheme coaps with the Dialer of net/dtls"); err != nil {
		return nil, err
	}
	s := &udpSocket{dialer: d}
	s.Init(s, &c)
	return s, nil
}

// Options implements osnet.Transport.
func (s *udpSocket) Options() osnet.Options {
	return osnet.Options{Resolver: s.dialer.Resolver, Control: s.dialer.Control}
}
