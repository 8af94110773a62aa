package simnet

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A NAT is a router behind which hosts share public addresses. Its mapping and filtering are
// endpoint-independent (RFC 4787): an inside address and port has one public port for all peers, to
// which all peers may send.
type NAT struct {
	net    *Network
	public []netip.Addr // one for IPv4 and one for IPv6

	// The rest is guarded by net.mu.
	inside  map[netip.Addr]*Host // by private address
	idle    time.Duration
	rebound int // number of calls of Rebind
	next    uint16
	out     map[netip.AddrPort]*mapping // by inside address
	in      map[netip.AddrPort]*mapping // by public address
}

type mapping struct {
	host           *Host
	inside, public netip.AddrPort
	used           time.Time
}

// NewNAT adds a router with public addresses.
func (n *Network) NewNAT() *NAT {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count++
	v4 := [4]byte{100, 64 + byte(n.count>>16)} // shared address space (RFC 6598)
	binary.BigEndian.PutUint16(v4[2:], uint16(n.count))
	v6 := [16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1}
	binary.BigEndian.PutUint32(v6[12:], uint32(n.count))
	t := &NAT{
		net:    n,
		public: []netip.Addr{netip.AddrFrom4(v4), netip.AddrFrom16(v6)},
		inside: make(map[netip.Addr]*Host),
		next:   firstEphemeral,
		out:    make(map[netip.AddrPort]*mapping),
		in:     make(map[netip.AddrPort]*mapping),
	}
	for _, a := range t.public {
		n.nats[a] = t
	}
	return t
}

// NewHost adds a host behind the router. Hosts outside cannot send to it before it has sent to
// them. name is for error texts only.
func (t *NAT) NewHost(name string) *Host {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	h := t.net.newHost(name, t)
	for _, a := range *h.addrs.Load() {
		t.inside[a] = h
	}
	return h
}

// Rebind drops every mapping, as routers do when they restart: later packets come from new public
// ports, and packets to the old ports are lost. Streams through the router break.
func (t *NAT) Rebind() {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	t.rebound++
	clear(t.out)
	clear(t.in)
}

// SetIdleTimeout drops a mapping of datagrams when no packet has used it for d. The zero value,
// which is the default, means never. Streams are not affected.
func (t *NAT) SetIdleTimeout(d time.Duration) {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	t.idle = d
}

// outbound returns the public address for an inside address, and adds a mapping if there is none.
func (t *NAT) outbound(h *Host, inside netip.AddrPort) netip.AddrPort {
	now := time.Now()
	if m := t.out[inside]; m != nil {
		if !t.expired(m, now) {
			m.used = now
			return m.public
		}
		t.forget(m)
	}
	addr := t.public[0]
	if inside.Addr().Is6() {
		addr = t.public[1]
	}
	m := &mapping{host: h, inside: inside, used: now}
	for range 1 << 16 {
		m.public = netip.AddrPortFrom(addr, t.next)
		if t.next++; t.next == 0 {
			t.next = firstEphemeral
		}
		if t.in[m.public] == nil {
			break
		}
	}
	t.out[inside], t.in[m.public] = m, m
	return m.public
}

// inbound returns the destination of a packet to a public address.
func (t *NAT) inbound(public netip.AddrPort) (*Host, netip.AddrPort) {
	m := t.in[public]
	if m == nil || t.inside[m.inside.Addr()] != m.host {
		return nil, public
	}
	now := time.Now()
	if t.expired(m, now) {
		t.forget(m)
		return nil, public
	}
	m.used = now
	return m.host, m.inside
}

func (t *NAT) expired(m *mapping, now time.Time) bool { return t.idle > 0 && now.Sub(m.used) > t.idle }

func (t *NAT) forget(m *mapping) {
	delete(t.out, m.inside)
	delete(t.in, m.public)
}
