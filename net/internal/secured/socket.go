// Package secured is the common half of sockets that secure another one, as net/dtls and net/tls
// do: the states, connecting with a context, suspending, and passing the abilities of the socket
// below on. Establishing a connection and protecting data are left to the protocol.
package secured

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Target is the peer of a connection.
type Target struct {
	Remote socket.Endpoint
	Addr   netip.AddrPort // zero if the socket below has no Addresses
}

// Protocol is what differs from protocol to protocol.
type Protocol[L Link] interface {
	// Name is the name for errors, such as "DTLS".
	Name() string
	// Establish makes a connection to t over the socket below, which is connected.
	Establish(ctx context.Context, t Target) (L, error)
	// TryNext reports whether another address of the host may succeed where Establish failed with
	// err.
	TryNext(err error) bool
	// Forget removes the stored session for remote.
	Forget(remote socket.Endpoint) error
}

// Link is one secured connection.
type Link interface {
	// Resumption says how much of an earlier session the connection continues.
	Resumption() socket.Resumption
	// HasBuffered reports whether a receive would return at once for a reason that the socket below
	// does not show.
	HasBuffered() bool
	// Suspend stops sending while the socket below moves to another address. Resume or Supersede
	// follows.
	Suspend()
	// Resume continues: there is no other address.
	Resume()
	// Supersede ends the link after Suspend: the socket below has another connection, or none.
	Supersede()
	// Cancel ends a new link that is not needed, because its Connect was cancelled.
	Cancel()
	// Close ends the link and tells the peer.
	Close()
	// Shutdown ends the link without telling the peer, and keeps the session for the next
	// connection.
	Shutdown() error
}

// Socket holds the state of a secured socket whose connections are of type L. It implements all of
// socket.Socket but Send, Recv and InnerMTU. Its methods may be called from any goroutine.
type Socket[L Link] struct {
	Below socket.Socket
	Able  socket.Abilities // of Below

	protocol Protocol[L]
	accepted bool              // a listener made the socket
	link     atomic.Pointer[L] // nil when not open

	mu        sync.Mutex
	state     socket.State
	cancel    context.CancelCauseFunc // of the Connect in progress, else nil
	connected chan struct{}           // closed when that ends
	remote    socket.Endpoint         // of the last connection
	resumed   socket.Resumption

	notice   sync.Mutex
	deadline time.Time
	ready    func()
}

// Init prepares a socket that can be connected.
func (s *Socket[L]) Init(p Protocol[L], below socket.Socket) {
	s.protocol, s.Below, s.Able = p, below, socket.Detect(below)
}

// InitAccepted prepares a socket around a connection that a listener made over below.
func (s *Socket[L]) InitAccepted(p Protocol[L], below socket.Socket, l L) {
	s.Init(p, below)
	s.accepted, s.state, s.resumed = true, socket.StateAccepted, l.Resumption()
	s.link.Store(&l)
}

// Link returns the connection of an open socket.
func (s *Socket[L]) Link() (L, bool) {
	if l := s.link.Load(); l != nil {
		return *l, true
	}
	var none L
	return none, false
}

// takeLink makes the connection unusable for further calls and returns it.
func (s *Socket[L]) takeLink() (L, bool) {
	if l := s.link.Swap(nil); l != nil {
		return *l, true
	}
	var none L
	return none, false
}

// Format prints the remote end for every verb, and none of the secrets.
func (s *Socket[L]) Format(f fmt.State, _ rune) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(f, "%s socket to %s, %s", s.protocol.Name(), s.remote, s.state)
}

// Kind implements socket.Socket.
func (s *Socket[L]) Kind() socket.Kind { return s.Below.Kind() }

// State implements socket.Socket.
func (s *Socket[L]) State() socket.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == socket.StateClosed && s.cancel == nil && s.Below.State() == socket.StateBound {
		return socket.StateBound
	}
	return s.state
}

// Resumption implements socket.Session.
func (s *Socket[L]) Resumption() socket.Resumption {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumed
}

// Connect implements socket.Socket.
func (s *Socket[L]) Connect(ctx context.Context, remote socket.Endpoint) error {
	err := s.connect(ctx, remote, false, func(ctx context.Context) error { return s.Below.Connect(ctx, remote) })
	what := "connect " + remote.String()
	switch {
	case err == nil:
		return nil
	case strings.HasPrefix(err.Error(), what+":"): // the socket below says so already
		return fmt.Errorf("%s: %w", s.protocol.Name(), err)
	}
	return fmt.Errorf("%s with %s: %w", what, s.protocol.Name(), err)
}

// ConnectNext implements socket.Alternates.
func (s *Socket[L]) ConnectNext(ctx context.Context) error {
	s.mu.Lock()
	remote := s.remote
	s.mu.Unlock()
	err := s.connect(ctx, remote, true, s.Able.Alternates.ConnectNext)
	if err != nil {
		return fmt.Errorf("connect %s at its next address with %s: %w", remote, s.protocol.Name(), err)
	}
	return nil
}

// connect connects the socket below with dial, and then this one.
func (s *Socket[L]) connect(
	ctx context.Context, remote socket.Endpoint, next bool, dial func(context.Context) error,
) error {
	ctx, was, err := s.begin(ctx, next)
	if err != nil {
		return err
	}
	old, wasOpen := s.takeLink()
	if wasOpen {
		old.Suspend()
	}
	l, err := s.establish(ctx, remote, dial)
	stays := wasOpen && errors.Is(err, socket.ErrAddressNotFound) && s.Below.State().Open()
	if wasOpen && !stays {
		old.Supersede()
	}
	s.mu.Lock()
	// Close was called, or the context ended, at the last moment.
	if err == nil && ctx.Err() != nil {
		l.Cancel()
		err = context.Cause(ctx)
	}
	switch {
	case err == nil:
		s.state, s.remote, s.resumed = socket.StateConnected, remote, l.Resumption()
		s.publish(l)
	case stays:
		old.Resume()
		s.publish(old)
	default:
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

// begin enters the connecting state. next allows it on an open socket.
func (s *Socket[L]) begin(ctx context.Context, next bool) (context.Context, socket.State, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.accepted:
		return nil, 0, accept.ErrAccepted
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

// establish connects the socket below and secures the connection, with one address of the host
// after the other.
func (s *Socket[L]) establish(
	ctx context.Context, remote socket.Endpoint, dial func(context.Context) error,
) (L, error) {
	var none L
	var errs []error
	for {
		err := dial(ctx)
		if err != nil {
			if len(errs) > 0 && errors.Is(err, socket.ErrAddressNotFound) {
				break // all were tried
			}
			return none, errors.Join(append(errs, err)...)
		}
		t := Target{Remote: remote}
		if s.Able.Addresses != nil {
			t.Addr = s.Able.Addresses.RemoteAddr()
		}
		l, err := s.protocol.Establish(ctx, t)
		if err == nil {
			return l, nil
		}
		errs = append(errs, err)
		if s.Able.Alternates == nil || ctx.Err() != nil || !s.protocol.TryNext(err) {
			break
		}
		dial = s.Able.Alternates.ConnectNext
	}
	return none, errors.Join(errs...)
}

// publish makes l the connection. The caller holds s.mu.
func (s *Socket[L]) publish(l L) {
	s.notice.Lock()
	defer s.notice.Unlock()
	s.Below.SetRecvDeadline(s.deadline)
	s.link.Store(&l)
}

// abandon leaves the connecting state after a failure. The caller holds s.mu.
func (s *Socket[L]) abandon(was socket.State) {
	if was == socket.StateShutdown {
		if s.Able.Shutdowner == nil || s.Able.Shutdowner.Shutdown() != nil {
			_ = s.Below.Close()
		}
		return
	}
	s.state = socket.StateClosed
	_ = s.Below.Close()
}

// Close implements socket.Socket.
func (s *Socket[L]) Close() error {
	if l, wasOpen := s.stop(socket.StateClosed); wasOpen {
		l.Close()
	}
	return s.Below.Close()
}

// Shutdown implements socket.Shutdowner. The error may be that of the session store; the next
// Connect then does a full handshake.
func (s *Socket[L]) Shutdown() error {
	s.mu.Lock()
	if s.state == socket.StateClosed && s.cancel == nil {
		s.mu.Unlock()
		return socket.ErrClosed
	}
	s.mu.Unlock()
	var err error
	if l, wasOpen := s.stop(socket.StateShutdown); wasOpen {
		err = l.Shutdown()
	}
	if s.Able.Shutdowner != nil && s.Below.State() != socket.StateClosed {
		return errors.Join(err, s.Able.Shutdowner.Shutdown())
	}
	return errors.Join(err, s.Below.Close())
}

// stop cancels a Connect in progress, waits for its end, and takes the link.
func (s *Socket[L]) stop(to socket.State) (L, bool) {
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
	return s.takeLink()
}

// SetRecvDeadline implements socket.Socket.
func (s *Socket[L]) SetRecvDeadline(t time.Time) {
	s.notice.Lock()
	defer s.notice.Unlock()
	s.deadline = t
	if s.link.Load() != nil {
		s.Below.SetRecvDeadline(t)
	}
}

// DeadlinePassed reports whether the receive deadline has passed. If so, it also announces that
// something may still be waiting: it is for a Recv that stops before the socket below has nothing
// left.
func (s *Socket[L]) DeadlinePassed() bool {
	s.notice.Lock()
	passed, ready := !s.deadline.IsZero() && !s.deadline.After(time.Now()), s.ready
	s.notice.Unlock()
	if passed && ready != nil {
		ready()
	}
	return passed
}
