package udp

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is one connection of a udpSocket: a connected socket of the operating system.
type conn struct {
	osnet.Descriptor
	udp      *net.UDPConn
	portable bool
	refused  atomic.Bool // the system reported a refusal to Send; Recv must return it

	sending sync.Mutex
	out     sending
	in      receiving // of the one goroutine in Recv
}

func newConn(c *net.UDPConn, portable bool) (*conn, error) {
	d, err := osnet.NewDescriptor(c)
	if err != nil {
		return nil, err
	}
	k := &conn{Descriptor: d, udp: c, portable: portable}
	k.out.init()
	k.in.init(&k.refused)
	return k, nil
}

// Close implements osnet.Conn.
func (c *conn) Close() error { return c.udp.Close() }

// SetReadDeadline implements osnet.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.udp.SetReadDeadline(t) }

// Send implements osnet.Conn. refused is set if the system reported the refusal of an earlier
// datagram instead of sending; p was then sent at a second attempt.
func (c *conn) Send(p []byte) (refused bool, err error) {
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
	if err = socket.WrapError(err); errors.Is(err, socket.ErrMessageTooLong) {
		return refused, &socket.SizeError{Size: len(p), Limit: osnet.UDPPayload(1<<16, c.RemoteAddr().Addr())}
	}
	return refused, err
}

// Recv implements osnet.Conn.
func (c *conn) Recv(p []byte, noWait bool) (int, error) {
	if c.refused.Load() && c.refused.CompareAndSwap(true, false) {
		return 0, socket.ErrRefused
	}
	if !noWait {
		n, err := c.tryRecv(p, true)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, c.recvError(err)
		}
	}
	n, err := c.tryRecv(p, false) // data that has arrived is returned, even after the deadline
	if err != nil && c.refused.CompareAndSwap(true, false) {
		return 0, socket.ErrRefused
	}
	return n, c.recvError(err)
}

func (c *conn) recvError(err error) error {
	switch {
	case err == nil:
		return nil
	case err == socket.ErrMessageTooLong: // made here
		return err
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, os.ErrDeadlineExceeded):
		return socket.ErrTimeout
	case errors.Is(err, net.ErrClosed):
		return socket.ErrClosed
	}
	err = socket.WrapError(err)
	// Windows calls it a reset.
	if errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrReset) {
		return socket.ErrRefused
	}
	return err
}

// mostDiscarded bounds the datagrams that discard drops, because the peer may keep sending.
const mostDiscarded = 64

// discard drops the datagrams that arrived between binding and connecting, when any host could send
// to the port.
func (c *conn) discard() {
	for range mostDiscarded {
		if _, err := c.Recv(nil, true); err == socket.ErrTimeout { // never wrapped
			return
		}
	}
}
