package udp

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// udpSocket is a socket.Socket with the abilities that the package documentation names.
type udpSocket struct {
	dialer   Dialer
	linkMTU  int
	life     lifecycle.Socket[*conn]
	deadline osnet.Deadline

	sent, received atomic.Uint64
}

func (s *udpSocket) Connect(ctx context.Context, remote socket.Endpoint) error {
	err := s.life.Connect(ctx, remote)
	s.follow()
	return err
}

func (s *udpSocket) ConnectNext(ctx context.Context) error {
	err := s.life.ConnectNext(ctx)
	s.follow()
	return err
}

func (s *udpSocket) Close() error {
	err := s.life.Close()
	s.follow()
	return err
}

func (s *udpSocket) Shutdown() error {
	err := s.life.Shutdown()
	s.follow()
	return err
}

// follow has the deadline hold for the connection that there is now.
func (s *udpSocket) follow() {
	if c, open := s.life.Conn(); open {
		s.deadline.Apply(c.udp)
		return
	}
	s.deadline.Apply(nil)
}

func (s *udpSocket) Send(p []byte) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	refused, err := c.send(p)
	if refused {
		s.deadline.Wake() // a pending Recv reports it
	}
	if err == nil {
		s.sent.Add(uint64(len(p)))
	}
	return err
}

func (s *udpSocket) Recv(p []byte) (int, error) {
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

func (s *udpSocket) InnerMTU() int {
	remote := s.life.RemoteAddr().Addr()
	mtu := s.linkMTU
	if c, open := s.life.Conn(); open && mtu == 0 {
		mtu = c.pathMTU()
	}
	if mtu == 0 {
		mtu = osnet.FallbackMTU
	}
	return osnet.UDPPayload(mtu, remote)
}

// SystemHandle implements socket.Handle.
func (s *udpSocket) SystemHandle(f func(fd uintptr)) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	return osnet.Error(c.raw.Control(f))
}

func (s *udpSocket) SetRecvDeadline(t time.Time)     { s.deadline.Set(t) }
func (s *udpSocket) Kind() socket.Kind               { return socket.Datagram }
func (s *udpSocket) State() socket.State             { return s.life.State() }
func (s *udpSocket) Bind(local netip.AddrPort) error { return s.life.Bind(local) }
func (s *udpSocket) LocalAddr() netip.AddrPort       { return s.life.LocalAddr() }
func (s *udpSocket) RemoteAddr() netip.AddrPort      { return s.life.RemoteAddr() }
func (s *udpSocket) BytesSent() uint64               { return s.sent.Load() }
func (s *udpSocket) BytesReceived() uint64           { return s.received.Load() }
