package tls

import (
	"context"
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is the socket.Socket of this package.
type conn struct {
	below   socket.Socket
	able    socket.Abilities // of below
	profile *profile         // a pointer, so that printing a conn shows no secret; nil if a listener made it
	log     *slog.Logger
	buffer  int
	cur     atomic.Pointer[link] // nil when not open

	mu        sync.Mutex
	state     socket.State
	cancel    context.CancelCauseFunc // of the Connect under way, else nil
	connected chan struct{}           // closed when that ends
	remote    socket.Endpoint
	resumed   socket.Resumption

	notice   sync.Mutex
	deadline time.Time
}

// Format prints the remote end for every verb, and nothing of what must stay secret.
func (s *conn) Format(f fmt.State, _ rune) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(f, "TLS socket to %s, %s", s.remote, s.state)
}

// Kind is Stream.
func (s *conn) Kind() socket.Kind { return socket.Stream }

// State implements socket.Socket.
func (s *conn) State() socket.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == socket.StateClosed && s.cancel == nil && s.below.State() == socket.StateBound {
		return socket.StateBound
	}
	return s.state
}

// Send implements socket.Socket.
func (s *conn) Send(p []byte) error {
	l := s.cur.Load()
	if l == nil {
		return socket.ErrClosed
	}
	return s.closedFirst(l.send(p))
}

// Recv implements socket.Socket.
func (s *conn) Recv(p []byte) (int, error) {
	l := s.cur.Load()
	if l == nil {
		return 0, socket.ErrClosed
	}
	n, err := l.recv(p)
	return n, s.closedFirst(err)
}

// closedFirst makes an error ErrClosed if the socket was closed meanwhile.
func (s *conn) closedFirst(err error) error {
	if err != nil && s.cur.Load() == nil {
		return socket.ErrClosed
	}
	return err
}

// InnerMTU implements socket.Socket: the content of a record that fits one packet.
func (s *conn) InnerMTU() int { return min(max(1, s.below.InnerMTU()-perRecord), maxRecord) }

// SetRecvDeadline implements socket.Socket.
func (s *conn) SetRecvDeadline(t time.Time) {
	s.notice.Lock()
	defer s.notice.Unlock()
	s.deadline = t
	if s.cur.Load() != nil {
		s.below.SetRecvDeadline(t)
	}
}

// Connect implements socket.Socket.
func (s *conn) Connect(ctx context.Context, remote socket.Endpoint) error {
	err := s.connect(ctx, remote, false, func(ctx context.Context) error { return s.below.Connect(ctx, remote) })
	if err != nil {
		return fmt.Errorf("connect %s with TLS: %w", remote, err)
	}
	return nil
}

// ConnectNext implements socket.Alternates.
func (s *conn) ConnectNext(ctx context.Context) error {
	s.mu.Lock()
	remote := s.remote
	s.mu.Unlock()
	err := s.connect(ctx, remote, true, s.able.Alternates.ConnectNext)
	if err != nil {
		return fmt.Errorf("connect %s at its next address with TLS: %w", remote, err)
	}
	return nil
}

func (s *conn) connect(ctx context.Context, remote socket.Endpoint, next bool, dial func(context.Context) error) error {
	ctx, was, err := s.begin(ctx, next)
	if err != nil {
		return err
	}
	old := s.cur.Swap(nil)
	if old != nil {
		old.wire.stop() // its bytes are not for another connection
	}
	err = s.reach(ctx, remote, dial)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && ctx.Err() != nil { // Close came at the last moment
		err = context.Cause(ctx)
	}
	switch {
	case err == nil:
		s.state = socket.StateConnected
	case old != nil && errors.Is(err, socket.ErrAddressNotFound) && s.below.State().Open():
		old.wire.resume()
		s.publish(old)
	default:
		s.abandon(was)
	}
	s.cancel(nil)
	s.cancel = nil
	close(s.connected)
	return err
}

// begin enters the connecting state.
func (s *conn) begin(ctx context.Context, next bool) (context.Context, socket.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.profile == nil:
		return nil, 0, fmt.Errorf("%w: the socket was made by a listener", socket.ErrNotSupported)
	case s.cancel != nil, s.state.Open() && !next:
		return nil, 0, socket.ErrConnected
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	}
	was := s.state
	ctx, s.cancel = context.WithCancelCause(ctx)
	s.connected = make(chan struct{})
	return ctx, was, nil
}

// reach connects the socket below and does the handshake.
func (s *conn) reach(ctx context.Context, remote socket.Endpoint, dial func(context.Context) error) error {
	if err := dial(ctx); err != nil {
		return err
	}
	l, err := s.handshake(ctx, remote)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remote, s.resumed = remote, socket.NewSession
	if l.tls.ConnectionState().DidResume {
		s.resumed = socket.SessionResumed
	}
	s.publish(l)
	return nil
}

func (s *conn) handshake(ctx context.Context, remote socket.Endpoint) (*link, error) {
	cache := &sessionCache{profile: s.profile, remote: remote, log: s.log}
	var seen progress
	config, err := s.profile.config(remote, cache, &seen)
	if err != nil {
		return nil, err
	}
	s.below.SetRecvDeadline(time.Time{})
	w := &wire{below: s.below}
	c := stdtls.Client(w, config)
	if err := c.HandshakeContext(ctx); err != nil {
		w.stop()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("tls handshake: %w: %s", context.Cause(ctx), seen.story(w.heard))
		}
		return nil, handshakeError(err, &seen)
	}
	cache.store()
	return &link{tls: c, wire: w, cache: cache, below: s.able.Backlog, buffer: s.buffer}, nil
}

// publish makes l the connection. The caller holds s.mu.
func (s *conn) publish(l *link) {
	s.notice.Lock()
	defer s.notice.Unlock()
	s.below.SetRecvDeadline(s.deadline)
	s.cur.Store(l)
}

// abandon leaves the connecting state after a failure. The caller holds s.mu.
func (s *conn) abandon(was socket.State) {
	s.cur.Store(nil)
	if was == socket.StateShutdown {
		if s.able.Shutdowner == nil || s.able.Shutdowner.Shutdown() != nil {
			_ = s.below.Close()
		}
		return
	}
	s.state = socket.StateClosed
	_ = s.below.Close()
}

// Close implements socket.Socket. The peer gets a close_notify if there is room for it.
func (s *conn) Close() error {
	if l := s.stop(socket.StateClosed); l != nil {
		defer l.wire.stop()
		l.sending.Lock()
		_ = l.tls.CloseWrite()
		l.sending.Unlock()
		l.keep()
	}
	return s.below.Close()
}

// stop ends a Connect under way, waits for it, and takes the link out of use.
func (s *conn) stop(to socket.State) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cancel != nil {
		s.cancel(socket.ErrClosed)
		ended := s.connected
		s.mu.Unlock()
		<-ended
		s.mu.Lock()
	}
	s.state = to
	return s.cur.Swap(nil)
}

// keep stores the newest session: with TLS 1.3 it comes with the first data.
func (l *link) keep() {
	if l.cache != nil {
		l.cache.store()
	}
}

// Shutdown implements socket.Shutdowner: the stream ends without close_notify, and the session is kept.
func (s *conn) Shutdown() error {
	s.mu.Lock()
	if s.state == socket.StateClosed && s.cancel == nil {
		s.mu.Unlock()
		return socket.ErrClosed
	}
	s.mu.Unlock()
	if l := s.stop(socket.StateShutdown); l != nil {
		l.wire.stop()
		l.keep()
	}
	if s.able.Shutdowner != nil && s.below.State() != socket.StateClosed {
		return s.able.Shutdowner.Shutdown()
	}
	return s.below.Close()
}

// Resumption implements socket.Session.
func (s *conn) Resumption() socket.Resumption {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

// Abilities implements socket.Describer: what the socket below is able to do, and besides Shutdowner and Session.
func (s *conn) Abilities() socket.Abilities {
	a := s.able
	a.Session, a.Shutdowner, a.Buffered = s, nil, nil
	if s.profile != nil {
		a.Shutdowner = s
	}
	if a.Backlog != nil {
		a.Backlog = s
	}
	if a.Alternates != nil {
		a.Alternates = s
	}
	if a.Notifier != nil {
		a.Notifier = s
	}
	if a.Handle != nil {
		a.Buffered = s
	}
	return a
}

// SendBacklog implements socket.Backlog.
func (s *conn) SendBacklog() int {
	l := s.cur.Load()
	if l == nil {
		return 0
	}
	return l.wire.pending() + l.backlog()
}

// Bind implements socket.Binder.
func (s *conn) Bind(local netip.AddrPort) error { return s.able.Binder.Bind(local) }

// HasBuffered implements socket.Buffered.
func (s *conn) HasBuffered() bool {
	if l := s.cur.Load(); l != nil && l.buffered.Load() {
		return true
	}
	return s.able.Buffered != nil && s.able.Buffered.HasBuffered()
}

// NotifyReadable implements socket.Notifier.
func (s *conn) NotifyReadable(ready func()) {
	s.able.Notifier.NotifyReadable(ready)
	if l := s.cur.Load(); ready != nil && l != nil && l.buffered.Load() {
		ready()
	}
}
