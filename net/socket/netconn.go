package socket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// NetConn makes an open socket a net.Conn, for code that wants one, such as crypto/tls. Each Read is one Recv and each Write one
// Send, so over a datagram socket boundaries are kept, and Read into too small a buffer is ErrMessageTooLong. Unlike Recv, and
// like every net.Conn, a Read whose deadline has passed returns an error even if data is waiting. A Write deadline only matters
// if it has passed, or while a Write waits for a stream's peer to take its data. Closing it closes the socket. The receive
// deadline of s belongs to the net.Conn from then on.
func NetConn(s Socket) net.Conn {
	c := &netConn{s: s}
	c.addrs = Detect(s).Addresses
	s.SetRecvDeadline(time.Time{})
	return c
}

type netConn struct {
	s     Socket
	addrs Addresses

	mu    sync.Mutex
	read  time.Time
	write time.Time
}

func (c *netConn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		past := passed(c.read)
		c.mu.Unlock()
		if past {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := c.s.Recv(p)
		if err != ErrTimeout { //nolint:errorlint // Recv promises exactly ErrTimeout
			return n, err
		}
		// A deadline may have been moved on while Recv returned: only its own passing counts.
	}
}

// busyPause is how long Write waits before it tries again on a socket that is busy.
const busyPause = time.Millisecond

func (c *netConn) Write(p []byte) (int, error) {
	for {
		c.mu.Lock()
		past := passed(c.write)
		c.mu.Unlock()
		if past {
			return 0, os.ErrDeadlineExceeded
		}
		err := c.s.Send(p)
		switch {
		case err == nil:
			return len(p), nil
		case err != ErrBusy || c.s.Kind() == Datagram: //nolint:errorlint // ErrBusy is never wrapped
			return 0, err
		}
		time.Sleep(busyPause)
	}
}

func (c *netConn) Close() error { return c.s.Close() }

func (c *netConn) LocalAddr() net.Addr {
	if c.addrs == nil {
		return netAddr{c.s.Kind(), netip.AddrPort{}}
	}
	return netAddr{c.s.Kind(), c.addrs.LocalAddr()}
}

func (c *netConn) RemoteAddr() net.Addr {
	if c.addrs == nil {
		return netAddr{c.s.Kind(), netip.AddrPort{}}
	}
	return netAddr{c.s.Kind(), c.addrs.RemoteAddr()}
}

func (c *netConn) SetDeadline(t time.Time) error {
	_ = c.SetWriteDeadline(t)
	return c.SetReadDeadline(t)
}

func (c *netConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	c.s.SetRecvDeadline(t)
	return nil
}

func (c *netConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return nil
}

func (c *netConn) String() string { return fmt.Sprintf("%s to %s", c.s.Kind(), c.RemoteAddr()) }

func passed(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }

type netAddr struct {
	kind Kind
	addr netip.AddrPort
}

func (a netAddr) Network() string {
	if a.kind == Stream {
		return "tcp"
	}
	return "udp"
}

func (a netAddr) String() string { return a.addr.String() }
