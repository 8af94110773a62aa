package tcp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is one connection of a tcpSocket.
type conn struct {
	osnet.Descriptor
	tcp      *net.TCPConn
	limits   limits
	portable bool
	in       receiving // of the one goroutine in Recv

	mu      sync.Mutex
	out     sending
	backlog []byte        // not yet taken by the system
	flushed chan struct{} // closed when the flushing goroutine has ended; nil if there is none
	broken  error
}

func newConn(c *net.TCPConn, l limits, portable bool) (*conn, error) {
	d, err := osnet.NewDescriptor(c)
	if err != nil {
		return nil, err
	}
	k := &conn{Descriptor: d, tcp: c, limits: l, portable: portable}
	k.in.init()
	k.out.init()
	return k, nil
}

// SetReadDeadline implements osnet.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.tcp.SetReadDeadline(t) }

// Close implements osnet.Conn. The backlog is lost.
func (c *conn) Close() error {
	err := c.tcp.Close()
	c.mu.Lock()
	flushed := c.flushed
	c.mu.Unlock()
	if flushed != nil {
		<-flushed
	}
	if errors.Is(err, net.ErrClosed) { // closed by the flushing goroutine
		return nil
	}
	return err
}

// Send implements osnet.Conn: it takes over all of p or nothing.
func (c *conn) Send(p []byte) (interrupt bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.broken != nil:
		return false, c.broken
	case len(c.backlog) > 0 && len(c.backlog)+len(p) > c.limits.buffer:
		return false, socket.ErrBusy
	}
	if len(c.backlog) == 0 {
		n, err := c.trySend(p)
		if err != nil {
			return false, c.fail(err)
		}
		p = p[n:]
	}
	if len(p) > 0 {
		c.backlog = append(c.backlog, p...)
		if c.flushed == nil {
			c.flushed = make(chan struct{})
			go c.flush(c.flushed)
		}
	}
	return false, nil
}

// fail remembers why nothing more can be sent.
func (c *conn) fail(err error) error {
	switch {
	case errors.Is(err, net.ErrClosed):
		err = socket.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: the peer took nothing for %v", socket.ErrReset, c.limits.stall)
	default:
		err = connError(err)
	}
	c.broken, c.backlog = err, nil
	return err
}

// flush writes the backlog until there is none. If the peer takes nothing for too long, it breaks
// the connection, so that Recv ends too.
func (c *conn) flush(done chan struct{}) {
	defer close(done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.backlog) > 0 {
		chunk := c.backlog
		c.mu.Unlock()
		_ = c.tcp.SetWriteDeadline(time.Now().Add(c.limits.stall)) // if it fails, so does Write
		n, err := c.tcp.Write(chunk[:min(len(chunk), maxChunk)])
		c.mu.Lock()
		if n > 0 { // the system takes a part before the deadline passes
			c.backlog = c.backlog[n:]
			continue
		}
		if err != nil {
			_ = c.fail(err)
			_ = c.tcp.Close()
		}
	}
	_ = c.tcp.SetWriteDeadline(time.Time{}) // so that later attempts are not bound by it
	c.backlog, c.flushed = nil, nil
}

// maxChunk is how much flush writes at once, so that it can see progress.
const maxChunk = 16 << 10

func (c *conn) pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.backlog)
}

// Recv implements osnet.Conn.
func (c *conn) Recv(p []byte, noWait bool) (int, error) {
	if !noWait {
		n, err := c.tcp.Read(p)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, c.recvError(err)
		}
	}
	n, err := c.tryRecv(p) // data that has arrived is returned, even after the deadline
	return n, c.recvError(err)
}

func (c *conn) recvError(err error) error {
	switch {
	case err == nil, err == io.EOF: // package net does not wrap it
		return err
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, os.ErrDeadlineExceeded):
		return socket.ErrTimeout
	case errors.Is(err, net.ErrClosed):
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.broken != nil {
			return c.broken
		}
		return socket.ErrClosed
	}
	return connError(err)
}

// connError returns the error of a connection that has failed. A time-out of the system ends the
// connection; it is not ErrTimeout.
func connError(err error) error {
	if err = socket.WrapError(err); errors.Is(err, socket.ErrTimeout) {
		return fmt.Errorf("%w: the peer no longer answers", socket.ErrReset)
	}
	return err
}

// instant is the duration of an attempt where the system has no calls that do not wait.
const instant = time.Millisecond

// recvPortably receives with package net alone, for an instant, after which the connection has a
// deadline that has passed.
func (c *conn) recvPortably(p []byte) (int, error) {
	if err := c.tcp.SetReadDeadline(time.Now().Add(instant)); err != nil {
		return 0, err
	}
	return c.tcp.Read(p)
}
