package dtls

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is the socket.Socket of this package.
type conn struct {
	secured.Socket[*link]
	// A pointer, so that printing a conn shows no secret; nil if a listener made it.
	profile *profile
	engine  engine
	server  *serverSocket // the socket below, if a listener made it
	log     *slog.Logger
}

// Name implements secured.Protocol.
func (s *conn) Name() string { return "DTLS" }

// TryNext implements secured.Protocol.
func (s *conn) TryNext(err error) bool {
	return errors.Is(err, socket.ErrRefused) || errors.Is(err, socket.ErrTimeout) ||
		errors.Is(err, socket.ErrUnreachable)
}

// Establish implements secured.Protocol.
func (s *conn) Establish(ctx context.Context, t secured.Target) (*link, error) {
	l, err := s.establish(ctx, t)
	if err != nil {
		return nil, err
	}
	l.store = &storePlace{profile: s.profile, target: t, log: s.log}
	return l, nil
}

// Forget implements secured.Protocol.
func (s *conn) Forget(remote socket.Endpoint) error {
	_, err := s.profile.sessions.Take(s.profile.storeKey(secured.Target{Remote: remote}))
	return err
}

// Send implements socket.Socket.
func (s *conn) Send(p []byte) error {
	l, open := s.Link()
	if !open {
		return socket.ErrClosed
	}
	return l.send(p)
}

// Recv implements socket.Socket.
func (s *conn) Recv(p []byte) (int, error) {
	for {
		l, open := s.Link()
		if !open {
			return 0, socket.ErrClosed
		}
		n, err := l.recv(p)
		if err != errFlood { // never wrapped
			return n, err
		}
		if s.DeadlinePassed() {
			return 0, socket.ErrTimeout
		}
	}
}

// InnerMTU implements socket.Socket.
func (s *conn) InnerMTU() int {
	if l, open := s.Link(); open {
		return l.innerMTU()
	}
	most := 0
	for _, u := range s.profile.suites {
		most = max(most, u.overhead(0))
	}
	return innerMTU(s.Below.InnerMTU(), most)
}
