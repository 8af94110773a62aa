package tls

import (
	"context"
	stdtls "crypto/tls"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/socket"
)

const (
	maxPending       = 128
	handshakeTimeout = 10 * time.Second
)

// Listen accepts TLS connections over the streams of below; the listener owns below from then on.
// Accept returns a connection when its handshake, which may take 10 s, is complete. An accepted
// socket cannot be connected again after Close.
func Listen(below socket.Listener, config *stdtls.Config) (socket.Listener, error) {
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil &&
		config.GetConfigForClient == nil {
		return nil, fmt.Errorf("tls listener: the configuration has no certificate")
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{below: below, config: config.Clone(), ctx: ctx, cancel: cancel,
		queue: accept.NewQueue(maxPending), tokens: make(chan struct{}, maxPending)}
	l.work.Add(1)
	go l.accept()
	return l, nil
}

type listener struct {
	below  socket.Listener
	config *stdtls.Config
	ctx    context.Context // ends with the listener
	cancel context.CancelFunc
	queue  *accept.Queue
	tokens chan struct{} // one for each handshake in progress
	work   sync.WaitGroup
}

// Addr implements socket.Listener.
func (l *listener) Addr() netip.AddrPort { return l.below.Addr() }

// Accept implements socket.Listener.
func (l *listener) Accept(ctx context.Context) (socket.Socket, error) {
	return l.queue.Accept(ctx)
}

// Close implements socket.Listener.
func (l *listener) Close() error {
	l.cancel()
	left := l.queue.Close()
	err := l.below.Close()
	l.work.Wait()
	for _, s := range left {
		_ = s.Close()
	}
	return err
}

func (l *listener) accept() {
	defer l.work.Done()
	for {
		s, err := l.below.Accept(l.ctx)
		if err != nil {
			return
		}
		select {
		case l.tokens <- struct{}{}:
			l.work.Add(1)
			go l.handshake(s)
		default:
			_ = s.Close()
		}
	}
}

func (l *listener) handshake(below socket.Socket) {
	defer l.work.Done()
	defer func() { <-l.tokens }()
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	below.SetRecvDeadline(time.Time{})
	w := &wire{below: below}
	c := stdtls.Server(w, l.config)
	if err := c.HandshakeContext(ctx); err != nil {
		w.stop()
		_ = below.Close()
		return
	}
	s := &conn{buffer: defaultSendBuffer}
	s.InitAccepted(s, below, &link{tls: c, wire: w, below: socket.Detect(below).Backlog, buffer: defaultSendBuffer})
	if !l.queue.Put(s) {
		_ = s.Close()
	}
}
