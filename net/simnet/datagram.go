package simnet

import (
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// datagram is one packet in transit.
type datagram struct {
	from   *Host          // the sender
	src    netip.AddrPort // the sender's address before NAT
	to     netip.AddrPort
	data   []byte
	refuse bool // not data: to is informed that the address src refuses data
}

// send sends a datagram over the links. The caller does not hold n.mu.
func (n *Network) send(from *Host, src, to netip.AddrPort, data []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	host, _ := n.locate(from, to)
	if limit := n.maxPayload(from, host, to); len(data) > limit {
		return &socket.SizeError{Size: len(data), Limit: limit}
	}
	if n.filter != nil && !n.filter(Packet{From: src, To: to, Data: data, Kind: socket.Datagram}) {
		return nil
	}
	if from.down || host == nil || !from.has(src.Addr()) {
		return nil
	}
	p, l := n.path(from, host), n.link(from, host)
	if p.chance(l.Loss) {
		return nil
	}
	copies := 1
	if p.chance(l.Duplicate) {
		copies = 2
	}
	for range copies {
		d := p.delay(l)
		if p.chance(l.Reorder) {
			d += l.hold()
		}
		if d == 0 {
			n.arrive(&datagram{from: from, src: src, to: to, data: data})
			continue
		}
		ev := n.events.datagramEvent()
		ev.datagram = datagram{from: from, src: src, to: to, data: append(ev.data[:0], data...)}
		n.schedule(d, ev)
	}
	return nil
}

// arrive delivers a datagram to its receiver. The caller holds n.mu, which is released during the
// delivery.
func (n *Network) arrive(d *datagram) {
	shown := d.src
	host, at := n.locate(d.from, d.to)
	if host == nil || !n.reachable(d.from, host) {
		return
	}
	if d.from.nat != nil && host.nat != d.from.nat && !d.refuse {
		shown = d.from.nat.outbound(d.from, d.src)
	}
	if d.refuse {
		if c := host.flows[flow{at, d.src}]; c != nil {
			n.mu.Unlock()
			c.refused()
			n.mu.Lock()
		}
		return
	}
	t := host.takerAt(at, shown)
	if t == nil {
		n.refuse(host, d.to, shown)
		return
	}
	n.mu.Unlock()
	t.take(at, shown, d.data)
	n.mu.Lock()
}

// refuse informs the sender that there is no receiver at the address at (ICMP port unreachable).
func (n *Network) refuse(host *Host, at, sender netip.AddrPort) {
	back, _ := n.locate(host, sender)
	if back == nil {
		return
	}
	p, l := n.path(host, back), n.link(host, back)
	if p.chance(l.Loss) {
		return
	}
	if d := p.delay(l); d > 0 {
		ev := n.events.datagramEvent()
		ev.datagram = datagram{from: host, src: at, to: sender, refuse: true, data: ev.data}
		n.schedule(d, ev)
		return
	}
	n.arrive(&datagram{from: host, src: at, to: sender, refuse: true})
}

// maxPayload returns the size of the largest datagram from one host to another, which is nil if it
// does not exist. The caller holds n.mu.
func (n *Network) maxPayload(from, host *Host, to netip.AddrPort) int {
	mtu := n.defaults.mtu()
	if host != nil {
		mtu = n.link(from, host).mtu()
	}
	if to.Addr().Is4() {
		return mtu - ipv4UDP
	}
	return mtu - ipv6UDP
}
