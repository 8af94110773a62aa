// Package lifecycle is the common half of the sockets of all IP networks, real and simulated: the
// states, name resolution, trying addresses in turn, preferring the last one, and keeping the local
// port.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Conn is one connection, from Connect to Close.
type Conn interface {
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
	// Close ends the connection. None of its resources are left when it returns.
	Close() error
}

// Network is the half of a Socket that depends on the network.
type Network[C Conn] interface {
	// Resolve returns the addresses of a host name, at least one.
	Resolve(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial connects to one address. If the local port is taken, the error is
	// socket.ErrAddressInUse.
	Dial(ctx context.Context, local, remote netip.AddrPort) (C, error)
}

// Socket holds the state of a socket whose connections are of type C. All its methods may be called
// from any goroutine.
type Socket[C Conn] struct {
	net Network[C]
	cur atomic.Pointer[C] // nil when not open

	mu       sync.Mutex
	bound    netip.AddrPort
	cancel   context.CancelCauseFunc // of the Connect in progress, else nil
	local    netip.AddrPort          // of the last connection
	remote   netip.AddrPort
	sticky   netip.Addr
	rest     []netip.Addr // addresses not yet tried since Connect
	restOf   socket.Endpoint
	resolved time.Time    // when rest was resolved
	state    socket.State // never StateBound: that is StateClosed with bound set
	family   socket.Family
}

// CheckPlain checks the configuration of a socket without security, made by the package pkg. It
// refuses credentials and says where they belong.
func CheckPlain(pkg string, c *socket.Config, where string) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	if m := c.Security.Mode; m != socket.ModeNoSec {
		return fmt.Errorf("%s: security mode %s: %w; use %s", pkg, m, socket.ErrNotSupported, where)
	}
	return nil
}

// Init prepares a socket that can be connected.
func (s *Socket[C]) Init(n Network[C], c *socket.Config) {
	s.net, s.family, s.bound, s.sticky = n, c.Family, unmap(c.Local), c.Sticky.Unmap()
}

// unmap converts an IPv4-mapped address to IPv4.
func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Accept prepares a socket around a connection that a listener has taken.
func (s *Socket[C]) Accept(c C) {
	s.state, s.local, s.remote = socket.StateAccepted, c.LocalAddr(), c.RemoteAddr()
	s.cur.Store(&c)
}

// Conn returns the connection of an open socket.
func (s *Socket[C]) Conn() (C, bool) {
	if c := s.cur.Load(); c != nil {
		return *c, true
	}
	var none C
	return none, false
}

// Connect implements socket.Socket.
func (s *Socket[C]) Connect(ctx context.Context, remote socket.Endpoint) error {
	ctx, done, err := s.begin(ctx, false)
	if err != nil {
		return fmt.Errorf("connect %s: %w", remote, err)
	}
	defer done()
	addrs, err := s.resolve(ctx, remote.Host)
	if err == nil {
		err = s.dialAny(ctx, addrs, remote)
	}
	if err != nil {
		return fmt.Errorf("connect %s: %w", remote, s.reason(ctx, err))
	}
	return nil
}

// ConnectNext implements socket.Alternates.
func (s *Socket[C]) ConnectNext(ctx context.Context) error {
	ctx, done, err := s.begin(ctx, true)
	if err != nil {
		return fmt.Errorf("connect to the next address: %w", err)
	}
	defer done()
	addrs, remote := s.others(ctx)
	if err := s.dialAny(ctx, addrs, remote); err != nil {
		return fmt.Errorf("connect to the next address: %w", s.reason(ctx, err))
	}
	return nil
}

// staleAfter is the age of a resolution from which on ConnectNext asks the name service again: a
// server that has moved has other addresses than when the device connected, maybe months ago.
const staleAfter = 5 * time.Minute

// others returns the addresses for ConnectNext, at least one.
func (s *Socket[C]) others(ctx context.Context) ([]netip.Addr, socket.Endpoint) {
	s.mu.Lock()
	rest, remote, silent := s.rest, s.restOf, s.remote.Addr()
	stale := time.Since(s.resolved) >= staleAfter
	s.mu.Unlock()
	if !stale {
		return rest, remote
	}
	addrs, err := s.resolve(ctx, remote.Host)
	addrs = slices.DeleteFunc(addrs, func(a netip.Addr) bool { return a == silent })
	if err != nil || len(addrs) == 0 {
		return rest, remote
	}
	return addrs, remote
}

// begin enters the connecting state. next says that an open connection is replaced by one to
// another address.
func (s *Socket[C]) begin(ctx context.Context, next bool) (context.Context, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.net == nil:
		return nil, nil, accept.ErrAccepted
	case s.cancel != nil, s.state.Open() && !next:
		return nil, nil, socket.ErrConnected
	case next && len(s.rest) == 0:
		return nil, nil, fmt.Errorf("%w: there is no other", socket.ErrAddressNotFound)
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	}
	if s.state.Open() {
		if err := s.drop(socket.StateClosed); err != nil {
			return nil, nil, err
		}
	}
	ctx, s.cancel = context.WithCancelCause(ctx)
	return ctx, s.end, nil
}

func (s *Socket[C]) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel(nil)
	s.cancel = nil
}

// reason returns the end of the context, or of the socket, instead of the error that it caused,
// which may come a moment earlier.
func (s *Socket[C]) reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d, ok := ctx.Deadline(); ok && !d.After(time.Now()) {
		return context.DeadlineExceeded
	}
	return err
}

func (s *Socket[C]) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = s.net.Resolve(ctx, host); err != nil {
		return nil, err
	}
	s.mu.Lock()
	sticky := s.sticky
	s.resolved = time.Now()
	s.mu.Unlock()
	ordered := s.family.Order(addrs, sticky)
	if len(ordered) == 0 {
		return nil, fmt.Errorf("%w: %d addresses, none allowed by %q", socket.ErrAddressNotFound, len(addrs), s.family)
	}
	return ordered, nil
}

// dialAny connects to the first of addrs that accepts a connection.
func (s *Socket[C]) dialAny(ctx context.Context, addrs []netip.Addr, to socket.Endpoint) error {
	var errs []error
	for i, a := range addrs {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		remote := netip.AddrPortFrom(a, to.Port)
		c, err := s.dial(ctx, remote)
		if err == nil {
			return s.publish(ctx, c, addrs[i+1:], to)
		}
		if len(addrs) > 1 {
			err = fmt.Errorf("%s: %w", remote, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// dial uses the address of Bind, or else tries the port of the last connection before any other
// port.
func (s *Socket[C]) dial(ctx context.Context, remote netip.AddrPort) (C, error) {
	s.mu.Lock()
	bound, last := s.bound, s.local
	s.mu.Unlock()
	if bound.Addr().IsValid() && bound.Addr().Unmap().Is4() != remote.Addr().Is4() {
		var none C
		return none, fmt.Errorf("%w: %s from the bound address %s", socket.ErrUnreachable, remote.Addr(), bound.Addr())
	}
	if bound.Port() != 0 || last.Port() == 0 {
		c, err := s.net.Dial(ctx, bound, remote)
		if errors.Is(err, socket.ErrAddressInUse) {
			err = fmt.Errorf("from %s: %w: choose another local address, or none", localText(bound), err)
		}
		return c, err
	}
	c, err := s.net.Dial(ctx, netip.AddrPortFrom(bound.Addr(), last.Port()), remote)
	if errors.Is(err, socket.ErrAddressInUse) {
		return s.net.Dial(ctx, bound, remote)
	}
	return c, err
}

// localText returns a local end in the form that is usual without an address.
func localText(a netip.AddrPort) string {
	if a.Addr().IsValid() {
		return a.String()
	}
	return fmt.Sprintf(":%d", a.Port())
}

// publish makes c the connection of the socket, unless that was closed in the meantime.
func (s *Socket[C]) publish(ctx context.Context, c C, rest []netip.Addr, to socket.Endpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		_ = c.Close()
		return context.Cause(ctx)
	}
	s.state, s.rest, s.restOf = socket.StateConnected, rest, to
	s.local, s.remote = c.LocalAddr(), c.RemoteAddr()
	s.sticky = s.remote.Addr()
	s.cur.Store(&c)
	return nil
}

// Close implements socket.Socket.
func (s *Socket[C]) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(socket.StateClosed)
}

// Shutdown implements socket.Shutdowner.
func (s *Socket[C]) Shutdown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.Open() && s.state != socket.StateShutdown {
		return socket.ErrClosed
	}
	return s.drop(socket.StateShutdown)
}

// drop ends the connection, or the Connect in progress.
func (s *Socket[C]) drop(to socket.State) error {
	s.state = to
	if s.cancel != nil {
		s.cancel(socket.ErrClosed)
	}
	if c := s.cur.Swap(nil); c != nil {
		return (*c).Close()
	}
	return nil
}

// State implements socket.Socket.
func (s *Socket[C]) State() socket.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == socket.StateClosed && s.bound != (netip.AddrPort{}) {
		return socket.StateBound
	}
	return s.state
}

// Bind implements socket.Binder.
func (s *Socket[C]) Bind(local netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.net == nil {
		return fmt.Errorf("bind: %w", accept.ErrAccepted)
	}
	s.bound = unmap(local)
	return nil
}

// Bound returns the address that Bind has set.
func (s *Socket[C]) Bound() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bound
}

// LocalAddr implements socket.Addresses.
func (s *Socket[C]) LocalAddr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local
}

// RemoteAddr implements socket.Addresses.
func (s *Socket[C]) RemoteAddr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remote
}
