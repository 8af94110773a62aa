package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// connSocket is a socket of a ConnDialer.
type connSocket struct {
	dialer *ConnDialer
	kind   Kind
	mtu    int
	limit  int // of the bytes that Send takes over
	inbox  *Inbox
	taken  chan struct{}             // one token: Recv has returned data or an error
	cur    atomic.Pointer[connected] // nil when not open

	sent, received atomic.Uint64

	mu            sync.Mutex              // held by Close
	cancel        context.CancelCauseFunc // of the Connect in progress, else nil
	addresses     sync.Mutex
	local, remote netip.AddrPort // of the last connection
}

// datagramQueue is how many bytes of datagrams Send takes over: more would only make them late on a
// slow line.
const datagramQueue = 16 << 10

func newConnSocket(d *ConnDialer, k Kind, c *Config) *connSocket {
	s := &connSocket{
		dialer: d, kind: k, mtu: d.payload(k, c.LinkMTU), limit: datagramQueue,
		inbox: NewInbox(k, 0), taken: make(chan struct{}, 1),
	}
	if k == Stream {
		s.limit = cmp.Or(c.SendBuffer, defaultInbox)
	}
	return s
}

// Connect implements Socket.
func (s *connSocket) Connect(ctx context.Context, remote Endpoint) error {
	ctx, err := s.begin(ctx)
	if err != nil {
		return fmt.Errorf("connect %s: %w", remote, err)
	}
	conn, err := s.dialer.connect(ctx, s.kind, remote)

	s.mu.Lock()
	defer s.mu.Unlock()
	reason := ending(ctx, err)
	s.cancel(nil)
	s.cancel = nil
	if reason != nil {
		if err == nil {
			_ = conn.Close()
		}
		return fmt.Errorf("connect %s: %w", remote, reason)
	}
	if a, ok := conn.(connAddresses); ok {
		s.addresses.Lock()
		s.local, s.remote = addrPort(a.LocalAddr()), addrPort(a.RemoteAddr())
		s.addresses.Unlock()
	}
	s.inbox.Open()
	s.cur.Store(connect(s, conn))
	return nil
}

// begin enters the connecting state and returns the context that Close ends.
func (s *connSocket) begin(ctx context.Context) (context.Context, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cur.Load() != nil, s.cancel != nil:
		return nil, ErrConnected
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	ctx, s.cancel = context.WithCancelCause(ctx)
	return ctx, nil
}

// Close implements Socket.
func (s *connSocket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(ErrClosed)
	}
	c := s.cur.Swap(nil)
	if c == nil {
		return nil
	}
	s.inbox.Close()
	return c.close()
}

// Send implements Socket.
func (s *connSocket) Send(p []byte) error {
	c := s.cur.Load()
	switch {
	case c == nil:
		return ErrClosed
	case s.kind == Datagram && len(p) > s.mtu:
		return &SizeError{Size: len(p), Limit: s.mtu}
	}
	if err := c.out.put(p); err != nil {
		return err
	}
	s.sent.Add(uint64(len(p)))
	return nil
}

// Recv implements Socket.
func (s *connSocket) Recv(p []byte) (int, error) {
	n, err := s.inbox.Recv(p)
	if err != ErrTimeout { // Inbox promises exactly ErrTimeout
		select {
		case s.taken <- struct{}{}:
		default:
		}
	}
	return n, err
}

// SetRecvDeadline implements Socket.
func (s *connSocket) SetRecvDeadline(t time.Time) { s.inbox.SetRecvDeadline(t) }

// NotifyReadable implements Notifier.
func (s *connSocket) NotifyReadable(ready func()) { s.inbox.NotifyReadable(ready) }

// State implements Socket.
func (s *connSocket) State() State {
	if s.cur.Load() != nil {
		return StateConnected
	}
	return StateClosed
}

// InnerMTU implements Socket.
func (s *connSocket) InnerMTU() int { return s.mtu }

// Kind implements Socket.
func (s *connSocket) Kind() Kind { return s.kind }

// Abilities implements Describer.
func (s *connSocket) Abilities() Abilities {
	a := Abilities{Counters: s, Notifier: s}
	if s.kind == Stream {
		a.Backlog = s
	}
	if s.dialer.addressed {
		a.Addresses = s
	}
	return a
}

// BytesSent implements Counters.
func (s *connSocket) BytesSent() uint64 { return s.sent.Load() }

// BytesReceived implements Counters.
func (s *connSocket) BytesReceived() uint64 { return s.received.Load() }

// SendBacklog implements Backlog.
func (s *connSocket) SendBacklog() int {
	if c := s.cur.Load(); c != nil {
		return c.out.backlog()
	}
	return 0
}

// LocalAddr implements Addresses.
func (s *connSocket) LocalAddr() netip.AddrPort {
	s.addresses.Lock()
	defer s.addresses.Unlock()
	return s.local
}

// RemoteAddr implements Addresses.
func (s *connSocket) RemoteAddr() netip.AddrPort {
	s.addresses.Lock()
	defer s.addresses.Unlock()
	return s.remote
}

// String names the socket in logs. The connection may hold secrets and is not printed.
func (s *connSocket) String() string {
	return fmt.Sprintf("%s socket over a connection, %s", s.kind, s.State())
}

// GoString is String, so that %#v does not print the connection.
func (s *connSocket) GoString() string { return s.String() }

// transient reports whether a connection for datagrams may work again after err.
func transient(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, ErrUnreachable) || errors.Is(err, ErrMessageTooLong) ||
		errors.Is(err, ErrBusy)
}

// brokenConn returns the error of a connection that has failed with err.
func brokenConn(err error) error {
	if err = WrapError(err); errors.Is(err, ErrReset) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrReset, err)
}
