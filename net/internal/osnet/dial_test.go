package osnet

import (
	"net/netip"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestLocalAddrOfADialer(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		name   string
		kind   socket.Kind
		local  string
		remote netip.Addr
		want   string
	}{
		{"an unspecified address", socket.Datagram, "[::]:0", v6, "[::]:0"},
		{"address and port", socket.Stream, "192.0.2.7:5683", v4, "192.0.2.7:5683"},
		{"address alone", socket.Datagram, "[2001:db8::7]:0", v6, "[2001:db8::7]:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := localAddr(c.kind, netip.MustParseAddrPort(c.local), c.remote); got.String() != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
	portOnly := netip.AddrPortFrom(netip.Addr{}, 5683)
	if got := localAddr(socket.Datagram, portOnly, v4); got.String() != "0.0.0.0:5683" || got.Network() != "udp" {
		t.Errorf("port alone over IPv4: %v", got)
	}
	if got := localAddr(socket.Stream, portOnly, v6); got.String() != "[::]:5683" || got.Network() != "tcp" {
		t.Errorf("port alone over IPv6: %v", got)
	}
	if got := localAddr(socket.Datagram, netip.AddrPort{}, v4); got != nil {
		t.Errorf("no local end: %v, want nil, not a nil *net.UDPAddr", got)
	}
}
