package osnet

import (
	"net"
	"net/netip"
	"syscall"
)

// Descriptor is the half of a Conn that does not depend on the transport: a connected socket of the
// operating system and its two addresses.
type Descriptor struct {
	Raw           syscall.RawConn
	local, remote netip.AddrPort
}

// NewDescriptor returns the descriptor of c.
func NewDescriptor(c interface {
	net.Conn
	syscall.Conn
}) (Descriptor, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Descriptor{}, err
	}
	return Descriptor{Raw: raw, local: AddrPort(c.LocalAddr()), remote: AddrPort(c.RemoteAddr())}, nil
}

// LocalAddr returns the local end.
func (d *Descriptor) LocalAddr() netip.AddrPort { return d.local }

// RemoteAddr returns the remote end.
func (d *Descriptor) RemoteAddr() netip.AddrPort { return d.remote }

// Control calls f with the descriptor.
func (d *Descriptor) Control(f func(fd uintptr)) error { return d.Raw.Control(f) }

// AddrPort returns a UDP or TCP address of package net as numbers, an IPv4-mapped one as IPv4. It
// is zero if there is none.
func AddrPort(a net.Addr) netip.AddrPort {
	known, ok := a.(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	ap := known.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
