package lwm2mtest

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// TB is what a Server needs of a test: every *testing.T and *testing.B is one. A program that wants a
// server, such as an example, brings its own.
type TB interface {
	Helper()
	// Cleanup has fn called when the test ends.
	Cleanup(fn func())
	// Fatalf ends the test, or the program; it does not return.
	Fatalf(format string, args ...any)
}

// Server is a management server. Make one with NewServer.
type Server struct {
	t         TB
	listeners []socket.Listener
	sched     *sched.Scheduler
	endpoint  *coap.Endpoint
	poller    socket.Poller
	stop      context.CancelFunc
	done      chan struct{}
	accepted  chan socket.Socket
	readable  chan struct{}
	ready     readyList
	conns     map[*conn]bool // the loop's

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced whenever something below changes
	clients   map[string]*Client
	events    []Event
	requests  []Request
	intercept func(Request) (Reply, bool)
	schema    map[dm.ObjectID]*registry.Object
	profiles  map[string][]corelink.RegisteredNode
	locations int
}

// NewServer starts a server and stops it when the test ends. Without listeners it listens for CoAP at
// a free UDP port of 127.0.0.1; with some, it takes them over and closes them.
func NewServer(t TB, listeners ...socket.Listener) *Server {
	t.Helper()
	if len(listeners) == 0 {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatalf("starting a server: %v", err)
		}
		listeners = append(listeners, l)
	}
	s := &Server{
		t: t, listeners: listeners, sched: sched.New(), done: make(chan struct{}),
		accepted: make(chan socket.Socket), readable: make(chan struct{}, 1), conns: map[*conn]bool{},
		changed: make(chan struct{}), clients: map[string]*Client{}, schema: map[dm.ObjectID]*registry.Object{},
		profiles: map[string][]corelink.RegisteredNode{},
	}
	var err error
	if s.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: s.sched}); err != nil {
		t.Fatalf("starting a server: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	t.Cleanup(s.Close)
	return s
}

// Addr returns the address of the first listener.
func (s *Server) Addr() netip.AddrPort { return s.listeners[0].Addr() }

// URI returns the server's URI over plain CoAP, at the first listener.
func (s *Server) URI() string { return "coap://" + s.Addr().String() }

// Close stops the server without telling its devices. NewServer has the test call it at its end.
func (s *Server) Close() {
	s.stop()
	<-s.done
}

// Define tells the server the definitions of objects, so that it can type what devices send in
// formats that do not say themselves (TLV, text). Without it values come as the format shows them.
func (s *Server) Define(objects ...*registry.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.schema[dm.ObjectID(o.ID)] = o
	}
}

func (s *Server) definition(id dm.ObjectID) *registry.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schema[id]
}

// run is the server's goroutine.
func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	var accepting sync.WaitGroup
	for _, l := range s.listeners {
		accepting.Go(func() { s.accept(ctx, l) })
	}
	for ctx.Err() == nil {
		s.turn(ctx)
	}
	for _, l := range s.listeners {
		_ = l.Close()
	}
	accepting.Wait()
	for c := range s.conns {
		c.close(nil)
	}
	s.sched.Run() // what was posted meanwhile fails instead of waiting for ever
	_ = s.poller.Close()
}

func (s *Server) accept(ctx context.Context, l socket.Listener) {
	for {
		sock, err := l.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, socket.ErrClosed) {
				return
			}
			continue // a handshake that failed is the device's affair
		}
		select {
		case s.accepted <- sock:
		case <-ctx.Done():
			_ = sock.Close()
			return
		}
	}
}

// turn waits for something and handles it.
func (s *Server) turn(ctx context.Context) {
	timer := time.NewTimer(s.sched.Wait(time.Hour))
	defer timer.Stop()
	select {
	case sock := <-s.accepted:
		s.open(sock)
	case <-s.readable:
	case <-s.sched.Woken():
	case <-timer.C:
	case <-ctx.Done():
	}
	for _, c := range s.ready.take() {
		c.drain()
	}
	s.sched.Run()
}

// conn is a connection with what makes it known to the loop.
type conn struct {
	s      *Server
	sock   socket.Socket
	coap   *coap.Conn
	queued atomic.Bool
	// identity is the name that the peer has proved in its DTLS handshake, "" for none.
	identity string
}

// readyList is the connections that may have something to receive.
type readyList struct {
	mu   sync.Mutex
	list []*conn
}

func (r *readyList) add(c *conn) {
	r.mu.Lock()
	r.list = append(r.list, c)
	r.mu.Unlock()
}

func (r *readyList) take() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

func (s *Server) open(sock socket.Socket) {
	wrapped, err := s.poller.Wrap(sock)
	if err != nil {
		_ = sock.Close()
		return
	}
	wrapped.SetRecvDeadline(socket.NoWait())
	c := &conn{s: s, sock: wrapped, identity: identityOf(sock)}
	c.coap, err = s.endpoint.NewConn(coap.ConnConfig{Socket: wrapped, Handler: (*requestHandler)(c), MaxBody: 4 << 20})
	if err != nil {
		_ = wrapped.Close()
		return
	}
	s.conns[c] = true
	socket.Detect(wrapped).Notifier.NotifyReadable(c.wake)
	c.wake()
}

// identityOf returns the PSK identity of the peer, or the common name of its certificate.
func identityOf(sock socket.Socket) string {
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

// wake has the loop serve the connection. It is called from any goroutine.
func (c *conn) wake() {
	if c.queued.Swap(true) {
		return
	}
	c.s.ready.add(c)
	select {
	case c.s.readable <- struct{}{}:
	default:
	}
}

// drain takes everything that has arrived.
func (c *conn) drain() {
	c.queued.Store(false)
	for c.coap.Closed() == nil {
		n, err := c.coap.Receive(16)
		if err != nil && !errors.Is(err, socket.ErrRefused) {
			c.close(err)
			return
		}
		if n == 0 {
			return
		}
	}
}

func (c *conn) close(reason error) {
	delete(c.s.conns, c)
	c.coap.Close(reason)
	_ = c.sock.Close()
}

// change changes what waiters look at, and wakes them.
func (s *Server) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns when cond holds, which is checked under the lock after each change. It returns false
// when the patience, or the server, ends first.
func (s *Server) wait(patience time.Duration, cond func() bool) bool {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	look := func() (ok bool, changed chan struct{}) {
		s.mu.Lock()
		defer s.mu.Unlock() // also when a test's function panics: the server still has to end
		return cond(), s.changed
	}
	for {
		ok, changed := look()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timeout.C:
			return false
		case <-s.done:
			return false
		}
	}
}

// Patience is how long the Wait functions wait. Inside a testing/synctest bubble that is virtual time.
const Patience = time.Minute

// WaitRegistered returns the device with the given endpoint name as soon as it is registered. It ends
// the test when that takes longer than Patience.
func (s *Server) WaitRegistered(endpoint string) *Client {
	s.t.Helper()
	var c *Client
	if !s.wait(Patience, func() bool { c = s.clients[endpoint]; return c != nil && c.reg.Location != "" }) {
		s.t.Fatalf("%q did not register within %v; registered are %q", endpoint, Patience, s.Endpoints())
	}
	return c
}

// Endpoints returns the endpoint names of the registered devices, sorted.
func (s *Server) Endpoints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, c := range s.clients {
		if c.reg.Location != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
