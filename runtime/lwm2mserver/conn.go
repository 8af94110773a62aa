package lwm2mserver

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// conn is a connection that the loop serves.
type conn struct {
	server *Server
	sock   socket.Socket
	coap   *coap.Conn
	queued atomic.Bool
	// secured says that the listener has sessions, which a restart may lose.
	secured bool
	// uri is the URI of the listener.
	uri string
	// clients are the devices that are reached over the connection.
	clients []*Client
	// unanswered is the number of requests whose response is delayed, and ignored that of messages
	// that count as not arrived.
	unanswered, ignored int
	// identity is the name that the peer proved in its DTLS or TLS handshake, "" without one.
	identity string
}

// accepted is a connection that a listener has accepted.
type accepted struct {
	sock    socket.Socket
	secured bool
	uri     string // of the listener
}

// readyList holds the connections that may have a message to receive.
type readyList struct {
	mu   sync.Mutex
	list []*conn
}

func (r *readyList) add(c *conn) {
	r.mu.Lock()
	r.list = append(r.list, c)
	r.mu.Unlock()
}

func (r *readyList) takeAll() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// addConn starts to serve a new connection.
func (s *Server) addConn(a accepted) {
	sock := a.sock
	wrapped, err := s.poller.Wrap(sock)
	if err != nil {
		_ = sock.Close()
		return
	}
	wrapped.SetRecvDeadline(socket.NoWait())
	c := &conn{server: s, sock: wrapped, identity: identityOf(sock), secured: a.secured, uri: a.uri}
	if err := c.start(); err != nil {
		_ = wrapped.Close()
		return
	}
	s.conns[c] = true
	socket.Detect(wrapped).Notifier.NotifyReadable(c.wake)
	c.wake()
}

// identityOf returns the PSK identity of the peer, or the common name of its certificate.
func identityOf(sock socket.Socket) string {
	if certs := tls.PeerCertificates(sock); len(certs) > 0 {
		return certs[0].Subject.CommonName
	}
	peer, ok := dtls.PeerOf(sock)
	if !ok || len(peer.Certificates) == 0 {
		return string(peer.Identity)
	}
	cert, err := x509.ParseCertificate(peer.Certificates[0])
	if err != nil {
		return ""
	}
	return cert.Subject.CommonName
}

// start makes the exchange layer of the connection.
func (c *conn) start() (err error) {
	c.coap, err = c.server.endpoint.NewConn(coap.ConnConfig{
		Socket: c.sock, Handler: (*requestHandler)(c), MaxBody: 4 << 20, Params: c.server.transmission,
	})
	return err
}

// remote returns the address of the peer, the zero value if it is not known.
func (c *conn) remote() netip.AddrPort {
	if a := socket.Detect(c.sock).Addresses; a != nil {
		return a.RemoteAddr()
	}
	return netip.AddrPort{}
}

// wake queues the connection for the loop. It is safe for concurrent use.
func (c *conn) wake() {
	if c.queued.Swap(true) {
		return
	}
	c.server.ready.add(c)
	select {
	case c.server.readable <- struct{}{}:
	default:
	}
}

// drain receives all messages that have arrived.
func (c *conn) drain() {
	c.queued.Store(false)
	for c.coap.Closed() == nil {
		ignored := c.ignored
		n, err := c.coap.Receive(16)
		if n > c.ignored-ignored {
			c.onMessage()
		}
		if err != nil && !errors.Is(err, socket.ErrRefused) {
			c.close(err)
			return
		}
		if n == 0 {
			return
		}
	}
}

// onMessage is called when a message of the peer was handled.
func (c *conn) onMessage() {
	for _, cl := range slices.Clone(c.clients) {
		cl.onMessage()
	}
}

// close ends the connection and its calls with an error. Devices in queue mode are asleep then.
func (c *conn) close(reason error) {
	delete(c.server.conns, c)
	for _, cl := range c.clients {
		cl.fallAsleep()
	}
	c.coap.Close(reason)
	_ = c.sock.Close()
}
