package simnet

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// firstEphemeral is the first port that a host chooses by itself (RFC 6335 §6).
const firstEphemeral = 49152

// A Host is one machine on a Network.
type Host struct {
	net   *Network
	name  string
	index int
	nat   *NAT                         // nil if it has a public address
	addrs atomic.Pointer[[]netip.Addr] // so that a filter of the network can read them

	// The rest is guarded by net.mu.
	moved  int // number of calls of Move
	down   bool
	next   uint16 // ephemeral port
	flows  map[flow]*datagramConn
	ports  map[netip.AddrPort]packetTaker // unconnected; a zero address means all of the host
	accept map[netip.AddrPort]*streamListener
	stream map[flow]bool // local ends of streams
}

// flow identifies a connection at one of its ends.
type flow struct{ local, remote netip.AddrPort }

// packetTaker receives datagrams: take is called for a datagram that has arrived at one of the
// host's addresses. It copies data, and is called without the network's lock.
type packetTaker interface {
	take(at, from netip.AddrPort, data []byte)
}

// Addrs returns the addresses of the host: an IPv4 and an IPv6 address.
func (h *Host) Addrs() []netip.Addr { return slices.Clone(*h.addrs.Load()) }

// has reports whether a is an address of the host.
func (h *Host) has(a netip.Addr) bool { return slices.Contains(*h.addrs.Load(), a) }

// Move gives the host other addresses, as a device that joins another network. Open sockets keep
// the old ones: what they send is lost without an error, and nothing reaches them. Names go on
// resolving to the old addresses; see Network.SetName.
func (h *Host) Move() {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.hosts
	if h.nat != nil {
		all = h.nat.inside
	}
	for _, a := range *h.addrs.Load() {
		delete(all, a)
	}
	addrs := n.newAddrs(h.nat)
	h.addrs.Store(&addrs)
	h.moved++
	for _, a := range addrs {
		all[a] = h
	}
}

// String returns the host's name.
func (h *Host) String() string { return h.name }

// SetDown turns the host off, or on again. While it is off, packets to it are lost without a notice
// to the sender. Its sockets stay as they are.
func (h *Host) SetDown(down bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.down = down
}

// source returns the address of the host for talking to remote.
func (h *Host) source(remote netip.Addr) netip.Addr {
	for _, a := range *h.addrs.Load() {
		if a.Is4() == remote.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// local completes the local end of a connection to remote, with an ephemeral port if none is asked
// for.
func (h *Host) local(kind socket.Kind, want, remote netip.AddrPort) (netip.AddrPort, error) {
	addr := want.Addr()
	if !addr.IsValid() || addr.IsUnspecified() {
		addr = h.source(remote.Addr())
	}
	if !h.has(addr) {
		return netip.AddrPort{}, fmt.Errorf("%s is not an address of %s", addr, h.name)
	}
	if want.Port() != 0 {
		local := netip.AddrPortFrom(addr, want.Port())
		if h.inUse(kind, local, remote) {
			return netip.AddrPort{}, fmt.Errorf("%w: %s to %s", socket.ErrAddressInUse, local, remote)
		}
		return local, nil
	}
	for range 1<<16 - firstEphemeral {
		local := netip.AddrPortFrom(addr, h.ephemeral())
		if !h.inUse(kind, local, remote) {
			return local, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("%w: all ports of %s", socket.ErrAddressInUse, h.name)
}

func (h *Host) ephemeral() uint16 {
	p := h.next
	if h.next++; h.next == 0 {
		h.next = firstEphemeral
	}
	return p
}

// inUse reports whether a connection with these ends exists.
func (h *Host) inUse(kind socket.Kind, local, remote netip.AddrPort) bool {
	f := flow{local, remote}
	if kind == socket.Stream {
		return h.stream[f]
	}
	return h.flows[f] != nil
}

// completeListenAddr completes the address of a listener and checks that no other listener has it.
func completeListenAddr[L any](h *Host, table map[netip.AddrPort]L, want netip.AddrPort) (netip.AddrPort, error) {
	addr := want.Addr().Unmap()
	if addr.IsValid() && addr.IsUnspecified() {
		addr = netip.Addr{}
	}
	if addr.IsValid() && !h.has(addr) {
		return netip.AddrPort{}, fmt.Errorf("listen on %s: %w: it is not an address of %s", want,
			socket.ErrAddressNotFound, h.name)
	}
	what := want.String()
	if !addr.IsValid() {
		what = fmt.Sprintf("port %d of %s", want.Port(), h.name)
	}
	port := want.Port()
	for tries := 0; port == 0; tries++ {
		if p := h.ephemeral(); !isListening(table, addr, p) {
			port = p
		} else if tries > 1<<16 {
			return netip.AddrPort{}, fmt.Errorf("listen on %s: %w: all ports", what, socket.ErrAddressInUse)
		}
	}
	if isListening(table, addr, port) {
		return netip.AddrPort{}, fmt.Errorf("listen on %s: %w", what, socket.ErrAddressInUse)
	}
	return netip.AddrPortFrom(addr, port), nil
}

func isListening[L any](table map[netip.AddrPort]L, addr netip.Addr, port uint16) bool {
	_, one := table[netip.AddrPortFrom(addr, port)]
	_, all := table[netip.AddrPortFrom(netip.Addr{}, port)]
	return one || all
}

// dialableAddr returns the address of a listener that others can connect to.
func (h *Host) dialableAddr(at netip.AddrPort) netip.AddrPort {
	if at.Addr().IsValid() {
		return at
	}
	return netip.AddrPortFrom(h.Addrs()[0], at.Port())
}

// takerAt returns the receiver of a datagram that arrives at the address at of the host.
func (h *Host) takerAt(at, from netip.AddrPort) packetTaker {
	if c := h.flows[flow{at, from}]; c != nil {
		return c
	}
	if t := h.ports[at]; t != nil {
		return t
	}
	return h.ports[netip.AddrPortFrom(netip.Addr{}, at.Port())]
}
