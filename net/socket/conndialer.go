package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// ConnDialer is a Dialer whose sockets run over connections that a function makes. Make one with
// [NewConnDialer].
type ConnDialer struct {
	// MTU is the size of the largest datagram that a connection carries, and a good size for one
	// write to a stream. The zero value means Config.LinkMTU without the headers of IP and UDP or
	// TCP, and 1232 bytes if that is zero too.
	MTU int

	dial      func(ctx context.Context, network, address string) (io.ReadWriteCloser, error)
	schemes   []string
	addressed bool // the connections have addresses
}

// NewConnDialer returns a Dialer for a network that comes as a dial function: that of a VPN, an SSH
// tunnel, a proxy, or a multiplexer on a serial line. C is [net.Conn], or any other type that
// reads, writes and closes. The schemes are those of the server URIs that the dialer serves; none
// means coap and coap+tcp.
//
//	socket.NewConnDialer(vpn.DialContext)       // coap over its UDP, coap+tcp over its TCP
//	socket.NewConnDialer(line.Dial, "coap")     // datagrams only
//	socket.NewConnDialer(ssh.DialContext, "coap+tcp")
//
// dial is called as [net.Dialer.DialContext] is: network is "tcp" for a scheme that ends in "+tcp",
// which stands for a stream, and "udp" for every other, which stands for datagrams. address is the
// host and the port of the URI. If dial does not end with its context, Connect ends without it and
// closes the connection that dial makes later.
//
// On a connection for datagrams each Write is one datagram, and each Read returns one of the peer;
// datagrams from other addresses are dropped. Read and Write are called by two goroutines, which
// exist while the socket is open. Close must end a Read and a Write that are under way. The sockets
// have the abilities Counters and Notifier, streams also Backlog, and Addresses if C has the
// methods LocalAddr and RemoteAddr of a net.Conn. They refuse Config.Local and a forced
// Config.Family.
func NewConnDialer[C io.ReadWriteCloser](
	dial func(ctx context.Context, network, address string) (C, error), schemes ...string,
) *ConnDialer {
	d := &ConnDialer{schemes: slices.Clone(schemes)}
	if len(schemes) == 0 {
		d.schemes = []string{"coap", "coap+tcp"}
	}
	d.addressed = reflect.TypeFor[C]().Implements(reflect.TypeFor[connAddresses]())
	if dial != nil {
		d.dial = func(ctx context.Context, network, address string) (io.ReadWriteCloser, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err // not a C that is nil
			}
			return c, nil
		}
	}
	return d
}

// connAddresses are the methods of a net.Conn that return its addresses.
type connAddresses interface {
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

// Schemes implements Dialer.
func (d *ConnDialer) Schemes() []string { return slices.Clone(d.schemes) }

// NewSocket implements Dialer.
func (d *ConnDialer) NewSocket(c Config) (Socket, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	switch {
	case d.dial == nil:
		return nil, errors.New("conn dialer: no dial function: make a ConnDialer with socket.NewConnDialer")
	case d.MTU < 0:
		return nil, fmt.Errorf("conn dialer: MTU is %d, it must not be negative", d.MTU)
	case c.Security.Mode != ModeNoSec:
		return nil, fmt.Errorf("conn dialer: security mode %s: %w; use net/dtls or net/tls over it", c.Security.Mode,
			ErrNotSupported)
	case c.Local != netip.AddrPort{}:
		return nil, fmt.Errorf("conn dialer: the local address %s: %w; choose it in the dial function", c.Local,
			ErrNotSupported)
	case c.Family == ForceIPv4 || c.Family == ForceIPv6:
		return nil, fmt.Errorf("conn dialer: %s: %w; select the family in the dial function", c.Family, ErrNotSupported)
	}
	scheme := c.Scheme
	if scheme == "" {
		scheme = d.schemes[0]
	}
	return newConnSocket(d, kindOfScheme(scheme), &c), nil
}

// kindOfScheme returns which kind of socket a scheme stands for (RFC 8323 §8).
func kindOfScheme(scheme string) Kind {
	if strings.HasSuffix(scheme, "+tcp") {
		return Stream
	}
	return Datagram
}

// payload returns how many bytes a packet of the link carries.
func (d *ConnDialer) payload(k Kind, linkMTU int) int {
	const fallback, ip, udp, tcp = 1280, 40, 8, 20 // IPv6's least MTU, and headers
	switch {
	case d.MTU > 0:
		return d.MTU
	case linkMTU == 0:
		linkMTU = fallback
	}
	if k == Stream {
		return linkMTU - ip - tcp
	}
	return linkMTU - ip - udp
}

// connect calls the dial function. It ends with ctx even if that does not.
func (d *ConnDialer) connect(ctx context.Context, k Kind, remote Endpoint) (io.ReadWriteCloser, error) {
	network := "udp"
	if k == Stream {
		network = "tcp"
	}
	type result struct {
		conn io.ReadWriteCloser
		err  error
	}
	dialled := make(chan result)
	go func() {
		c, err := d.dial(ctx, network, remote.String())
		select {
		case dialled <- result{c, err}:
		case <-ctx.Done():
			if err == nil {
				_ = c.Close()
			}
		}
	}()
	select {
	case r := <-dialled:
		if r.err != nil {
			return nil, WrapError(r.err)
		}
		return r.conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ending returns why a Connect that failed with err has ended: its context or Close if they have,
// because err may be a consequence that came a moment earlier.
func ending(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d, ok := ctx.Deadline(); ok && err != nil && passed(d) {
		return context.DeadlineExceeded
	}
	return err
}

// addrPort returns an address of package net as numbers, zero if it names no port of a host.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || ap.Port() == 0 || ap.Addr().IsUnspecified() {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// closePause is how long Close waits until the connection has taken what was sent before.
const closePause = 50 * time.Millisecond

// closePatience is how long Close waits for the end of the connection's Read, Write and Close.
const closePatience = time.Second
