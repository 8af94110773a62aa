package simnet

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Link describes the connection from one host to another. The zero value means a perfect link: no
// packet is lost, and no packet takes time.
type Link struct {
	// Delay is how long a packet takes. The zero value means that it has arrived when Send returns.
	Delay time.Duration
	// Jitter is how much longer a packet may take, evenly distributed. It reorders datagrams, but
	// not streams.
	Jitter time.Duration
	// Loss, Duplicate and Reorder are the probabilities, from 0 to 1, that a datagram is lost,
	// arrives twice, or is held back by ReorderDelay so that later ones overtake it. On a stream
	// only Loss counts: it costs the time of a retransmission.
	Loss, Duplicate, Reorder float64
	// ReorderDelay is how long a reordered datagram is held back. The zero value means twice the
	// Delay, and at least 10 ms.
	ReorderDelay time.Duration
	// MTU is the size of the largest packet, IP header included, from 576 to 65535; larger
	// datagrams cannot be sent. The zero value means 1500.
	MTU int
}

const (
	defaultMTU   = 1500
	ipv4UDP      = 20 + 8 // bytes of headers
	ipv6UDP      = 40 + 8
	shortestHold = 10 * time.Millisecond
)

func (l Link) validate() error {
	for name, p := range map[string]float64{"Loss": l.Loss, "Duplicate": l.Duplicate, "Reorder": l.Reorder} {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("link: %s is %v, it must be from 0 to 1", name, p)
		}
	}
	if l.Delay < 0 || l.Jitter < 0 || l.ReorderDelay < 0 {
		return fmt.Errorf("link: delays must not be negative: Delay %v, Jitter %v, ReorderDelay %v", l.Delay,
			l.Jitter, l.ReorderDelay)
	}
	if l.MTU != 0 && (l.MTU < 576 || l.MTU > 65535) {
		return fmt.Errorf("link: MTU is %d, it must be from 576 to 65535, or 0", l.MTU)
	}
	return nil
}

func (l Link) mtu() int {
	if l.MTU == 0 {
		return defaultMTU
	}
	return l.MTU
}

func (l Link) hold() time.Duration {
	if l.ReorderDelay != 0 {
		return l.ReorderDelay
	}
	return max(2*l.Delay, shortestHold)
}

type hostPair struct{ from, to int } // indices of hosts

// path is a link with its own random numbers, so that events on one path do not depend on the
// traffic of others.
type path struct {
	link *Link // nil: the network's default
	cut  bool
	rng  *rand.Rand
}

// path returns the path between two hosts.
func (n *Network) path(from, to *Host) *path {
	pair := hostPair{from.index, to.index}
	p := n.paths[pair]
	if p == nil {
		p = &path{rng: rand.New(rand.NewPCG(n.seed, uint64(pair.from)<<32|uint64(pair.to)))}
		n.paths[pair] = p
	}
	return p
}

func (n *Network) link(from, to *Host) Link {
	if p := n.path(from, to); p.link != nil {
		return *p.link
	}
	return n.defaults
}

// SetDefaultLink sets the link between all hosts for which none was set. Packets in transit are not
// affected.
func (n *Network) SetDefaultLink(l Link) error {
	if err := l.validate(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.defaults = l
	return nil
}

// SetLink sets the link between two hosts, both ways.
func (n *Network) SetLink(a, b *Host, l Link) error {
	if err := n.SetLinkOneWay(a, b, l); err != nil {
		return err
	}
	return n.SetLinkOneWay(b, a, l)
}

// SetLinkOneWay sets the link from the host from to the host to.
func (n *Network) SetLinkOneWay(from, to *Host, l Link) error {
	if from == nil || to == nil {
		return errors.New("link: a host is nil")
	}
	if err := l.validate(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.path(from, to).link = &l
	return nil
}

// Cut separates two hosts: until Heal, packets in both directions are lost, including those in
// transit, without a notice to the sender.
func (n *Network) Cut(a, b *Host) { n.setCut(a, b, true) }

// Heal ends a Cut.
func (n *Network) Heal(a, b *Host) { n.setCut(a, b, false) }

func (n *Network) setCut(a, b *Host, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.path(a, b).cut, n.path(b, a).cut = cut, cut
}

// reachable reports whether packets from one host reach another.
func (n *Network) reachable(from, to *Host) bool { return !to.down && !n.path(from, to).cut }

// delay draws how long one packet takes.
func (p *path) delay(l Link) time.Duration {
	d := l.Delay
	if l.Jitter > 0 {
		d += time.Duration(p.rng.Int64N(int64(l.Jitter) + 1))
	}
	return d
}

// chance draws whether an event of this probability happens.
func (p *path) chance(probability float64) bool {
	return probability > 0 && p.rng.Float64() < probability
}
