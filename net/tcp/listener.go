package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// Listen accepts connections at a local address; port zero means a free port. Accepted sockets have
// the abilities of those of a Dialer, except for connecting, and stay usable after the listener is
// closed.
func Listen(at netip.AddrPort) (socket.Listener, error) {
	network := "tcp"
	if at.Addr().IsValid() {
		network = osnet.Network("tcp", at.Addr().Unmap())
	}
	config := net.ListenConfig{KeepAlive: -1}
	l, err := config.Listen(context.Background(), network, listenAddr(at))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", at, socket.WrapError(err))
	}
	return &listener{tcp: l.(*net.TCPListener), turn: make(chan struct{}, 1)}, nil
}

func listenAddr(at netip.AddrPort) string {
	if !at.Addr().IsValid() {
		return fmt.Sprintf(":%d", at.Port())
	}
	return at.String()
}

type listener struct {
	tcp  *net.TCPListener
	turn chan struct{} // held by the Accept that owns the deadline
}

// Scheme implements socket.SchemeListener.
func (l *listener) Scheme() string { return "coap+tcp" }

// Accept implements socket.Listener.
func (l *listener) Accept(ctx context.Context) (socket.Socket, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("accept: %w", ctx.Err())
	}
	nc, err := l.accept(ctx)
	<-l.turn
	if err != nil {
		return nil, fmt.Errorf("accept: %w", socket.WrapError(err))
	}
	s := &tcpSocket{limits: limits{}.withDefaults()}
	c, err := newConn(nc, s.limits, false)
	if err != nil {
		return nil, fmt.Errorf("accept: %w", errors.Join(err, nc.Close()))
	}
	s.InitAccepted(s, c)
	return s, nil
}

// accept waits until ctx ends, which sets a deadline in the past. A deadline that an earlier
// context left is ignored.
func (l *listener) accept(ctx context.Context) (*net.TCPConn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		_ = l.tcp.SetDeadline(time.Time{}) // fails on a closed listener only, as AcceptTCP does
		stop := context.AfterFunc(ctx, func() { _ = l.tcp.SetDeadline(time.Unix(1, 0)) })
		nc, err := l.tcp.AcceptTCP()
		stop()
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return nc, err
		}
	}
}

// Addr implements socket.Listener.
func (l *listener) Addr() netip.AddrPort { return osnet.AddrPort(l.tcp.Addr()) }

// Close implements socket.Listener.
func (l *listener) Close() error {
	if err := l.tcp.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
