package simnet

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Dialer returns a dialer for the scheme coap, whose sockets carry datagrams of this host.
func (h *Host) Dialer() socket.Dialer { return datagramDialer{h} }

type datagramDialer struct{ host *Host }

func (datagramDialer) Schemes() []string { return []string{"coap"} }

func (d datagramDialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := checkConfig(&c); err != nil {
		return nil, err
	}
	s := newDatagramSocket(d.host, c.LinkMTU)
	s.life.Init(s, &c)
	return s, nil
}

// datagramSocket is a socket.Socket with every ability that a socket without a descriptor can have.
type datagramSocket struct {
	host    *Host
	linkMTU int
	inbox   *socket.Inbox
	life    lifecycle.Socket[*datagramConn]

	sent, received atomic.Uint64
	off            atomic.Bool // receiver off
}

func newDatagramSocket(h *Host, linkMTU int) *datagramSocket {
	return &datagramSocket{host: h, linkMTU: linkMTU, inbox: socket.NewInbox(socket.Datagram, 0)}
}

// Resolve implements lifecycle.Network.
func (s *datagramSocket) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return s.host.net.resolve(ctx, name)
}

// Dial implements lifecycle.Network.
func (s *datagramSocket) Dial(_ context.Context, local, remote netip.AddrPort) (*datagramConn, error) {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	local, err := s.host.local(socket.Datagram, local, remote)
	if err != nil {
		return nil, err
	}
	return s.open(local, remote), nil
}

// open makes the connection between two addresses. The caller holds n.mu.
func (s *datagramSocket) open(local, remote netip.AddrPort) *datagramConn {
	s.inbox.Open()
	c := &datagramConn{socket: s, feed: s.inbox.Feed(), local: local, remote: remote}
	s.host.flows[flow{local, remote}] = c
	return c
}

// datagramConn is one connection of a datagramSocket.
type datagramConn struct {
	socket        *datagramSocket
	feed          socket.Feed
	local, remote netip.AddrPort
}

// LocalAddr implements lifecycle.Conn.
func (c *datagramConn) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr implements lifecycle.Conn.
func (c *datagramConn) RemoteAddr() netip.AddrPort { return c.remote }

// Close implements lifecycle.Conn.
func (c *datagramConn) Close() error {
	h := c.socket.host
	h.net.mu.Lock()
	delete(h.flows, flow{c.local, c.remote})
	h.net.mu.Unlock()
	c.socket.inbox.Close()
	return nil
}

func (c *datagramConn) take(_, _ netip.AddrPort, data []byte) { c.feed.Put(data) }

func (c *datagramConn) refused() { c.feed.PutError(socket.ErrRefused) }

func (s *datagramSocket) Connect(ctx context.Context, remote socket.Endpoint) error {
	s.off.Store(false)
	return s.life.Connect(ctx, remote)
}

func (s *datagramSocket) ConnectNext(ctx context.Context) error {
	s.off.Store(false)
	return s.life.ConnectNext(ctx)
}

func (s *datagramSocket) Send(p []byte) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	s.off.Store(false)
	if limit := s.InnerMTU(); s.linkMTU != 0 && len(p) > limit {
		return &socket.SizeError{Size: len(p), Limit: limit}
	}
	if err := s.host.net.send(s.host, c.local, c.remote, p); err != nil {
		return err
	}
	s.sent.Add(uint64(len(p)))
	return nil
}

func (s *datagramSocket) Recv(p []byte) (int, error) {
	s.off.Store(false)
	n, err := s.inbox.Recv(p)
	s.received.Add(uint64(n))
	return n, err
}

func (s *datagramSocket) Close() error {
	s.off.Store(false)
	return s.life.Close()
}

func (s *datagramSocket) InnerMTU() int {
	to := s.life.RemoteAddr()
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	host, _ := n.locate(s.host, to)
	limit := n.maxPayload(s.host, host, to)
	if s.linkMTU != 0 {
		limit = min(limit, s.linkMTU-ipv6UDP)
	}
	return limit
}

// ReceiverOff implements socket.ReceiverOff.
func (s *datagramSocket) ReceiverOff() { s.off.Store(true) }

// ReceiverIsOff reports, for tests, whether no method of the socket that turns the receiver on was
// called since ReceiverOff.
func (s *datagramSocket) ReceiverIsOff() bool { return s.off.Load() }

func (s *datagramSocket) Kind() socket.Kind               { return socket.Datagram }
func (s *datagramSocket) State() socket.State             { return s.life.State() }
func (s *datagramSocket) Shutdown() error                 { return s.life.Shutdown() }
func (s *datagramSocket) Bind(local netip.AddrPort) error { return s.life.Bind(local) }
func (s *datagramSocket) LocalAddr() netip.AddrPort       { return s.life.LocalAddr() }
func (s *datagramSocket) RemoteAddr() netip.AddrPort      { return s.life.RemoteAddr() }
func (s *datagramSocket) SetRecvDeadline(t time.Time)     { s.inbox.SetRecvDeadline(t) }
func (s *datagramSocket) NotifyReadable(ready func())     { s.inbox.NotifyReadable(ready) }
func (s *datagramSocket) BytesSent() uint64               { return s.sent.Load() }
func (s *datagramSocket) BytesReceived() uint64           { return s.received.Load() }
