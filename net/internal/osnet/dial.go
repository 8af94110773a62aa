package osnet

import (
	"context"
	"net"
	"net/netip"
	"syscall"
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

// Local is what a net.Dialer binds for this local end: the port if there is one, and the address.
func Local(local netip.AddrPort, remote netip.Addr) netip.AddrPort {
	if local.Addr().IsValid() {
		return local
	}
	if remote.Is4() {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port())
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), local.Port())
}

// Dial connects with d from the given local end. Others may share it if share is set.
func Dial(ctx context.Context, d net.Dialer, transport string, local net.Addr, remote netip.AddrPort, share bool, control Control) (net.Conn, error) {
	d.LocalAddr = local
	d.ControlContext = func(_ context.Context, network, address string, c syscall.RawConn) error {
		if share {
			var err error
			if e := c.Control(func(fd uintptr) { err = ShareAddress(fd) }); e != nil || err != nil {
				return firstOf(e, err)
			}
		}
		if control != nil {
			return control(network, address, c)
		}
		return nil
	}
	c, err := d.DialContext(ctx, Network(transport, remote.Addr()), remote.String())
	if err != nil {
		return nil, Error(err)
	}
	return c, nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
