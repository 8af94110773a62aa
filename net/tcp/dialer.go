package tcp

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer makes TCP sockets for the scheme coap+tcp. The zero value is ready to use.
type Dialer struct {
	// Resolver looks up host names; a *net.Resolver is one. The zero value means
	// net.DefaultResolver.
	Resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	}
	// Control is called for every socket of the system before it is bound and connected, to set
	// options: a network interface, DSCP, priority. See [net.Dialer]. The zero value means none.
	Control func(network, address string, c syscall.RawConn) error
	// ConnectTimeout is how long one address is tried before the next one. The zero value means 20
	// s.
	ConnectTimeout time.Duration
	// StallTimeout is how long data may wait for the peer to take any of it before the connection
	// is broken. The zero value means 30 s.
	StallTimeout time.Duration
	// KeepAlive configures the system's keep-alive probes. The zero value means off, because each
	// probe wakes a radio; CoAP has its own Ping (RFC 8323 §5.4).
	KeepAlive net.KeepAliveConfig

	portable bool // use only what works on every system; for tests
}

const (
	defaultConnectTimeout = 20 * time.Second
	defaultStallTimeout   = 30 * time.Second
	defaultSendBuffer     = 64 << 10
)

// Schemes returns "coap+tcp".
func (Dialer) Schemes() []string { return []string{"coap+tcp"} }

// NewSocket makes a closed socket.
func (d Dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := lifecycle.CheckPlain("tcp", &c, "the scheme coaps+tcp with the Dialer of net/tls"); err != nil {
		return nil, err
	}
	if d.ConnectTimeout < 0 || d.StallTimeout < 0 {
		return nil, fmt.Errorf("tcp: ConnectTimeout %v and StallTimeout %v must not be negative",
			d.ConnectTimeout, d.StallTimeout)
	}
	s := &tcpSocket{dialer: d, limits: limits{buffer: c.SendBuffer, stall: d.StallTimeout}.withDefaults()}
	s.Init(s, &c)
	return s, nil
}

// limits bound the backlog of a connection.
type limits struct {
	buffer int
	stall  time.Duration
}

func (l limits) withDefaults() limits {
	if l.buffer == 0 {
		l.buffer = defaultSendBuffer
	}
	if l.stall == 0 {
		l.stall = defaultStallTimeout
	}
	return l
}

// Options implements osnet.Transport.
func (s *tcpSocket) Options() osnet.Options {
	timeout := cmp.Or(s.dialer.ConnectTimeout, defaultConnectTimeout)
	return osnet.Options{
		Dialer:   net.Dialer{Timeout: timeout, KeepAlive: -1, KeepAliveConfig: s.dialer.KeepAlive},
		Resolver: s.dialer.Resolver,
		Control:  s.dialer.Control,
	}
}
