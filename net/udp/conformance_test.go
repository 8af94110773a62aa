package udp

import (
	"net"
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
)

func TestConformance(t *testing.T) {
	for name, at := range map[string]netip.Addr{"udp4": loopbacktest.IPv4, "udp6": loopbacktest.IPv6} {
		t.Run(name, func(t *testing.T) {
			sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, at, Dialer{}) })
		})
	}
	t.Run("portable", func(t *testing.T) {
		sockettest.Run(t, func(t testing.TB) sockettest.Rig { return newRig(t, loopbacktest.IPv4, Dialer{portable: true}) })
	})
}

func newRig(t testing.TB, at netip.Addr, d Dialer) sockettest.Rig {
	t.Helper()
	leaktest.Check(t)
	first, second := newListener(t, at), newListener(t, at)
	d.Resolver = loopbacktest.Names{"multihomed": {netip.MustParseAddr("127.0.0.9"), at}}
	r := sockettest.Rig{
		Dialer:       d,
		Remote:       loopbacktest.Endpoint(first.Addr()),
		Peer:         first,
		Unused:       loopbacktest.Endpoint(unusedPort(t, at)),
		Unknown:      "nobody",
		SecondRemote: loopbacktest.Endpoint(second.Addr()),
		SecondPeer:   second,
		Taken:        taken(t, at),
		Stranger:     loopbacktest.Stranger,
	}
	if at.Is4() {
		r.Multihomed = socket.Endpoint{Host: "multihomed", Port: first.Addr().Port()}
	}
	return r
}

func newListener(t testing.TB, at netip.Addr) socket.Listener {
	t.Helper()
	return loopbacktest.Listen(t, at, Listen)
}

// taken returns a local port that another socket holds exclusively.
func taken(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return osnet.AddrPort(c.LocalAddr())
}

// unusedPort returns a port that was just released.
func unusedPort(t testing.TB, at netip.Addr) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return osnet.AddrPort(c.LocalAddr())
}
