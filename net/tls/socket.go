package tls

import (
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// conn is the socket.Socket of this package.
type conn struct {
	secured.Socket[*link]
	// A pointer, so that printing a conn shows no secret; nil if a listener made it.
	profile *profile
	log     *slog.Logger
	buffer  int
	peer    []*x509.Certificate // of the client, if a listener made it
}

// Name implements secured.Protocol.
func (s *conn) Name() string { return "TLS" }

// TryNext implements secured.Protocol: an address that takes the connection is not given up.
func (s *conn) TryNext(error) bool { return false }

// Establish implements secured.Protocol.
func (s *conn) Establish(ctx context.Context, t secured.Target) (*link, error) {
	cache := &sessionCache{profile: s.profile, remote: t.Remote, log: s.log}
	var seen progress
	config, err := s.profile.config(t.Remote, cache, &seen)
	if err != nil {
		return nil, err
	}
	s.Below.SetRecvDeadline(time.Time{})
	w := &wire{below: s.Below}
	c := stdtls.Client(w, config)
	if err := c.HandshakeContext(ctx); err != nil {
		w.stop()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("handshake: %w: %s", context.Cause(ctx), seen.explainSilence(w.heard))
		}
		return nil, handshakeError(err, &seen)
	}
	cache.store()
	return &link{tls: c, wire: w, cache: cache, below: s.Able.Backlog, buffer: s.buffer}, nil
}

// Forget implements secured.Protocol.
func (s *conn) Forget(remote socket.Endpoint) error {
	_, err := s.profile.sessions.Take(s.profile.storeKey(remote))
	return err
}

// Send implements socket.Socket.
func (s *conn) Send(p []byte) error {
	l, open := s.Link()
	if !open {
		return socket.ErrClosed
	}
	return s.preferClosed(l.send(p))
}

// Recv implements socket.Socket.
func (s *conn) Recv(p []byte) (int, error) {
	l, open := s.Link()
	if !open {
		return 0, socket.ErrClosed
	}
	n, err := l.recv(p)
	return n, s.preferClosed(err)
}

// preferClosed returns ErrClosed instead of err if the socket was closed in the meantime.
func (s *conn) preferClosed(err error) error {
	if err != nil {
		if _, open := s.Link(); !open {
			return socket.ErrClosed
		}
	}
	return err
}

// InnerMTU implements socket.Socket: the content of a record that fits one packet.
func (s *conn) InnerMTU() int { return min(max(1, s.Below.InnerMTU()-perRecord), maxRecord) }

// Abilities implements socket.Describer.
func (s *conn) Abilities() socket.Abilities {
	a := s.Socket.Abilities()
	if s.Able.Backlog != nil {
		a.Backlog = s
	}
	return a
}

// SendBacklog implements socket.Backlog.
func (s *conn) SendBacklog() int {
	l, open := s.Link()
	if !open {
		return 0
	}
	return l.wire.pending() + l.backlog()
}
