package simnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// ListenPacket receives all datagrams at a port of all addresses of the host, for servers that use
// a net.PacketConn. Port zero means a free port. Its addresses are *net.UDPAddr.
func (h *Host) ListenPacket(port uint16) (net.PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	at, err := completeListenAddr(h, h.ports, netip.AddrPortFrom(netip.Addr{}, port))
	if err != nil {
		return nil, err
	}
	c := &packetConn{host: h, at: at, inbox: socket.NewInbox(socket.Datagram, 256<<10)}
	c.inbox.Open()
	h.ports[at] = c
	return c, nil
}

type packetConn struct {
	host  *Host
	at    netip.AddrPort
	inbox *socket.Inbox // of datagrams, each preceded by its sender's address

	reading sync.Mutex // guards buf
	buf     []byte

	mu       sync.Mutex
	deadline time.Time
}

// addrLen is the length of the address and port that precede a datagram.
const addrLen = 18

func (c *packetConn) take(_, from netip.AddrPort, data []byte) {
	p := make([]byte, addrLen, addrLen+len(data))
	a := from.Addr().As16()
	copy(p, a[:])
	binary.BigEndian.PutUint16(p[16:], from.Port())
	c.inbox.Put(append(p, data...))
}

// ReadFrom returns the next datagram, truncated if p is too small, as all packet connections do.
func (c *packetConn) ReadFrom(p []byte) (int, net.Addr, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if len(c.buf) < len(p)+addrLen {
		c.buf = make([]byte, len(p)+addrLen)
	}
	buf := c.buf[:len(p)+addrLen]
	for {
		c.mu.Lock()
		past := !c.deadline.IsZero() && !c.deadline.After(time.Now())
		c.mu.Unlock()
		if past {
			return 0, nil, c.fail("read", os.ErrDeadlineExceeded)
		}
		n, err := c.inbox.Recv(buf)
		switch {
		case errors.Is(err, socket.ErrTimeout):
			continue // only the deadline decides
		case err != nil && !errors.Is(err, socket.ErrMessageTooLong):
			return 0, nil, c.fail("read", net.ErrClosed)
		}
		addr := netip.AddrFrom16([16]byte(buf[:16])).Unmap()
		from := netip.AddrPortFrom(addr, binary.BigEndian.Uint16(buf[16:]))
		return copy(p, buf[addrLen:n]), net.UDPAddrFromAddrPort(from), nil
	}
}

// WriteTo sends a datagram.
func (c *packetConn) WriteTo(p []byte, to net.Addr) (int, error) {
	ua, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, c.fail("write", fmt.Errorf("%T is not a *net.UDPAddr", to))
	}
	ap := ua.AddrPort()
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	src := netip.AddrPortFrom(c.host.source(ap.Addr()), c.at.Port())
	c.host.net.mu.Lock()
	open := c.host.ports[c.at] == packetTaker(c)
	c.host.net.mu.Unlock()
	if !open {
		return 0, c.fail("write", net.ErrClosed)
	}
	if err := c.host.net.send(c.host, src, ap, p); err != nil {
		return 0, c.fail("write", err)
	}
	return len(p), nil
}

func (c *packetConn) Close() error {
	c.host.net.mu.Lock()
	if c.host.ports[c.at] == packetTaker(c) {
		delete(c.host.ports, c.at)
	}
	c.host.net.mu.Unlock()
	c.inbox.Close()
	return nil
}

func (c *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.host.dialableAddr(c.at)) }

func (c *packetConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	c.inbox.SetRecvDeadline(t)
	return nil
}

// SetWriteDeadline does nothing: writing never waits.
func (c *packetConn) SetWriteDeadline(time.Time) error { return nil }

func (c *packetConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Err: err}
}
