package tcp

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]netip.Addr{"tcp4": loopback4, "tcp6": loopback6} {
		t.Run(name, func(t *testing.T) {
			quiet := silent(t, at)
			sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, at, quiet, Dialer{}) })
		})
	}
	t.Run("portable", func(t *testing.T) {
		quiet := silent(t, loopback4)
		sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, loopback4, quiet, Dialer{portable: true}) })
	})
}

func newRig(t testing.TB, at netip.Addr, quiet socket.Endpoint, d Dialer) sockettest.Rig {
	t.Helper()
	leaktest.Check(t)
	l := newListener(t, at)
	d.Resolver = names{}
	return sockettest.Rig{
		Dialer:  d,
		Remote:  endpoint(l.Addr()),
		Peer:    l,
		Unused:  endpoint(unusedPort(t, at)),
		Silent:  quiet,
		Unknown: "nobody",
		Taken:   l.Addr(), // a listener's own port
	}
}

func newListener(t testing.TB, at netip.Addr) socket.Listener {
	t.Helper()
	l, err := Listen(netip.AddrPortFrom(at, 0))
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

func endpoint(a netip.AddrPort) socket.Endpoint {
	return socket.Endpoint{Host: a.Addr().String(), Port: a.Port()}
}

// unusedPort is a port that was just given back.
func unusedPort(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return osnet.AddrPort(l.Addr())
}

// silent is a listener whose queue is full, so that nobody answers a further connection request; zero if it cannot be made here.
func silent(t testing.TB, at netip.Addr) socket.Endpoint {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Skipf("no such loopback here: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := shortQueue(l); err != nil {
		return socket.Endpoint{}
	}
	for range 10 {
		c, err := net.DialTimeout("tcp", l.Addr().String(), 300*time.Millisecond)
		if err != nil {
			return endpoint(osnet.AddrPort(l.Addr()))
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return socket.Endpoint{}
}

// names is a name service.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs := n[host]; addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
