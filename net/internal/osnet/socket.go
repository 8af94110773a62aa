// Package osnet is the common half of the sockets over those of the operating system.
package osnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Conn is one connection of a Socket.
type Conn interface {
	lifecycle.Conn
	readDeadliner
	// Control calls f with the descriptor.
	Control(f func(fd uintptr)) error
	// Send sends p as a whole or not at all, without waiting. interrupt says that a pending Recv
	// has something to report.
	Send(p []byte) (interrupt bool, err error)
	// Recv receives without waiting, or until the read deadline of the connection.
	Recv(p []byte, noWait bool) (int, error)
}

// Transport is the half of a Socket that differs between UDP and TCP.
type Transport[C Conn] interface {
	Kind() socket.Kind
	// Payload returns how much of a packet of mtu bytes to remote is left for the data of the
	// application.
	Payload(mtu int, remote netip.Addr) int
	// Options returns the configuration of the Dialer. Accepted sockets do not use it.
	Options() Options
	// NewConn makes a connection of c, which Socket closes if there is an error. bound says that c
	// was bound to a local address or port before it was connected.
	NewConn(c net.Conn, bound bool) (C, error)
}

// Options say how connections are made.
type Options struct {
	Dialer   net.Dialer
	Resolver Resolver // nil: net.DefaultResolver
	Control  Control  // nil: none
}

// Socket is a socket.Socket over connections of the operating system, with the abilities Addresses,
// Binder, Alternates, Counters, Handle and Shutdowner.
type Socket[C Conn] struct {
	transport Transport[C]
	linkMTU   int
	life      lifecycle.Socket[C]
	deadline  recvDeadline

	sent, received atomic.Uint64
}

// Init prepares a socket that can be connected.
func (s *Socket[C]) Init(t Transport[C], c *socket.Config) {
	s.transport, s.linkMTU = t, c.LinkMTU
	s.life.Init(network[C]{s}, c)
}

// InitAccepted prepares a socket around a connection that a listener accepted.
func (s *Socket[C]) InitAccepted(t Transport[C], c C) {
	s.transport = t
	s.life.Accept(c)
	s.followConn()
}

// network is the lifecycle.Network of a Socket.
type network[C Conn] struct{ s *Socket[C] }

func (n network[C]) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	return lookup(ctx, n.s.transport.Options().Resolver, host)
}

func (n network[C]) Dial(ctx context.Context, local, remote netip.AddrPort) (C, error) {
	var none C
	t := n.s.transport
	bound := local != netip.AddrPort{}
	share := bound && n.s.life.Bound().Port() != 0
	nc, err := dial(ctx, t.Options(), t.Kind(), local, remote, share)
	if err != nil {
		return none, err
	}
	c, err := t.NewConn(nc, bound)
	if err != nil {
		return none, errors.Join(err, nc.Close())
	}
	return c, nil
}

// Conn returns the connection of an open socket.
func (s *Socket[C]) Conn() (C, bool) { return s.life.Conn() }

// InterruptRecv makes a pending Recv ask the connection again.
func (s *Socket[C]) InterruptRecv() { s.deadline.interrupt() }

// Connect implements socket.Socket.
func (s *Socket[C]) Connect(ctx context.Context, remote socket.Endpoint) error {
	err := s.life.Connect(ctx, remote)
	s.followConn()
	return err
}

// ConnectNext implements socket.Alternates.
func (s *Socket[C]) ConnectNext(ctx context.Context) error {
	err := s.life.ConnectNext(ctx)
	s.followConn()
	return err
}

// Close implements socket.Socket.
func (s *Socket[C]) Close() error {
	err := s.life.Close()
	s.followConn()
	return err
}

// Shutdown implements socket.Shutdowner.
func (s *Socket[C]) Shutdown() error {
	err := s.life.Shutdown()
	s.followConn()
	return err
}

// followConn applies the receive deadline to the connection that the socket has now.
func (s *Socket[C]) followConn() {
	if c, open := s.life.Conn(); open {
		s.deadline.follow(c)
		return
	}
	s.deadline.follow(nil)
}

// Send implements socket.Socket.
func (s *Socket[C]) Send(p []byte) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	interrupt, err := c.Send(p)
	if interrupt {
		s.InterruptRecv()
	}
	if err == nil {
		s.sent.Add(uint64(len(p)))
	}
	return err
}

// Recv implements socket.Socket.
func (s *Socket[C]) Recv(p []byte) (int, error) {
	for {
		c, open := s.life.Conn()
		if !open {
			return 0, socket.ErrClosed
		}
		n, err := c.Recv(p, s.deadline.noWait())
		if err == socket.ErrTimeout && s.deadline.retry() { // never wrapped
			continue
		}
		s.received.Add(uint64(n))
		return n, err
	}
}

// InnerMTU implements socket.Socket.
func (s *Socket[C]) InnerMTU() int {
	remote := s.life.RemoteAddr().Addr()
	mtu := s.linkMTU
	if c, open := s.life.Conn(); open && mtu == 0 {
		_ = c.Control(func(fd uintptr) { mtu = pathMTU(fd, remote.Is4()) })
	}
	if mtu == 0 {
		mtu = FallbackMTU
	}
	return s.transport.Payload(mtu, remote)
}

// SystemHandle implements socket.Handle.
func (s *Socket[C]) SystemHandle(f func(fd uintptr)) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	return socket.WrapError(c.Control(f))
}

// State implements socket.Socket.
func (s *Socket[C]) State() socket.State { return s.life.State() }

// SetRecvDeadline implements socket.Socket.
func (s *Socket[C]) SetRecvDeadline(t time.Time) { s.deadline.set(t) }

// Bind implements socket.Binder.
func (s *Socket[C]) Bind(local netip.AddrPort) error { return s.life.Bind(local) }

// LocalAddr implements socket.Addresses.
func (s *Socket[C]) LocalAddr() netip.AddrPort { return s.life.LocalAddr() }

// RemoteAddr implements socket.Addresses.
func (s *Socket[C]) RemoteAddr() netip.AddrPort { return s.life.RemoteAddr() }

// BytesSent implements socket.Counters.
func (s *Socket[C]) BytesSent() uint64 { return s.sent.Load() }

// BytesReceived implements socket.Counters.
func (s *Socket[C]) BytesReceived() uint64 { return s.received.Load() }
