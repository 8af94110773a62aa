// Package loopbacktest helps to test networks of the operating system on its loopback addresses.
package loopbacktest

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// The loopback addresses.
var (
	IPv4 = netip.MustParseAddr("127.0.0.1")
	IPv6 = netip.MustParseAddr("::1")
)

// Listen listens with listen on a free port of a loopback address until the test ends. It skips the
// test if there is no such address.
func Listen(t testing.TB, at netip.Addr, listen func(netip.AddrPort) (socket.Listener, error)) socket.Listener {
	t.Helper()
	l, err := listen(netip.AddrPortFrom(at, 0))
	if err != nil {
		t.Skipf("no such loopback here: %v", err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Endpoint returns the remote end for a socket that connects to a.
func Endpoint(a netip.AddrPort) socket.Endpoint {
	return socket.Endpoint{Host: a.Addr().String(), Port: a.Port()}
}

// Names is a name service.
type Names map[string][]netip.Addr

// LookupNetIP implements the Resolver of udp.Dialer and tcp.Dialer.
func (n Names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs := n[host]; addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// Stranger sends a datagram to a local address from a port of its own; see sockettest.Rig.
func Stranger(to netip.AddrPort, datagram []byte) error {
	c, err := net.Dial("udp", to.String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.Write(datagram)
	return err
}
