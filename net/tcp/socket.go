package tcp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// tcpSocket is a socket.Socket with the abilities that the package documentation names.
type tcpSocket struct {
	dialer   Dialer
	linkMTU  int
	limits   limits
	life     lifecycle.Socket[*conn]
	deadline osnet.Deadline

	sent, received atomic.Uint64
}

func (s *tcpSocket) Connect(ctx context.Context, remote socket.Endpoint) error {
	err := s.life.Connect(ctx, remote)
	s.follow()
	return err
}

func (s *tcpSocket) ConnectNext(ctx context.Context) error {
	err := s.life.ConnectNext(ctx)
	s.follow()
	return err
}

func (s *tcpSocket) Close() error {
	err := s.life.Close()
	s.follow()
	return err
}

func (s *tcpSocket) Shutdown() error {
	err := s.life.Shutdown()
	s.follow()
	return err
}

// follow has the deadline hold for the connection that there is now.
func (s *tcpSocket) follow() {
	if c, open := s.life.Conn(); open {
		s.deadline.Apply(c.tcp)
		return
	}
	s.deadline.Apply(nil)
}

func (s *tcpSocket) Send(p []byte) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	err := c.send(p)
	if err == nil {
		s.sent.Add(uint64(len(p)))
	}
	return err
}

func (s *tcpSocket) Recv(p []byte) (int, error) {
	for {
		c, open := s.life.Conn()
		if !open {
			return 0, socket.ErrClosed
		}
		n, err := c.recv(p, s.deadline.NoWait())
		if err == socket.ErrTimeout && s.deadline.Again() { //nolint:errorlint // never wrapped
			continue
		}
		s.received.Add(uint64(n))
		return n, err
	}
}

func (s *tcpSocket) InnerMTU() int {
	remote := s.life.RemoteAddr().Addr()
	mtu := s.linkMTU
	if c, open := s.life.Conn(); open && mtu == 0 {
		_ = c.raw.Control(func(fd uintptr) { mtu = osnet.PathMTU(fd, remote.Is4()) })
	}
	if mtu == 0 {
		mtu = osnet.FallbackMTU
	}
	return osnet.TCPPayload(mtu, remote)
}

// SystemHandle implements socket.Handle.
func (s *tcpSocket) SystemHandle(f func(fd uintptr)) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	return osnet.Error(c.raw.Control(f))
}

// SendBacklog implements socket.Backlog.
func (s *tcpSocket) SendBacklog() int {
	if c, open := s.life.Conn(); open {
		return c.pending()
	}
	return 0
}

func (s *tcpSocket) SetRecvDeadline(t time.Time)     { s.deadline.Set(t) }
func (s *tcpSocket) Kind() socket.Kind               { return socket.Stream }
func (s *tcpSocket) State() socket.State             { return s.life.State() }
func (s *tcpSocket) Bind(local netip.AddrPort) error { return s.life.Bind(local) }
func (s *tcpSocket) LocalAddr() netip.AddrPort       { return s.life.LocalAddr() }
func (s *tcpSocket) RemoteAddr() netip.AddrPort      { return s.life.RemoteAddr() }
func (s *tcpSocket) BytesSent() uint64               { return s.sent.Load() }
func (s *tcpSocket) BytesReceived() uint64           { return s.received.Load() }
