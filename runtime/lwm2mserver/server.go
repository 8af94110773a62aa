package lwm2mserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config configures a Server.
type Config struct {
	// Listeners accept the devices. The server owns and closes them. At least one is needed.
	Listeners []socket.Listener
	// Transmission are the transmission parameters of CoAP over datagrams. The zero value means
	// those of RFC 7252.
	Transmission coap.Params
	// AwakeTime is how long a device in queue mode is awake after its last message (Transport 1.2.2
	// §6.5). The zero value means MAX_TRANSMIT_WAIT of Transmission, which is 93 s with the
	// parameters of RFC 7252.
	AwakeTime time.Duration
	// MaxHeld is how many requests may wait for one device in queue mode. The zero value means 100.
	MaxHeld int
	// RefuseMoves answers an Update with 4.04 if it comes without security, and from another
	// address than the registration: the device has to register again (Transport 1.2.2 §6.4.3).
	// Over TCP the port may change. The zero value means that the registration moves to the new
	// address. With security, the Update of a registration has to come from the identity that has
	// registered.
	RefuseMoves bool
	// History is how many requests, how many events, and how many Sends of each device are kept,
	// the newest ones. The zero value means 1000.
	History int
}

// Server is a management server. New starts one.
type Server struct {
	listeners []socket.Listener
	sched     *sched.Scheduler
	endpoint  *coap.Endpoint
	poller    socket.Poller
	stop      context.CancelFunc
	done      chan struct{}
	accepted  chan accepted
	readable  chan struct{}
	ready     readyList
	conns     map[*conn]bool // owned by the loop
	history   int

	transmission coap.Params
	awakeTime    time.Duration
	maxHeld      int
	refuseMoves  bool
	// bootstrapping holds the sequences that are not over, by endpoint name. The loop owns it.
	bootstrapping map[string]*Bootstrap

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change of the fields below
	clients   map[string]*Client
	events    history[Event]
	requests  history[Request]
	intercept func(Request) (Reply, bool)
	faults    []*disturbance
	schema    map[dm.ObjectID]*registry.Object
	profiles  map[string][]corelink.RegisteredNode
	locations int

	scripts    map[string][]BootstrapStep // by endpoint name; "" for every other device
	findScript func(endpoint string) ([]BootstrapStep, bool)
	packs      map[string][]BootstrapPack // by endpoint name; "" for every other device
	bootstraps history[*Bootstrap]
	est        *estServer // nil without ServeEST

	files        map[string]File // by path
	fileRequests history[FileRequest]
	fileFaults   []*fileDisturbance
}

// New starts a server, which runs until Close.
func New(cfg Config) (*Server, error) {
	if len(cfg.Listeners) == 0 {
		return nil, errors.New("lwm2mserver: Config.Listeners is empty")
	}
	switch {
	case cfg.History < 0:
		return nil, fmt.Errorf("lwm2mserver: Config.History is %d", cfg.History)
	case cfg.AwakeTime < 0:
		return nil, fmt.Errorf("lwm2mserver: Config.AwakeTime is %v", cfg.AwakeTime)
	case cfg.MaxHeld < 0:
		return nil, fmt.Errorf("lwm2mserver: Config.MaxHeld is %d", cfg.MaxHeld)
	}
	if err := cfg.Transmission.Validate(); err != nil {
		return nil, fmt.Errorf("lwm2mserver: Config.Transmission: %w", err)
	}
	limit := cmp.Or(cfg.History, 1000)
	s := &Server{
		listeners: cfg.Listeners, sched: sched.New(), done: make(chan struct{}), history: limit,
		transmission: cfg.Transmission, awakeTime: cmp.Or(cfg.AwakeTime, cfg.Transmission.MaxTransmitWait()),
		maxHeld: cmp.Or(cfg.MaxHeld, 100), refuseMoves: cfg.RefuseMoves,
		accepted: make(chan accepted), readable: make(chan struct{}, 1), conns: map[*conn]bool{},
		changed: make(chan struct{}), clients: map[string]*Client{}, schema: map[dm.ObjectID]*registry.Object{},
		profiles: map[string][]corelink.RegisteredNode{},
		events:   history[Event]{limit: limit}, requests: history[Request]{limit: limit},
		bootstrapping: map[string]*Bootstrap{}, scripts: map[string][]BootstrapStep{},
		packs:      map[string][]BootstrapPack{},
		bootstraps: history[*Bootstrap]{limit: limit},
		files:      map[string]File{}, fileRequests: history[FileRequest]{limit: limit},
	}
	var err error
	if s.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: s.sched}); err != nil {
		return nil, fmt.Errorf("lwm2mserver: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return s, nil
}

// Addr returns the address of the first listener.
func (s *Server) Addr() netip.AddrPort { return s.listeners[0].Addr() }

// URI returns the URI of the first listener, with its scheme, such as "coaps://127.0.0.1:5684".
func (s *Server) URI() string { return socket.ListenerURI(s.listeners[0]) }

// Close stops the server without notice to the devices, and closes the listeners.
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
	_, secured := l.(forgetter)
	uri := socket.ListenerURI(l)
	for {
		sock, err := l.Accept(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, socket.ErrClosed) {
				return
			}
			continue // a handshake that failed: the device reports the error
		}
		select {
		case s.accepted <- accepted{sock, secured, uri}:
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
	case a := <-s.accepted:
		s.addConn(a)
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

// wait returns nil when cond holds. It checks cond under the lock, first at once and then after
// each change. It returns an error when ctx or the server ends.
func (s *Server) wait(ctx context.Context, cond func() bool) error {
	check := func() (ok bool, changed chan struct{}) {
		s.mu.Lock()
		// Deferred, because cond may panic, and the server still has to end.
		defer s.mu.Unlock()
		return cond(), s.changed
	}
	for {
		ok, changed := check()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.done:
			return ErrClosed
		}
	}
}

// WaitRegistered returns the device with an endpoint name as soon as the device is registered. It
// waits until ctx ends.
func (s *Server) WaitRegistered(ctx context.Context, endpoint string) (*Client, error) {
	var c *Client
	err := s.wait(ctx, func() bool { c = s.clients[endpoint]; return c != nil && c.reg.Location != "" })
	if err != nil {
		return nil, fmt.Errorf("lwm2mserver: %q is not registered, registered are %q: %w", endpoint, s.Endpoints(), err)
	}
	return c, nil
}

// Client returns the device with an endpoint name, if it is registered.
func (s *Server) Client(endpoint string) (*Client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[endpoint]
	if c == nil || c.reg.Location == "" {
		return nil, false
	}
	return c, true
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
