package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxPending is the number of connections that wait to be accepted; datagrams of further peers are
// dropped. It is large enough for a fleet: after an outage all devices connect at once, and the
// reader is faster than the caller of Accept.
const maxPending = 4096

// receiveBuffer is the receive buffer in bytes that a listener requests, because all peers may send
// at once: the usual 208 KiB hold about 256 small datagrams. The system uses only what waiting
// datagrams need.
const receiveBuffer = 4 << 20

// maxDatagram is the size of the largest datagram.
const maxDatagram = 65535

// Listen receives datagrams at a local address; port zero means a free port. Each peer, identified
// by its address and port, becomes one accepted socket. All of them share the listener's descriptor
// and end with it. They have the abilities Addresses, Counters and Notifier. If the listener has an
// unspecified address, so has their LocalAddr. Their Send waits while the system has no room for a
// datagram.
func Listen(at netip.AddrPort) (socket.Listener, error) {
	network := "udp"
	if at.Addr().IsValid() {
		network = osnet.Network("udp", at.Addr().Unmap())
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, socket.WrapError(err))
	}
	_ = c.SetReadBuffer(receiveBuffer) // the system may limit it
	l := &listener{
		udp:    c,
		local:  osnet.AddrPort(c.LocalAddr()),
		peers:  make(map[netip.AddrPort]*accepted),
		queue:  accept.NewQueue(maxPending),
		closed: make(chan struct{}),
		done:   make(chan struct{}),
	}
	go l.read()
	return l, nil
}

type listener struct {
	udp    *net.UDPConn
	local  netip.AddrPort
	queue  *accept.Queue
	closed chan struct{} // Close was called
	done   chan struct{} // the reading goroutine has ended
	once   sync.Once

	mu    sync.Mutex
	peers map[netip.AddrPort]*accepted
}

// read delivers every datagram to the socket of its sender until the listener is closed.
func (l *listener) read() {
	defer close(l.done)
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // a refusal or another passing error; an open descriptor stays readable
			select {
			case <-l.closed:
				return
			case <-time.After(time.Millisecond):
			}
			continue
		}
		if s := l.peer(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())); s != nil {
			s.inbox.Put(buf[:n])
		}
	}
}

// peer returns the socket of a peer, and makes one if there is none. It is nil if the queue is
// full.
func (l *listener) peer(addr netip.AddrPort) *accepted {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.peers[addr]; s != nil {
		return s
	}
	s := &accepted{listener: l, remote: addr, inbox: socket.NewInbox(socket.Datagram, 0)}
	s.open.Store(true)
	s.inbox.Open()
	if !l.queue.Put(s) {
		return nil
	}
	l.peers[addr] = s
	return s
}

// Accept implements socket.Listener.
func (l *listener) Accept(ctx context.Context) (socket.Socket, error) {
	return l.queue.Accept(ctx)
}

// Scheme implements socket.SchemeListener.
func (l *listener) Scheme() string { return "coap" }

// Addr implements socket.Listener.
func (l *listener) Addr() netip.AddrPort { return l.local }

// Close implements socket.Listener.
func (l *listener) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		_ = l.queue.Close() // each is among the peers
		err = l.udp.Close()
		<-l.done
		l.mu.Lock()
		peers := l.peers
		l.peers = nil
		l.mu.Unlock()
		for _, s := range peers {
			s.end()
		}
	})
	return err
}

// accepted is the socket of one peer of a listener.
type accepted struct {
	listener *listener
	remote   netip.AddrPort
	inbox    *socket.Inbox
	open     atomic.Bool

	sent, received atomic.Uint64
}

func (s *accepted) Connect(context.Context, socket.Endpoint) error {
	if s.open.Load() {
		return socket.ErrConnected
	}
	return fmt.Errorf("connect: %w", accept.ErrAccepted)
}

func (s *accepted) Send(p []byte) error {
	if !s.open.Load() {
		return socket.ErrClosed
	}
	_, err := s.listener.udp.WriteToUDPAddrPort(p, s.remote)
	if err != nil {
		if err = socket.WrapError(err); errors.Is(err, socket.ErrMessageTooLong) {
			return &socket.SizeError{Size: len(p), Limit: osnet.UDPPayload(1<<16, s.remote.Addr())}
		}
		return err
	}
	s.sent.Add(uint64(len(p)))
	return nil
}

func (s *accepted) Close() error {
	s.listener.mu.Lock()
	if s.listener.peers[s.remote] == s {
		delete(s.listener.peers, s.remote)
	}
	s.listener.mu.Unlock()
	s.end()
	return nil
}

func (s *accepted) end() {
	s.open.Store(false)
	s.inbox.Close()
}

func (s *accepted) State() socket.State {
	if s.open.Load() {
		return socket.StateAccepted
	}
	return socket.StateClosed
}

func (s *accepted) Recv(p []byte) (int, error) {
	n, err := s.inbox.Recv(p)
	s.received.Add(uint64(n))
	return n, err
}

func (s *accepted) SetRecvDeadline(t time.Time) { s.inbox.SetRecvDeadline(t) }
func (s *accepted) NotifyReadable(ready func()) { s.inbox.NotifyReadable(ready) }
func (s *accepted) Kind() socket.Kind           { return socket.Datagram }
func (s *accepted) InnerMTU() int               { return osnet.UDPPayload(osnet.FallbackMTU, s.remote.Addr()) }
func (s *accepted) LocalAddr() netip.AddrPort   { return s.listener.local }
func (s *accepted) RemoteAddr() netip.AddrPort  { return s.remote }
func (s *accepted) BytesSent() uint64           { return s.sent.Load() }
func (s *accepted) BytesReceived() uint64       { return s.received.Load() }
