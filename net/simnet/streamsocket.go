package simnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/internal/lifecycle"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// window is the size in bytes of the receive buffer of a stream, and the default size of its send
// buffer.
const window = 64 << 10

// StreamDialer returns a dialer for the scheme coap+tcp, whose sockets are streams of this host.
func (h *Host) StreamDialer() socket.Dialer { return streamDialer{h} }

type streamDialer struct{ host *Host }

func (streamDialer) Schemes() []string { return []string{"coap+tcp"} }

func (d streamDialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if err := checkConfig(&c); err != nil {
		return nil, err
	}
	s := newStreamSocket(d.host, c.SendBuffer)
	s.linkMTU = c.LinkMTU
	s.life.Init(s, &c)
	return s, nil
}

// streamSocket is a socket.Socket with every ability that a stream without a descriptor can have.
type streamSocket struct {
	host    *Host
	limit   int
	linkMTU int
	inbox   *socket.Inbox
	life    lifecycle.Socket[*streamConn]

	sent, received atomic.Uint64
}

func newStreamSocket(h *Host, limit int) *streamSocket {
	if limit == 0 {
		limit = window
	}
	return &streamSocket{host: h, limit: limit, inbox: socket.NewInbox(socket.Stream, window)}
}

// Resolve implements lifecycle.Network.
func (s *streamSocket) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return s.host.net.resolve(ctx, name)
}

// Dial implements lifecycle.Network.
func (s *streamSocket) Dial(ctx context.Context, local, remote netip.AddrPort) (*streamConn, error) {
	n, h := s.host.net, s.host
	n.mu.Lock()
	local, err := h.local(socket.Stream, local, remote)
	if err != nil {
		n.mu.Unlock()
		return nil, err
	}
	ends := flow{local, remote}
	h.stream[ends] = true
	n.mu.Unlock()
	c, err := s.dial(ctx, ends)
	if err != nil {
		n.mu.Lock()
		delete(h.stream, ends)
		n.mu.Unlock()
	}
	return c, err
}

func (s *streamSocket) dial(ctx context.Context, ends flow) (*streamConn, error) {
	peer, err := s.host.reach(ctx, ends.remote)
	if err != nil {
		return nil, err
	}
	c := s.open(peer, ends)
	if err := s.host.waitTransit(ctx, peer, s.host); err != nil {
		if c != nil {
			_ = c.Close()
		}
		return nil, err
	}
	if c == nil {
		return nil, socket.ErrRefused
	}
	return c, nil
}

// open makes both ends of a stream, if the peer has a listener.
func (s *streamSocket) open(peer *Host, ends flow) *streamConn {
	n := s.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	host, at := n.locate(s.host, ends.remote)
	if host != peer {
		return nil
	}
	l := peer.accept[at]
	if l == nil {
		l = peer.accept[netip.AddrPortFrom(netip.Addr{}, at.Port())]
	}
	if l == nil {
		return nil
	}
	seen := flow{at, ends.local}
	if s.host.nat != nil && peer.nat != s.host.nat {
		seen.remote = s.host.nat.outbound(s.host, ends.local)
	}
	far := newStreamSocket(peer, 0)
	s.inbox.Open()
	far.inbox.Open()
	there := &half{net: n, from: s.host, to: peer, src: ends.local, dst: ends.remote, inbox: far.inbox.Feed(),
		limit: s.limit}
	here := &half{net: n, from: peer, to: s.host, src: seen.local, dst: seen.remote, inbox: s.inbox.Feed(),
		limit: far.limit}
	there.back, here.back = here, there
	there.moved, here.moved = [2]int{s.host.moved, peer.moved}, [2]int{peer.moved, s.host.moved}
	there.rebound = [2]int{rebound(s.host), rebound(peer)}
	here.rebound = [2]int{rebound(peer), rebound(s.host)}
	far.life.Accept(&streamConn{socket: far, ends: seen, in: there, out: here})
	peer.stream[seen] = true
	if !l.queue.Put(far) {
		delete(peer.stream, seen)
		s.inbox.Close()
		return nil
	}
	return &streamConn{socket: s, ends: ends, in: here, out: there}
}

// connectTimeout is how long an address that does not answer is tried (RFC 1122 §4.2.3.5 allows
// longer).
const connectTimeout = 20 * time.Second

// reach waits until a connection request has arrived at the host with the address remote.
func (h *Host) reach(ctx context.Context, remote netip.AddrPort) (*Host, error) {
	for start, pause := time.Now(), time.Second; ; pause *= 2 {
		h.net.mu.Lock()
		peer, _ := h.net.locate(h, remote)
		ok := peer != nil && h.net.reachable(h, peer) && h.net.reachable(peer, h)
		h.net.mu.Unlock()
		switch {
		case peer == nil:
			return nil, fmt.Errorf("%w: there is no host with this address", socket.ErrUnreachable)
		case ok:
			return peer, h.waitTransit(ctx, h, peer)
		case time.Since(start)+pause > connectTimeout:
			return nil, fmt.Errorf("%w: no answer for %v", socket.ErrTimeout, time.Since(start))
		}
		if err := pauseFor(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// waitTransit waits as long as a packet takes from one host to another.
func (h *Host) waitTransit(ctx context.Context, from, to *Host) error {
	h.net.mu.Lock()
	p, l := h.net.path(from, to), h.net.link(from, to)
	d := p.delay(l)
	for d < connectTimeout && p.chance(l.Loss) {
		d += time.Second
	}
	h.net.mu.Unlock()
	return pauseFor(ctx, d)
}

func pauseFor(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// streamConn is one end of a stream.
type streamConn struct {
	socket  *streamSocket
	ends    flow
	in, out *half
}

// LocalAddr implements lifecycle.Conn.
func (c *streamConn) LocalAddr() netip.AddrPort { return c.ends.local }

// RemoteAddr implements lifecycle.Conn.
func (c *streamConn) RemoteAddr() netip.AddrPort { return c.ends.remote }

// Close implements lifecycle.Conn. Data that was sent before still arrives.
func (c *streamConn) Close() error {
	h := c.socket.host
	h.net.mu.Lock()
	delete(h.stream, c.ends)
	h.net.mu.Unlock()
	c.socket.inbox.Close()
	c.in.closeReceiver()
	c.out.end()
	return nil
}

func (s *streamSocket) Connect(ctx context.Context, remote socket.Endpoint) error {
	return s.life.Connect(ctx, remote)
}

func (s *streamSocket) Send(p []byte) error {
	c, open := s.life.Conn()
	if !open {
		return socket.ErrClosed
	}
	err := c.out.send(p)
	if err == nil {
		s.sent.Add(uint64(len(p)))
	}
	return err
}

func (s *streamSocket) Recv(p []byte) (int, error) {
	n, err := s.inbox.Recv(p)
	if n > 0 {
		s.received.Add(uint64(n))
		if c, open := s.life.Conn(); open {
			c.in.advance() // there is room again
		}
	}
	return n, err
}

func (s *streamSocket) InnerMTU() int {
	n := s.host.net
	to := s.life.RemoteAddr()
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.defaults
	if host, _ := n.locate(s.host, to); host != nil {
		l = n.link(s.host, host)
	}
	mtu := l.mtu()
	if s.linkMTU != 0 {
		mtu = min(mtu, s.linkMTU)
	}
	return mtu - headerTCP
}

// SendBacklog implements socket.Backlog.
func (s *streamSocket) SendBacklog() int {
	if c, open := s.life.Conn(); open {
		return c.out.backlog()
	}
	return 0
}

func (s *streamSocket) ConnectNext(ctx context.Context) error { return s.life.ConnectNext(ctx) }
func (s *streamSocket) Close() error                          { return s.life.Close() }
func (s *streamSocket) Kind() socket.Kind                     { return socket.Stream }
func (s *streamSocket) State() socket.State                   { return s.life.State() }
func (s *streamSocket) Shutdown() error                       { return s.life.Shutdown() }
func (s *streamSocket) Bind(local netip.AddrPort) error       { return s.life.Bind(local) }
func (s *streamSocket) LocalAddr() netip.AddrPort             { return s.life.LocalAddr() }
func (s *streamSocket) RemoteAddr() netip.AddrPort            { return s.life.RemoteAddr() }
func (s *streamSocket) SetRecvDeadline(t time.Time)           { s.inbox.SetRecvDeadline(t) }
func (s *streamSocket) NotifyReadable(ready func())           { s.inbox.NotifyReadable(ready) }
func (s *streamSocket) BytesSent() uint64                     { return s.sent.Load() }
func (s *streamSocket) BytesReceived() uint64                 { return s.received.Load() }

// ListenStream accepts streams at a port of all addresses of the host; port zero means a free port.
// Accepted sockets stay usable after the listener is closed.
func (h *Host) ListenStream(port uint16) (socket.Listener, error) {
	return h.listenStreamAt(netip.AddrPortFrom(netip.Addr{}, port))
}

// listenStreamAt is ListenStream at one address of the host.
func (h *Host) listenStreamAt(at netip.AddrPort) (socket.Listener, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	at, err := completeListenAddr(h, h.accept, at)
	if err != nil {
		return nil, err
	}
	l := &streamListener{host: h, at: at, queue: accept.NewQueue(maxPending)}
	h.accept[at] = l
	return l, nil
}

type streamListener struct {
	host  *Host
	at    netip.AddrPort
	queue *accept.Queue
}

func (l *streamListener) Accept(ctx context.Context) (socket.Socket, error) {
	return l.queue.Accept(ctx)
}

func (l *streamListener) Scheme() string { return "coap+tcp" }

func (l *streamListener) Addr() netip.AddrPort { return l.host.dialableAddr(l.at) }

func (l *streamListener) Close() error {
	l.host.net.mu.Lock()
	if l.host.accept[l.at] == l {
		delete(l.host.accept, l.at)
	}
	l.host.net.mu.Unlock()
	var errs []error
	for _, s := range l.queue.Close() {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
