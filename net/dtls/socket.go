package dtls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is the socket.Socket of this package.
type conn struct {
	below   socket.Socket
	able    socket.Abilities // of below
	profile *profile         // a pointer, so that printing a conn shows no secret
	engine  engine
	server  *serverSocket // below, if a listener made it
	log     *slog.Logger
	cur     atomic.Pointer[link] // nil when not open

	mu        sync.Mutex
	state     socket.State
	cancel    context.CancelCauseFunc // of the Connect under way, else nil
	connected chan struct{}           // closed when that ends
	target    target                  // of the last connection
	resumed   socket.Resumption

	notice   sync.Mutex
	deadline time.Time
	ready    func()
}

// Format prints the remote end for every verb, and nothing of what must stay secret.
func (s *conn) Format(f fmt.State, _ rune) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(f, "DTLS socket to %s, %s", s.target.remote, s.state)
}

// Kind is Datagram.
func (s *conn) Kind() socket.Kind { return socket.Datagram }

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
	return l.send(p)
}

// Recv implements socket.Socket.
func (s *conn) Recv(p []byte) (int, error) {
	for {
		l := s.cur.Load()
		if l == nil {
			return 0, socket.ErrClosed
		}
		n, err := l.recv(p)
		if err != errFlood { //nolint:errorlint // never wrapped
			return n, err
		}
		if s.overdue() {
			return 0, socket.ErrTimeout
		}
	}
}

// overdue reports whether the receive deadline has passed, and if so that something may still be waiting.
func (s *conn) overdue() bool {
	s.notice.Lock()
	past, ready := !s.deadline.IsZero() && !s.deadline.After(time.Now()), s.ready
	s.notice.Unlock()
	if past && ready != nil {
		ready()
	}
	return past
}

// InnerMTU implements socket.Socket.
func (s *conn) InnerMTU() int {
	if l := s.cur.Load(); l != nil {
		return l.innerMTU()
	}
	most := 0
	for _, u := range s.profile.suites {
		most = max(most, u.overhead(0))
	}
	return innerMTU(s.below.InnerMTU(), most)
}

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
		return fmt.Errorf("connect %s with DTLS: %w", remote, err)
	}
	return nil
}

// ConnectNext implements socket.Alternates.
func (s *conn) ConnectNext(ctx context.Context) error {
	s.mu.Lock()
	remote := s.target.remote
	s.mu.Unlock()
	err := s.connect(ctx, remote, true, s.able.Alternates.ConnectNext)
	if err != nil {
		return fmt.Errorf("connect %s at its next address with DTLS: %w", remote, err)
	}
	return nil
}

// connect connects the socket below with dial, and then this one.
func (s *conn) connect(ctx context.Context, remote socket.Endpoint, next bool, dial func(context.Context) error) error {
	ctx, was, err := s.begin(ctx, next)
	if err != nil {
		return err
	}
	old := s.cur.Swap(nil)
	err = s.reach(ctx, remote, dial)
	if old != nil {
		if errors.Is(err, socket.ErrAddressNotFound) && s.below.State().Open() {
			return s.goOn(old, err)
		}
		old.mute()
		s.forget(old)
	}
	s.mu.Lock()
	if err == nil && ctx.Err() != nil { // Close came at the last moment
		err = context.Cause(ctx)
	}
	if err == nil {
		s.state = socket.StateConnected
	} else {
		s.abandon(was)
	}
	s.cancel(nil)
	s.cancel = nil
	close(s.connected)
	s.mu.Unlock()
	if err == nil {
		s.announce()
	}
	return err
}

// goOn leaves the connecting state with the connection as it was.
func (s *conn) goOn(l *link, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notice.Lock()
	s.below.SetRecvDeadline(s.deadline)
	s.cur.Store(l)
	s.notice.Unlock()
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
	case s.state == socket.StateAccepted, s.profile == nil:
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

// reach connects and does the handshake, with one address of the host after the other.
func (s *conn) reach(ctx context.Context, remote socket.Endpoint, dial func(context.Context) error) error {
	var errs []error
	for {
		err := dial(ctx)
		if err != nil {
			if len(errs) > 0 && errors.Is(err, socket.ErrAddressNotFound) {
				break // all were tried
			}
			return errors.Join(append(errs, err)...)
		}
		t := target{remote: remote}
		if s.able.Addresses != nil {
			t.addr = s.able.Addresses.RemoteAddr()
		}
		l, err := s.establish(ctx, t)
		if err == nil {
			return s.publish(ctx, l, t)
		}
		errs = append(errs, err)
		if s.able.Alternates == nil || ctx.Err() != nil || !tryNext(err) {
			break
		}
		dial = s.able.Alternates.ConnectNext
	}
	return errors.Join(errs...)
}

// tryNext reports failures that another address may not have.
func tryNext(err error) bool {
	return errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrTimeout) || errors.Is(err, socket.ErrUnreachable)
}

// publish makes l the connection.
func (s *conn) publish(ctx context.Context, l *link, t target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		l.notifyClose()
		return context.Cause(ctx)
	}
	s.target, s.resumed = t, l.resumed
	s.notice.Lock()
	defer s.notice.Unlock()
	s.below.SetRecvDeadline(s.deadline)
	s.cur.Store(l)
	return nil
}

// announce calls ready if something came with the handshake.
func (s *conn) announce() {
	s.notice.Lock()
	ready := s.ready
	s.notice.Unlock()
	if l := s.cur.Load(); ready != nil && l != nil && l.hasBuffered() {
		ready()
	}
}

// abandon leaves the connecting state after a failure. The caller holds s.mu.
func (s *conn) abandon(was socket.State) {
	if l := s.cur.Swap(nil); l != nil {
		l.mute()
	}
	if was == socket.StateShutdown {
		if s.able.Shutdowner == nil || s.able.Shutdowner.Shutdown() != nil {
			_ = s.below.Close()
		}
		return
	}
	s.state = socket.StateClosed
	_ = s.below.Close()
}

// Close implements socket.Socket. The peer gets a close_notify.
func (s *conn) Close() error {
	l := s.stop(socket.StateClosed)
	if l != nil {
		l.notifyClose()
		s.forget(l)
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

// forget takes the stored session back if the connection has shown that it is of no use.
func (s *conn) forget(l *link) {
	if s.profile == nil || (l.confirmed.Load() || l.resumed == socket.NewSession) && !l.failed.Load() {
		return
	}
	s.mu.Lock()
	t := s.target
	s.mu.Unlock()
	if _, err := s.profile.sessions.Take(s.profile.storeKey(t)); err != nil {
		s.debug("stored session not removed", err)
	}
}

// Shutdown implements socket.Shutdowner: it stores the live state if there is a Connection ID. The error may be that of the store; the
// next Connect then does a handshake.
func (s *conn) Shutdown() error {
	s.mu.Lock()
	if s.state == socket.StateClosed && s.cancel == nil {
		s.mu.Unlock()
		return socket.ErrClosed
	}
	s.mu.Unlock()
	l := s.stop(socket.StateShutdown)
	var err error
	if l != nil {
		l.mute()
		err = s.save(l)
	}
	if s.able.Shutdowner != nil && s.below.State() != socket.StateClosed {
		return errors.Join(err, s.able.Shutdowner.Shutdown())
	}
	return errors.Join(err, s.below.Close())
}

// save stores the live state of a muted link, if a later connection can go on with it.
func (s *conn) save(l *link) error {
	s.forget(l)
	usable := l.confirmed.Load() || l.resumed == socket.NewSession
	if len(l.sendCID) == 0 || !usable || l.end.Load() != nil || s.profile == nil {
		return nil
	}
	s.mu.Lock()
	t := s.target
	s.mu.Unlock()
	if err := s.profile.put(t, &stored{live: l.export()}); err != nil {
		return fmt.Errorf("dtls: the session is not kept: %w", err)
	}
	return nil
}

// Resumption implements socket.Session.
func (s *conn) Resumption() socket.Resumption {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

func (s *conn) debug(what string, err error) {
	if s.log != nil {
		s.log.Debug("dtls: "+what, "error", err)
	}
}
