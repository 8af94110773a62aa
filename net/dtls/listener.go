package dtls

import (
	"bytes"
	"context"
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

// Close implements socket.Listener. Accepted connections can no longer receive.
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
	p := &path{listener: l, socket: s, inbox: socket.NewInbox(socket.Datagram, 0)}
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
	inbox    *socket.Inbox // open during a handshake

	mu          sync.Mutex
	current     *serverSocket // the connection at this address; may be nil
	handshaking bool
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
			if p.isUnused() {
				return
			}
			p.socket.SetRecvDeadline(time.Time{})
		case errors.Is(err, socket.ErrClosed), errors.Is(err, socket.ErrReset):
			return
		}
	}
}

func (p *path) onSocketEnd() {
	p.inbox.Close()
	l := p.listener
	l.mu.Lock()
	delete(l.paths, p)
	l.mu.Unlock()
	p.mu.Lock()
	s := p.current
	p.mu.Unlock()
	if s != nil {
		s.onPathLost(p)
	}
	_ = p.socket.Close()
}

// datagram dispatches a datagram: to the connection with its Connection ID, to the connection at
// this address, or to a handshake, which it may start. During a handshake at the address of a
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
	p.mu.Lock()
	s := p.current
	if isClientHello(&h, record) && !p.handshaking && p.listener.BeginHandshake() {
		p.handshaking = true
		p.inbox.Open()
		p.listener.Go(p.handshake)
	}
	busy := p.handshaking
	if busy {
		p.inbox.Put(b) // before p.mu is released: after the handshake the inbox is no longer read
	}
	p.mu.Unlock()
	if s != nil && !isClientHello(&h, record) {
		s.deliver(p, b)
	}
	if s == nil && !busy {
		p.expireIfUnused(linger)
	}
}

// isClientHello reports whether a record starts a handshake.
func isClientHello(h *header, record []byte) bool {
	const clientHello = 1
	return h.typ == typeHandshake && h.epoch == 0 && len(record) > h.body && record[h.body] == clientHello
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
	if p.isUnused() {
		p.socket.SetRecvDeadline(time.Now().Add(after))
	}
}

// removeConn removes a connection from the path, and ends the path after a time if it is unused.
func (p *path) removeConn(s *serverSocket, after time.Duration) {
	p.mu.Lock()
	if p.current == s {
		p.current = nil
	}
	p.mu.Unlock()
	p.expireIfUnused(after)
}

func (p *path) isUnused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current == nil && !p.handshaking
}

// handshake runs a handshake and queues the connection for Accept.
func (p *path) handshake() {
	l := p.listener
	c, err := p.establish()
	p.mu.Lock()
	p.handshaking = false
	rest := p.takeUnread()
	var old *serverSocket
	if err == nil {
		old, p.current = p.current, c.server
	}
	p.mu.Unlock()
	l.EndHandshake()
	if old != nil {
		old.endReplaced()
	}
	if err == nil {
		for _, b := range rest {
			c.server.deliver(p, b)
		}
	}
	if err != nil {
		secured.LogDebug(l.params.log, "dtls: handshake with a client failed", err)
		p.expireIfUnused(linger)
		return
	}
	l.Offer(c)
}

// takeUnread closes the inbox of the handshake and returns the datagrams that it did not read.
func (p *path) takeUnread() [][]byte {
	var rest [][]byte
	p.inbox.SetRecvDeadline(socket.NoWait())
	for buf := make([]byte, largest); ; {
		n, err := p.inbox.Recv(buf)
		if err != nil {
			p.inbox.Close()
			return rest
		}
		rest = append(rest, bytes.Clone(buf[:n]))
	}
}

func (p *path) establish() (*conn, error) {
	l := p.listener
	params := *l.params
	s := newServerSocket(p)
	if l.cidLen > 0 {
		var err error
		if params.cid, err = newCID(l.cidLen, l.used); err != nil {
			return nil, err
		}
	}
	params.mtu = handshakeMTU(p.socket)
	ctx, cancel := context.WithTimeout(l.Ctx, l.timeout)
	defer cancel()
	g := newGuard(&pathSocket{Socket: p.socket, inbox: p.inbox}, packetAddr("client"))
	g.cidLen = l.cidLen
	use := params.withAlertOfVerify(g)
	e, err := pionEngine{}.handshake(ctx, g, use)
	if err != nil {
		return nil, handshakeError(ctx, err, g, use, false, l.timeout)
	}
	ln, err := newLink(s, e)
	if err != nil {
		return nil, err
	}
	ln.onNewestRecord = s.moveToLastPath
	s.cid = string(e.recvCID)
	s.peer = Peer{Identity: e.identity, Certificates: e.peer, Messages: e.messages}
	c := &conn{server: s, log: l.params.log}
	c.InitAccepted(c, s, ln)
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.cid != "" {
		l.byCID[s.cid] = s
	}
	return c, nil
}

func (l *listener) byID(cid []byte) *serverSocket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byCID[string(cid)]
}

func (l *listener) used(cid string) bool { return l.byID([]byte(cid)) != nil }
