package tls

import (
	"context"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

const handshakeTimeout = 10 * time.Second

// Listen accepts TLS connections over the streams of below; the listener owns below from then on.
// Accept returns a connection when its handshake, which may take 10 s, is complete. An accepted
// socket cannot be connected again after Close.
//
// The listener has a method ForgetSessions(), which makes the session tickets of clients invalid,
// as a restart of the server's process does. Connections are not affected.
func Listen(below socket.Listener, config *stdtls.Config) (socket.Listener, error) {
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil &&
		config.GetConfigForClient == nil {
		return nil, fmt.Errorf("tls listener: the configuration has no certificate")
	}
	l := &listener{config: config.Clone()}
	l.Init(below)
	l.Serve(l.accept)
	return l, nil
}

type listener struct {
	secured.Listener
	config *stdtls.Config
}

// Scheme implements socket.SchemeListener.
func (l *listener) Scheme() string { return l.SchemeOr("coaps+tcp") }

// ForgetSessions makes all session tickets invalid: the next handshake of a client is a full one.
func (l *listener) ForgetSessions() {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	l.config.SetSessionTicketKeys([][32]byte{key})
}

// accept starts the handshake of a connection.
func (l *listener) accept(below socket.Socket) {
	if !l.BeginHandshake() {
		_ = below.Close()
		return
	}
	l.Go(func() { l.handshake(below) })
}

func (l *listener) handshake(below socket.Socket) {
	defer l.EndHandshake()
	ctx, cancel := context.WithTimeout(l.Ctx, handshakeTimeout)
	defer cancel()
	below.SetRecvDeadline(time.Time{})
	w := &wire{below: below}
	c := stdtls.Server(w, l.config)
	if err := c.HandshakeContext(ctx); err != nil {
		w.stop()
		_ = below.Close()
		return
	}
	s := &conn{buffer: defaultSendBuffer, peer: c.ConnectionState().PeerCertificates}
	s.InitAccepted(s, below, &link{tls: c, wire: w, below: socket.Detect(below).Backlog, buffer: defaultSendBuffer})
	l.Offer(s)
}

// PeerCertificates returns the certificates that the client at the other end of a socket has proven
// to have the key of, its own first. It is nil for clients without a certificate, and for sockets
// that no Listener of this package accepted.
func PeerCertificates(s socket.Socket) []*x509.Certificate {
	if c, ok := s.(*conn); ok {
		return c.peer
	}
	return nil
}
