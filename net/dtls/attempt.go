package dtls

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// attempt is a handshake of a client. An address may have several: a repeated ClientHello of an
// earlier handshake begins one that never ends, and a client that has restarted begins another one.
// Neither may keep the listener from a client that is there (RFC 6347 §4.2.8).
type attempt struct {
	inbox  *socket.Inbox
	random []byte // of the ClientHello; nil while it is not known
	ctx    context.Context
	cancel context.CancelFunc
}

// maxAttempts bounds the handshakes at one address. A further one ends the oldest.
const maxAttempts = 3

// randomLen is the length of the random bytes of a ClientHello, which are behind its version.
const randomLen = 32

// clientHello gives a ClientHello to the handshake that it belongs to, by its random bytes, or
// begins one. Only the first message of a handshake has the number 0 (RFC 6347 §4.2.2). The caller
// holds p.mu.
func (p *path) clientHello(h *header, record, datagram []byte) {
	message := record[h.body:]
	first := binary.BigEndian.Uint16(message[4:]) == 0
	body := message[messageHead:]
	if uint24(message[6:]) != 0 || len(body) < 2+randomLen { // a fragment does not say whose it is
		p.feed(p.attempts, datagram)
		return
	}
	random := body[2 : 2+randomLen]
	for _, a := range p.attempts {
		if bytes.Equal(a.random, random) {
			a.inbox.Put(datagram)
			return
		}
	}
	if !first || !p.listener.BeginHandshake() {
		return
	}
	if len(p.attempts) >= maxAttempts {
		p.endAttempts(p.attempts[:1])
	}
	a := &attempt{inbox: socket.NewInbox(socket.Datagram, 0), random: bytes.Clone(random)}
	a.ctx, a.cancel = context.WithTimeout(p.listener.Ctx, p.listener.timeout)
	a.inbox.Open()
	a.inbox.Put(datagram)
	p.attempts = append(p.attempts, a)
	p.listener.Go(func() { p.handshake(a) })
}

// feed gives a datagram to handshakes. The caller holds p.mu, so that none is put after an attempt
// has ended.
func (p *path) feed(to []*attempt, datagram []byte) {
	for _, a := range to {
		a.inbox.Put(datagram)
	}
}

// endAttempts ends the first handshakes of the path. The caller holds p.mu.
func (p *path) endAttempts(first []*attempt) {
	for _, a := range first {
		a.cancel()
	}
	p.attempts = append([]*attempt(nil), p.attempts[len(first):]...)
}

// handshake runs a handshake and queues the connection for Accept.
func (p *path) handshake(a *attempt) {
	l := p.listener
	c, err := p.establish(a)
	a.cancel()
	old, rest, ended := p.attemptEnded(a, c, err)
	l.EndHandshake()
	if old != nil {
		old.endReplaced()
	}
	switch {
	case err != nil:
		secured.LogDebug(l.params.log, "dtls: handshake with a client failed", err)
		p.expireIfUnused(linger)
	case ended:
		_ = c.Close()
	default:
		for _, b := range rest {
			c.server.deliver(p, b)
		}
		l.Offer(c)
	}
}

// attemptEnded removes an attempt from the path, and makes its connection the current one. It
// returns the connection before, the datagrams that the handshake did not read, and whether the
// attempt was ended by a newer one.
func (p *path) attemptEnded(a *attempt, c *conn, err error) (old *serverSocket, rest [][]byte, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := -1
	for i, one := range p.attempts {
		if one == a {
			at = i
		}
	}
	rest = a.takeUnread()
	switch {
	case at < 0:
		return nil, nil, true
	case err != nil:
		p.attempts = append(append([]*attempt(nil), p.attempts[:at]...), p.attempts[at+1:]...)
		return nil, nil, false
	}
	p.endAttempts(p.attempts[:at+1]) // the older ones are of no client that is still there
	old, p.current = p.current, c.server
	return old, rest, false
}

// takeUnread closes the inbox of the handshake and returns the datagrams that it did not read.
func (a *attempt) takeUnread() [][]byte {
	var rest [][]byte
	a.inbox.SetRecvDeadline(socket.NoWait())
	for buf := make([]byte, largest); ; {
		n, err := a.inbox.Recv(buf)
		if err != nil {
			a.inbox.Close()
			return rest
		}
		rest = append(rest, bytes.Clone(buf[:n]))
	}
}

func (p *path) establish(a *attempt) (*conn, error) {
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
	g := newGuard(&pathSocket{Socket: p.socket, inbox: a.inbox}, packetAddr("client"))
	g.cidLen = l.cidLen
	use := params.withAlertOfVerify(g)
	e, err := pionEngine{}.handshake(a.ctx, g, use)
	if err != nil {
		return nil, handshakeError(a.ctx, err, g, use, false, l.timeout)
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
