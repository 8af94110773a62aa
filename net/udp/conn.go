package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is one connection of a udpSocket: a connected socket of the system.
type conn struct {
	udp           *net.UDPConn
	raw           syscall.RawConn
	local, remote netip.AddrPort
	portable      bool
	refused       atomic.Bool // Send came across a refusal, which Recv has to report

	sending sync.Mutex
	out     sending
	in      receiving // of the one goroutine in Recv
}

func newConn(c *net.UDPConn, portable bool) (*conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	k := &conn{udp: c, raw: raw, local: addrPort(c.LocalAddr()), remote: addrPort(c.RemoteAddr()), portable: portable}
	k.out.init()
	k.in.init(&k.refused)
	return k, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	known, ok := a.(*net.UDPAddr)
	if !ok { // there is none
		return netip.AddrPort{}
	}
	ap := known.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// LocalAddr implements lifecycle.Conn.
func (c *conn) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr implements lifecycle.Conn.
func (c *conn) RemoteAddr() netip.AddrPort { return c.remote }

// Close implements lifecycle.Conn.
func (c *conn) Close() error { return c.udp.Close() }

// pathMTU returns zero if it is not known.
func (c *conn) pathMTU() (mtu int) {
	_ = c.raw.Control(func(fd uintptr) { mtu = osnet.PathMTU(fd, c.remote.Addr().Is4()) })
	return mtu
}

// send sends a datagram without waiting. refused is set if the system has told of a refusal of an earlier one instead of sending; the
// datagram was then sent at a second attempt.
func (c *conn) send(p []byte) (refused bool, err error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	err = c.trySend(p)
	if errors.Is(err, syscall.ECONNREFUSED) {
		refused = true
		c.refused.Store(true)
		err = c.trySend(p)
	}
	switch {
	case err == nil:
		return refused, nil
	case errors.Is(err, syscall.EAGAIN):
		return refused, socket.ErrBusy
	}
	if err = osnet.Error(err); errors.Is(err, socket.ErrMessageTooLong) {
		return refused, &socket.SizeError{Size: len(p), Limit: osnet.UDPPayload(1<<16, c.remote.Addr())}
	}
	return refused, err
}

// recv is Recv on this connection: without waiting, or until the deadline of the connection.
func (c *conn) recv(p []byte, noWait bool) (int, error) {
	if c.refused.Load() && c.refused.CompareAndSwap(true, false) {
		return 0, socket.ErrRefused
	}
	if !noWait {
		n, err := c.tryRecv(p, true)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, c.recvError(err)
		}
	}
	n, err := c.tryRecv(p, false) // what has arrived counts, whatever the deadline
	if err != nil && c.refused.CompareAndSwap(true, false) {
		return 0, socket.ErrRefused
	}
	return n, c.recvError(err)
}

func (c *conn) recvError(err error) error {
	switch {
	case err == nil:
		return nil
	case err == socket.ErrMessageTooLong: //nolint:errorlint // made here
		return err
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, os.ErrDeadlineExceeded):
		return socket.ErrTimeout
	case errors.Is(err, net.ErrClosed):
		return socket.ErrClosed
	}
	err = osnet.Error(err)
	if errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrReset) { // Windows calls it a reset
		return socket.ErrRefused
	}
	return err
}

// mostDiscarded bounds what discard throws away, in case that the peer keeps sending.
const mostDiscarded = 64

// discard throws away what arrived between binding and connecting, when anybody could send to the port.
func (c *conn) discard() {
	for range mostDiscarded {
		if _, err := c.recv(nil, true); err == socket.ErrTimeout { //nolint:errorlint // never wrapped
			return
		}
	}
}
