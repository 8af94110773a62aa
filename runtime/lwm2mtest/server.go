package lwm2mtest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// TB is the part of testing.TB that a Server needs. Every *testing.T and *testing.B implements it.
// A program that is no test, such as an example, brings its own.
type TB interface {
	Helper()
	// Cleanup registers fn to be called when the test ends.
	Cleanup(fn func())
	// Fatalf ends the test, or the program; it does not return.
	Fatalf(format string, args ...any)
}

// Server is a management server. NewServer starts one.
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
	conns     map[*conn]bool // owned by the loop

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change of the fields below
	clients   map[string]*Client
	events    []Event
	requests  []Request
	intercept func(Request) (Reply, bool)
	schema    map[dm.ObjectID]*registry.Object
	profiles  map[string][]corelink.RegisteredNode
	locations int
}

// NewServer starts a server that stops when the test ends. Without listeners it listens for CoAP on
// a free UDP port of 127.0.0.1. With listeners, the server owns and closes them.
func NewServer(t TB, listeners ...socket.Listener) *Server {
	t.Helper()
	if len(listeners) == 0 {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatalf("lwm2mtest: start the server: %v", err)
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
		t.Fatalf("lwm2mtest: start the server: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	t.Cleanup(s.Close)
	return s
}

// Addr returns the address of the first listener.
func (s *Server) Addr() netip.AddrPort { return s.listeners[0].Addr() }

// URI returns the server's coap URI at the first listener.
func (s *Server) URI() string { return "coap://" + s.Addr().String() }

// Close stops the server without notice to the devices. The end of the test calls Close.
func (s *Server) Close() {
	s.stop()
	<-s.done
}

// Define adds the definitions of objects. The server needs them to decode values of formats that
// carry no types (TLV, text). Without a definition a value has the type that the format shows.
func (s *Server) Define(objects ...*registry.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		s.schema[dm.ObjectID(o.ID)] = o
	}
}

// definition returns the definition of an object, nil if Define did not add one.
func (s *Server) definition(id dm.ObjectID) *registry.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.schema[id]
}

// run serves all connections until ctx ends.
func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	var accepting sync.WaitGroup
	for _, l := range s.listeners {
		accepting.Go(func() { s.accept(ctx, l) })
	}
	for ctx.Err() == nil {
		s.runOnce(ctx)
	}
	for _, l := range s.listeners {
		_ = l.Close()
	}
	accepting.Wait()
	for c := range s.conns {
		c.close(nil)
	}
	s.sched.Run() // jobs posted in the meantime fail instead of waiting forever
	_ = s.poller.Close()
}

// accept hands the connections of a listener to the loop.
func (s *Server) accept(ctx context.Context, l socket.Listener) {
	for {
		sock, err := l.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, socket.ErrClosed) {
				return
			}
			continue // a handshake that failed: the device reports the error
		}
		select {
		case s.accepted <- sock:
		case <-ctx.Done():
			_ = sock.Close()
			return
		}
	}
}

// runOnce waits for a connection, a message or a job and handles what is ready.
func (s *Server) runOnce(ctx context.Context) {
	timer := time.NewTimer(s.sched.Wait(time.Hour))
	defer timer.Stop()
	select {
	case sock := <-s.accepted:
		s.addConn(sock)
	case <-s.readable:
	case <-s.sched.Woken():
	case <-timer.C:
	case <-ctx.Done():
	}
	for _, c := range s.ready.takeAll() {
		c.drain()
	}
	s.sched.Run()
}

// change runs fn under the lock and wakes the goroutines that wait for a change.
func (s *Server) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait returns true when cond holds. It checks cond under the lock, first at once and then after
// each change. It returns false after the time-out or when the server ends.
func (s *Server) wait(cond func() bool) bool {
	timeout := time.NewTimer(waitTimeout)
	defer timeout.Stop()
	check := func() (ok bool, changed chan struct{}) {
		s.mu.Lock()
		defer s.mu.Unlock() // cond may panic in a test's function, and the server still has to end
		return cond(), s.changed
	}
	for {
		ok, changed := check()
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

// waitTimeout is how long the Wait functions wait: inside a testing/synctest bubble, in virtual
// time.
const waitTimeout = time.Minute

// WaitRegistered returns the device with an endpoint name as soon as the device is registered. It
// waits up to a minute and then fails the test. Inside a testing/synctest bubble the minute is
// virtual.
func (s *Server) WaitRegistered(endpoint string) *Client {
	s.t.Helper()
	var c *Client
	if !s.wait(func() bool { c = s.clients[endpoint]; return c != nil && c.reg.Location != "" }) {
		s.t.Fatalf("lwm2mtest: %q did not register within %v; registered are %q", endpoint, waitTimeout, s.Endpoints())
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
