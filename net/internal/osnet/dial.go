package osnet

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"syscall"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Control is the Control of a net.Dialer.
type Control func(network, address string, c syscall.RawConn) error

// Network returns the network name of package net for one family: "udp4" for "udp".
func Network(transport string, remote netip.Addr) string {
	if remote.Is4() {
		return transport + "4"
	}
	return transport + "6"
}

// localAddr returns what a net.Dialer binds for this local end, nil for none: the port if there is
// one, and the address.
func localAddr(kind socket.Kind, local netip.AddrPort, remote netip.Addr) net.Addr {
	switch {
	case local == netip.AddrPort{}:
		return nil
	case local.Addr().IsValid():
	case remote.Is4():
		local = netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port())
	default:
		local = netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port())
	}
	if kind == socket.Stream {
		return net.TCPAddrFromAddrPort(local)
	}
	return net.UDPAddrFromAddrPort(local)
}

// dial connects from the given local end, zero for any. Other sockets may share it if share is set.
func dial(
	ctx context.Context, o Options, kind socket.Kind, local, remote netip.AddrPort, share bool,
) (net.Conn, error) {
	transport := "udp"
	if kind == socket.Stream {
		transport = "tcp"
	}
	d, control := o.Dialer, o.Control // the function below must not keep all of o
	d.LocalAddr = localAddr(kind, local, remote.Addr())
	d.ControlContext = func(_ context.Context, network, address string, c syscall.RawConn) error {
		if share {
			var err error
			if e := c.Control(func(fd uintptr) { err = shareAddress(fd) }); e != nil || err != nil {
				return cmp.Or(e, err)
			}
		}
		if control != nil {
			return control(network, address, c)
		}
		return nil
	}
	c, err := d.DialContext(ctx, Network(transport, remote.Addr()), remote.String())
	if err != nil {
		return nil, socket.WrapError(err)
	}
	return c, nil
}
