package udp

import (
	"context"
	"net"
	"net/netip"
	"testing"

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
	for name, at := range map[string]netip.Addr{"udp4": loopback4, "udp6": loopback6} {
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, at, Dialer{}) })
		})
	}
	t.Run("portable", func(t *testing.T) {
		sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, loopback4, Dialer{portable: true}) })
	})
}

func newRig(t testing.TB, at netip.Addr, d Dialer) sockettest.Rig {
	t.Helper()
	leaktest.Check(t)
	first, second := newListener(t, at), newListener(t, at)
	d.Resolver = names{"multihomed": {netip.MustParseAddr("127.0.0.9"), at}}
	r := sockettest.Rig{
		Dialer:       d,
		Remote:       endpoint(first.Addr()),
		Peer:         first,
		Unused:       endpoint(unusedPort(t, at)),
		Unknown:      "nobody",
		SecondRemote: endpoint(second.Addr()),
		SecondPeer:   second,
		Taken:        taken(t, at),
	}
	if at.Is4() {
		r.Multihomed = socket.Endpoint{Host: "multihomed", Port: first.Addr().Port()}
	}
	return r
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

// taken is a local port that another socket holds for itself.
func taken(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return osnet.AddrPort(c.LocalAddr())
}

// unusedPort is a port that was just given back.
func unusedPort(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return osnet.AddrPort(c.LocalAddr())
}

// names is a name service.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if addrs := n[host]; addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
