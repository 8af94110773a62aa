package socket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// NetConn returns an open socket as a net.Conn, for code that needs one, such as crypto/tls. Each
// Read is one Recv and each Write is one Send, so boundaries of datagrams are kept, and Read into a
// buffer that is too small returns ErrMessageTooLong. Unlike Recv, and like every net.Conn, Read
// returns an error after its deadline even if data is waiting. A Write deadline matters only if it
// has passed, or while Write waits for the peer of a stream to take data. Closing the net.Conn
// closes the socket. The net.Conn owns the receive deadline of s.
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
		if err != ErrTimeout { // Recv promises exactly ErrTimeout
			return n, err
		}
		// The deadline may have moved while Recv returned: only the check above counts.
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
		case err != ErrBusy || c.s.Kind() == Datagram: // ErrBusy is never wrapped
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
