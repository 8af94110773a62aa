package simnet

import (
	"context"
	"errors"
	"net/netip"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxPending bounds the connections that wait to be accepted; more are refused.
const maxPending = 128

// checkConfig refuses configurations that no socket of this package supports.
func checkConfig(c *socket.Config) error {
	return lifecycle.CheckPlain("simnet", c, "a secured dialer over this one")
}

// Listen receives datagrams at a port of all addresses of the host; port zero means a free port.
// Each sender becomes one accepted socket. Accepted sockets stay usable after the listener is
// closed.
func (h *Host) Listen(port uint16) (socket.Listener, error) {
	return h.listenAt(netip.AddrPortFrom(netip.Addr{}, port))
}

// listenAt is Listen at one address of the host.
func (h *Host) listenAt(at netip.AddrPort) (socket.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	at, err := completeListenAddr(h, h.ports, at)
	if err != nil {
		return nil, err
	}
	l := &datagramListener{host: h, at: at, queue: accept.NewQueue(maxPending)}
	h.ports[at] = l
	return l, nil
}

type datagramListener struct {
	host  *Host
	at    netip.AddrPort
	queue *accept.Queue
}

// take receives the first datagram of a peer; later ones go to its connection.
func (l *datagramListener) take(at, from netip.AddrPort, data []byte) {
	n := l.host.net
	n.mu.Lock()
	c := l.host.flows[flow{at, from}]
	if c == nil {
		s := newDatagramSocket(l.host, 0)
		c = s.open(at, from)
		s.life.Accept(c)
		if !l.queue.Put(s) {
			delete(l.host.flows, flow{at, from})
			c = nil
		}
	}
	n.mu.Unlock()
	if c != nil {
		c.take(at, from, data)
	}
}

func (l *datagramListener) Accept(ctx context.Context) (socket.Socket, error) {
	return l.queue.Accept(ctx)
}

func (l *datagramListener) Scheme() string { return "coap" }

func (l *datagramListener) Addr() netip.AddrPort { return l.host.dialableAddr(l.at) }

func (l *datagramListener) Close() error {
	l.host.net.mu.Lock()
	if l.host.ports[l.at] == packetTaker(l) {
		delete(l.host.ports, l.at)
	}
	l.host.net.mu.Unlock()
	var errs []error
	for _, s := range l.queue.Close() {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
