package dtls

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// maxPending is how many connections wait to be accepted, and how many handshakes run at a time; more are refused.
const maxPending = 128

// maxAddresses bounds the addresses that are listened to at a time; datagrams from more are dropped.
const maxAddresses = 1 << 14

// Listen accepts DTLS connections over the datagrams of below, which belongs to the listener from then on: closing it closes
// below.
//
// A client that comes with a known Connection ID from a new address keeps its connection, and one that begins a new handshake at
// an old address gets a new one. Accepted sockets have the abilities Addresses, Notifier and Session, and need below's sockets,
// which usually end with the listener. Accept returns a connection when its handshake has ended; each address has a goroutine
// that reads. PeerOf tells who the client is.
func Listen(below socket.Listener, c ServerConfig) (socket.Listener, error) {
	p, err := c.parameters()
	if err != nil {
		return nil, err
	}
	timeout := c.HandshakeTimeout
	if timeout == 0 {
		timeout = time.Minute
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &listener{
		below: below, params: p, cidLen: c.ConnectionIDLength, timeout: timeout, ctx: ctx, cancel: cancel,
		queue: accept.NewQueue(maxPending), handshakes: make(chan struct{}, maxPending),
		paths: make(map[*path]bool), byCID: make(map[string]*serverSocket),
	}
	l.work.Add(1)
	go l.accept()
	return l, nil
}

type listener struct {
	below      socket.Listener
	params     *parameters
	cidLen     int
	timeout    time.Duration
	ctx        context.Context // ends with the listener
	cancel     context.CancelFunc
	queue      *accept.Queue
	handshakes chan struct{} // a token for each under way
	work       sync.WaitGroup

	mu    sync.Mutex
	paths map[*path]bool
	byCID map[string]*serverSocket
}

// Addr implements socket.Listener.
func (l *listener) Addr() netip.AddrPort { return l.below.Addr() }

// Accept implements socket.Listener.
func (l *listener) Accept(ctx context.Context) (socket.Socket, error) {
	return l.queue.Accept(ctx)
}

// Close implements socket.Listener. Connections that were accepted can no longer receive.
func (l *listener) Close() error {
	l.cancel()
	left := l.queue.Close()
	l.mu.Lock()
	for p := range l.paths {
		_ = p.socket.Close()
	}
	l.mu.Unlock()
	err := l.below.Close()
	l.work.Wait()
	for _, s := range left {
		_ = s.Close()
	}
	return err
}

// accept makes a path of each address that sends something.
func (l *listener) accept() {
	defer l.work.Done()
	for {
		s, err := l.below.Accept(l.ctx)
		if err != nil {
			return
		}
		p := &path{listener: l, socket: s, inbox: socket.NewInbox(socket.Datagram, 0)}
		l.mu.Lock()
		full := l.ctx.Err() != nil || len(l.paths) >= maxAddresses
		if !full {
			l.paths[p] = true
		}
		l.mu.Unlock()
		if full {
			_ = s.Close()
			continue
		}
		l.work.Add(1)
		go p.read()
	}
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

// largest is the size of the largest datagram that is looked at.
const largest = maxPlaintext + maxExpansion

// read hands out what arrives until the socket is closed.
func (p *path) read() {
	defer p.listener.work.Done()
	defer p.gone()
	buf := make([]byte, largest)
	for {
		n, err := p.socket.Recv(buf)
		switch {
		case err == nil:
			p.datagram(buf[:n])
		case errors.Is(err, socket.ErrTimeout):
			if p.unused() {
				return
			}
			p.socket.SetRecvDeadline(time.Time{})
		case errors.Is(err, socket.ErrClosed), errors.Is(err, socket.ErrReset):
			return
		}
	}
}

func (p *path) gone() {
	p.inbox.Close()
	l := p.listener
	l.mu.Lock()
	delete(l.paths, p)
	l.mu.Unlock()
	p.mu.Lock()
	s := p.current
	p.mu.Unlock()
	if s != nil {
		s.lost(p)
	}
	_ = p.socket.Close()
}

// datagram is for the connection with its Connection ID, for the one at this address, for a handshake, or the beginning of one. While there is a
// handshake at the address of a connection, both get it, as only they can tell which it is for.
func (p *path) datagram(b []byte) {
	h, record, _, ok := splitRecord(b, p.listener.cidLen)
	if !ok {
		return
	}
	if h.typ == typeConnectionID {
		if s := p.listener.byID(h.cid); s != nil {
			s.deliver(p, b)
			p.idle(lingerMoved)
			if !s.open.Load() {
				p.idle(linger) // of a connection that has just ended nothing moves here
			}
			return
		}
	}
	p.mu.Lock()
	s := p.current
	if hello(&h, record) && !p.handshaking {
		select {
		case p.listener.handshakes <- struct{}{}:
			p.handshaking = true
			p.inbox.Open()
			p.listener.work.Add(1)
			go p.handshake()
		default:
		}
	}
	busy := p.handshaking
	if busy {
		p.inbox.Put(b) // before p.mu is free: when the handshake has ended nobody looks there
	}
	p.mu.Unlock()
	if s != nil && !hello(&h, record) {
		s.deliver(p, b)
	}
	if s == nil && !busy {
		p.idle(linger)
	}
}

// hello reports whether a record begins a handshake.
func hello(h *header, record []byte) bool {
	const clientHello = 1
	return h.typ == typeHandshake && h.epoch == 0 && len(record) > h.body && record[h.body] == clientHello
}

const (
	// linger is how long a path that leads to nothing is kept: a new handshake often follows the end of a connection.
	linger = 100 * time.Millisecond
	// lingerMoved is that of a path on which a Connection ID came, until the connection is found to have moved there.
	lingerMoved = 10 * time.Second
)

// idle gives up a path after a while if it leads to nothing.
func (p *path) idle(after time.Duration) {
	if p.unused() {
		p.socket.SetRecvDeadline(time.Now().Add(after))
	}
}

// leave takes a connection away from the path, which is given up after a while if it leads to nothing else.
func (p *path) leave(s *serverSocket, after time.Duration) {
	p.mu.Lock()
	if p.current == s {
		p.current = nil
	}
	p.mu.Unlock()
	p.idle(after)
}

func (p *path) unused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current == nil && !p.handshaking
}

// handshake makes a connection, or does not.
func (p *path) handshake() {
	l := p.listener
	defer l.work.Done()
	c, err := p.establish()
	p.mu.Lock()
	p.handshaking = false
	rest := p.unread()
	var old *serverSocket
	if err == nil {
		old, p.current = p.current, c.server
	}
	p.mu.Unlock()
	<-l.handshakes
	if old != nil {
		old.replaced()
	}
	if err == nil {
		for _, b := range rest {
			c.server.deliver(p, b)
		}
	}
	if err != nil {
		secured.LogDebug(l.params.log, "dtls: handshake with a client failed", err)
		p.idle(linger)
		return
	}
	if !l.queue.Put(c) {
		_ = c.Close()
	}
}

// unread ends the handshake's inbox and returns what came too late for it.
func (p *path) unread() [][]byte {
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
	ctx, cancel := context.WithTimeout(l.ctx, l.timeout)
	defer cancel()
	g := newGuard(&pathSocket{Socket: p.socket, inbox: p.inbox}, packetAddr("client"))
	g.cidLen = l.cidLen
	use := params.watching(g)
	e, err := pionEngine{}.handshake(ctx, g, use)
	if err != nil {
		return nil, handshakeError(ctx, err, g, use, false, l.timeout)
	}
	ln, err := newLink(s, e)
	if err != nil {
		return nil, err
	}
	ln.moved = s.moved
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
