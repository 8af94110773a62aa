package tcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]netip.Addr{"tcp4": loopbacktest.IPv4, "tcp6": loopbacktest.IPv6} {
		t.Run(name, func(t *testing.T) {
			quiet := silent(t, at)
			sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, at, quiet, Dialer{}) })
		})
	}
	t.Run("portable", func(t *testing.T) {
		quiet := silent(t, loopbacktest.IPv4)
		sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, loopbacktest.IPv4, quiet, Dialer{portable: true}) })
	})
}

func newRig(t testing.TB, at netip.Addr, quiet socket.Endpoint, d Dialer) sockettest.Rig {
	t.Helper()
	leaktest.Check(t)
	l := newListener(t, at)
	d.Resolver = loopbacktest.Names{}
	return sockettest.Rig{
		Dialer:  d,
		Remote:  loopbacktest.Endpoint(l.Addr()),
		Peer:    l,
		Unused:  loopbacktest.Endpoint(unusedPort(t, at)),
		Silent:  quiet,
		Unknown: "nobody",
		Taken:   l.Addr(), // a listener's own port
	}
}

func newListener(t testing.TB, at netip.Addr) socket.Listener {
	t.Helper()
	return loopbacktest.Listen(t, at, Listen)
}

// unusedPort returns a port that was just released.
func unusedPort(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return osnet.AddrPort(l.Addr())
}

// silent returns the endpoint of a listener whose queue is full, so that further connection
// requests get no answer; zero if it cannot be made here.
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
			return loopbacktest.Endpoint(osnet.AddrPort(l.Addr()))
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return socket.Endpoint{}
}
