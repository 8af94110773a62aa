package simnet

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// A Network is a set of hosts that can reach each other. All its methods, and those of its hosts,
// may be called from any goroutine.
type Network struct {
	seed uint64

	mu          sync.Mutex
	hosts       map[netip.Addr]*Host // by public address
	nats        map[netip.Addr]*NAT
	names       map[string][]netip.Addr // host names in lower case
	lookupDelay time.Duration
	count       int // pairs of addresses given so far
	defaults    Link
	paths       map[hostPair]*path
	filter      func(Packet) bool
	events      events
}

// New returns a network without hosts. seed determines all random events.
func New(seed uint64) *Network {
	return &Network{
		seed:  seed,
		hosts: make(map[netip.Addr]*Host),
		nats:  make(map[netip.Addr]*NAT),
		names: make(map[string][]netip.Addr),
		paths: make(map[hostPair]*path),
	}
}

// NewHost adds a host with one IPv4 and one IPv6 address. If name is not empty, it resolves to
// these addresses, in addition to those that it has.
func (n *Network) NewHost(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.newHost(name, nil)
	for _, a := range *h.addrs.Load() {
		n.hosts[a] = h
	}
	n.addName(name, *h.addrs.Load())
	return h
}

// newHost adds a host with the next two addresses.
func (n *Network) newHost(name string, nat *NAT) *Host {
	addrs := n.newAddrs(nat)
	h := &Host{
		net: n, name: name, index: n.count, nat: nat,
		flows:  make(map[flow]*datagramConn),
		ports:  make(map[netip.AddrPort]packetTaker),
		accept: make(map[netip.AddrPort]*streamListener),
		stream: make(map[flow]bool),
		next:   firstEphemeral,
	}
	h.addrs.Store(&addrs)
	return h
}

// newAddrs returns the next two addresses, of the private ranges if they are behind a NAT.
func (n *Network) newAddrs(nat *NAT) []netip.Addr {
	n.count++
	v4 := [4]byte{198, 18} // for tests of networks (RFC 2544)
	v6 := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	if nat != nil {
		v4 = [4]byte{10}
		v6 = [16]byte{0xfd}
	}
	binary.BigEndian.PutUint16(v4[2:], uint16(n.count))
	v4[1] += byte(n.count >> 16)
	binary.BigEndian.PutUint32(v6[12:], uint32(n.count))
	return []netip.Addr{netip.AddrFrom4(v4), netip.AddrFrom16(v6)}
}

func (n *Network) addName(name string, addrs []netip.Addr) {
	if name != "" {
		name = strings.ToLower(name)
		n.names[name] = append(n.names[name], addrs...)
	}
}

// SetName makes name resolve to addrs, which need not belong to any host, in this order. Without
// addresses the name is no longer found.
func (n *Network) SetName(name string, addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[strings.ToLower(name)] = slices.Clone(addrs)
}

// SetLookupDelay sets how long it takes to resolve a name. The default is no time.
func (n *Network) SetLookupDelay(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lookupDelay = d
}

// resolve is the name service.
func (n *Network) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	n.mu.Lock()
	delay := n.lookupDelay
	n.mu.Unlock()
	if delay > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(delay):
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	addrs := n.names[strings.ToLower(name)]
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%w: no host is called %q", socket.ErrAddressNotFound, name)
	}
	return slices.Clone(addrs), nil
}

// A Packet is a datagram, or a segment of a stream, as a filter sees it.
type Packet struct {
	// From and To are the addresses at the sender, before a NAT changes them.
	From, To netip.AddrPort
	// Data is valid during the call only and must not be changed.
	Data []byte
	Kind socket.Kind
}

// SetFilter sets a function that is called for every packet that is sent, before the link decides
// about it. If it returns false, the packet is lost. It is called by one goroutine at a time and
// must not use the network. nil removes it. Tests use it to drop, count and record packets.
func (n *Network) SetFilter(filter func(Packet) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.filter = filter
}

// Inject delivers a forged datagram, with any sender address, at once and without the links in
// between.
func (n *Network) Inject(from, to netip.AddrPort, data []byte) {
	n.mu.Lock()
	h, at := n.locate(nil, to)
	var t packetTaker
	if h != nil {
		t = h.takerAt(at, from)
	}
	n.mu.Unlock()
	if t != nil {
		t.take(at, from, data)
	}
}

// locate returns the host at which a packet from the host from (nil: any host outside) to the
// address to arrives, and its address there; nil if there is none.
func (n *Network) locate(from *Host, to netip.AddrPort) (*Host, netip.AddrPort) {
	if from != nil && from.nat != nil {
		if h := from.nat.inside[to.Addr()]; h != nil {
			return h, to
		}
	}
	if h := n.hosts[to.Addr()]; h != nil {
		return h, to
	}
	if nat := n.nats[to.Addr()]; nat != nil {
		return nat.inbound(to)
	}
	return nil, to
}
