package dtls

import (
	"errors"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxAddresses bounds the addresses of clients; datagrams from further addresses are dropped.
const maxAddresses = 1 << 14

// Listen accepts DTLS connections over the datagrams of below. The listener owns below from then
// on, and closes it when it is closed.
//
// A client that sends a known Connection ID from a new address keeps its connection. A client that
// starts a new handshake at an old address gets a new connection. Accepted sockets have the
// abilities Addresses, Notifier and Session. They use the sockets of below, which usually end with
// the listener. Accept returns a connection when its handshake is complete. Each address has a
// goroutine that reads. PeerOf identifies the client.
//
// The listener has a method ForgetSessions(), which drops its connections and stored sessions
// without informing the clients, as if the process of the server was killed and started again.
func Listen(below socket.Listener, c ServerConfig) (socket.Listener, error) {
	p, err := c.parameters()
	if err != nil {
		return nil, err
	}
	timeout := c.HandshakeTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	l := &listener{
		params: p, cidLen: c.ConnectionIDLength, timeout: timeout,
		paths: make(map[*path]bool), byCID: make(map[string]*serverSocket),
	}
	l.Init(below)
	l.Serve(l.accept)
	return l, nil
}

type listener struct {
	secured.Listener
	params  *parameters
	cidLen  int
	timeout time.Duration

	mu    sync.Mutex
	paths map[*path]bool
	byCID map[string]*serverSocket
}

// Scheme implements socket.SchemeListener.
func (l *listener) Scheme() string { return l.SchemeOr("coaps") }

// Close implements socket.Listener. Accepted connections can no longer receive: the error is
// ErrReset.
func (l *listener) Close() error {
	return l.CloseWith(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for p := range l.paths {
			_ = p.socket.Close()
		}
	})
}

// accept makes a path for an address that has sent a datagram.
func (l *listener) accept(s socket.Socket) {
	p := &path{listener: l, socket: s}
	l.mu.Lock()
	full := l.Ctx.Err() != nil || len(l.paths) >= maxAddresses
	if !full {
		l.paths[p] = true
	}
	l.mu.Unlock()
	if full {
		_ = s.Close()
		return
	}
	l.Go(p.read)
}

// path is one address of a client.
type path struct {
	listener *listener
	socket   socket.Socket // below

	mu       sync.Mutex
	current  *serverSocket // the connection at this address; may be nil
	attempts []*attempt    // the oldest first
}

// largest is the size of the largest datagram that is processed.
const largest = maxPlaintext + maxExpansion

// read dispatches datagrams until the socket is closed.
func (p *path) read() {
	defer p.onSocketEnd()
	buf := make([]byte, largest)
	for {
		n, err := p.socket.Recv(buf)
		switch {
		case err == nil:
			p.datagram(buf[:n])
		case errors.Is(err, socket.ErrTimeout):
			if !p.stays() {
				return
			}
		case errors.Is(err, socket.ErrClosed), errors.Is(err, socket.ErrReset):
			return
		}
	}
}

func (p *path) onSocketEnd() {
	l := p.listener
	l.mu.Lock()
	delete(l.paths, p)
	l.mu.Unlock()
	p.mu.Lock()
	p.endAttempts(p.attempts)
	s := p.current
	p.mu.Unlock()
	if s != nil {
		s.onPathLost(p)
	}
	_ = p.socket.Close()
}

// datagram dispatches a datagram: to the connection with its Connection ID, to the connection at
// this address, or to handshakes, of which it may start one. During a handshake at the address of a
// connection both get the datagram, because only they can find out whose it is.
func (p *path) datagram(b []byte) {
	h, record, _, ok := splitRecord(b, p.listener.cidLen)
	if !ok {
		return
	}
	if h.typ == typeConnectionID {
		if s := p.listener.byID(h.cid); s != nil {
			s.deliver(p, b)
			p.expireIfUnused(lingerMoved)
			if !s.open.Load() {
				p.expireIfUnused(linger) // a connection that has just ended does not move here
			}
			return
		}
	}
	hello := isClientHello(&h, record)
	p.mu.Lock()
	s := p.current
	if hello {
		p.clientHello(&h, record, b)
	} else {
		p.feed(p.attempts, b)
	}
	busy := len(p.attempts) > 0
	p.mu.Unlock()
	if s != nil && !hello {
		s.deliver(p, b)
	}
	if s == nil && !busy {
		p.expireIfUnused(linger)
	}
}

// isClientHello reports whether a record begins with a ClientHello or a fragment of one.
func isClientHello(h *header, record []byte) bool {
	return h.typ == typeHandshake && h.epoch == 0 && len(record) >= h.body+messageHead &&
		record[h.body] == msgClientHello
}

const (
	// linger is how long an unused path is kept: a new handshake often follows the end of a
	// connection.
	linger = 100 * time.Millisecond
	// lingerMoved is how long an unused path is kept on which a Connection ID was received, until
	// the connection moves there.
	lingerMoved = 10 * time.Second
)

// expireIfUnused ends an unused path after a time.
func (p *path) expireIfUnused(after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expire(after)
}

// expire ends an unused path after a time. The caller holds p.mu.
func (p *path) expire(after time.Duration) {
	if p.current == nil && len(p.attempts) == 0 {
		p.socket.SetRecvDeadline(time.Now().Add(after))
	}
}

// stays reports whether the path is in use although it was to expire, and keeps it then until it is
// not.
func (p *path) stays() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current == nil && len(p.attempts) == 0 {
		return false
	}
	p.socket.SetRecvDeadline(time.Time{}) // under p.mu, so that it does not undo that of expire
	return true
}

// removeConn removes a connection from the path, and ends the path after a time if it is unused.
func (p *path) removeConn(s *serverSocket, after time.Duration) {
	p.mu.Lock()
	if p.current == s {
		p.current = nil
	}
	p.expire(after)
	p.mu.Unlock()
}

func (l *listener) byID(cid []byte) *serverSocket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byCID[string(cid)]
}

func (l *listener) used(cid string) bool { return l.byID([]byte(cid)) != nil }
