package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// rig is a group on a simulated network, and the server that its links connect to.
type rig struct {
	t      *testing.T
	net    *simnet.Network
	device *simnet.Host
	server *simnet.Host
	group  *Group
	bind   netip.AddrPort // the local address of new sockets
}

// onRig runs a test in a synctest bubble, on a network that looks up a name within a second.
func onRig(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		n.SetLookupDelay(time.Second)
		r := &rig{t: t, net: n, device: n.NewHost("device"), server: n.NewHost("server"), group: newGroup(t)}
		test(r)
		r.group.ClosePoller()
	})
}

// turn lets other goroutines do what they can without time passing, and runs what they posted.
func (r *rig) turn() {
	synctest.Wait()
	r.group.sched.Run()
}

// pass lets d pass and then takes a turn.
func (r *rig) pass(d time.Duration) {
	<-time.After(d)
	r.turn()
}

// listen accepts streams at the server, and returns the accepted connections.
func (r *rig) listen() <-chan socket.Socket {
	r.t.Helper()
	l, err := r.server.ListenStream(5683)
	if err != nil {
		r.t.Fatal(err)
	}
	accepted := make(chan socket.Socket, 10)
	go func() {
		for {
			s, err := l.Accept(r.t.Context())
			if err != nil {
				_ = l.Close()
				return
			}
			accepted <- s
		}
	}()
	return accepted
}

// testLink is a link whose callbacks and sockets are recorded.
type testLink struct {
	*Link
	rig     *rig
	events  []string
	err     error         // of the last Failed or Lost
	sockets []*fakeSocket // that Open has made
}

// linkConfig says what a testLink is like. The zero value means a datagram link without security.
type linkConfig struct {
	stream, secured bool
	// keepsOnResumption is Config.ResumptionKeepsRegistration.
	keepsOnResumption bool
	// change changes a socket that Open makes. Nil means that it has what simnet's sockets have.
	change func(*fakeSocket)
	// openErr is the error of Open.
	openErr error
	// params are the transmission parameters of the connections.
	params coap.Params
}

// newLink returns a link without a connection. What is left of it ends with the test.
func (r *rig) newLink(c linkConfig) *testLink {
	l := &testLink{rig: r}
	note := func(format string, args ...any) { l.events = append(l.events, fmt.Sprintf(format, args...)) }
	cfg := &Config{Group: r.group, Context: context.Background(), Timeout: time.Minute, Guard: func(fn func()) { fn() }}
	cfg.ResumptionKeepsRegistration = c.keepsOnResumption
	l.Link = New(cfg, &callbacks{
		conn: coap.ConnConfig{Params: c.params},
		open: func(sticky netip.Addr) (Opened, error) {
			if c.openErr != nil {
				return Opened{}, c.openErr
			}
			s := r.newSocket(c.stream, sticky)
			if c.change != nil {
				c.change(s)
			}
			l.sockets = append(l.sockets, s)
			return Opened{Socket: s, Remote: socket.Endpoint{Host: "server", Port: 5683}, Secured: c.secured}, nil
		},
		connected:  func(survives bool) { note("connected, registration survives: %v", survives) },
		failed:     func(err error) { l.err = err; note("failed") },
		lost:       func(err error, short bool) { l.err = err; note("lost, short: %v", short) },
		refused:    func() { note("refused") },
		sendFailed: func() { note("send failed") },
		receiver:   func() { note("receiver on") },
		sign:       func(err error) { note("sign: %v", err) },
		closing: func() {
			if l.Socket() != nil || l.Conn() != nil {
				r.t.Error("the link still shows the connection that is closing")
			}
			note("closing")
		},
		dialEnded: func() { note("dial ended") },
	}, slog.New(slog.DiscardHandler))
	r.t.Cleanup(func() { l.Discard(errors.New("the test has ended"), false) })
	return l
}

// connect connects a link and waits for the outcome.
func (l *testLink) connect() {
	l.rig.t.Helper()
	l.begin()
	l.rig.pass(2 * time.Second)
}

// begin begins to connect.
func (l *testLink) begin() {
	l.rig.t.Helper()
	if err := l.Connect(false); err != nil {
		l.rig.t.Fatal(err)
	}
	synctest.Wait()
}

// want compares the callbacks since the last call.
func (l *testLink) want(events ...string) {
	l.rig.t.Helper()
	if !reflect.DeepEqual(l.events, events) {
		l.rig.t.Errorf("the callbacks were %q, want %q", l.events, events)
	}
	l.events = nil
}

// deliver delivers n CoAP pings from the server to the link, and lets other goroutines handle them.
func (l *testLink) deliver(n int) {
	for range n {
		l.ping()
	}
	synctest.Wait()
}

// ping delivers one CoAP ping. It may be called from any goroutine.
func (l *testLink) ping() {
	a := socket.Detect(l.sockets[0].Socket).Addresses
	l.rig.net.Inject(a.RemoteAddr(), a.LocalAddr(), []byte{0x40, 0, 0, 1})
}

// received returns how many messages the connection has handled.
func (l *testLink) received() int { return int(l.Socket().Stats().MessagesReceived) }

// fakeSocket is a socket of simnet whose calls are recorded and whose abilities a test may change.
type fakeSocket struct {
	socket.Socket
	able       socket.Abilities
	hold       chan struct{} // Connect waits for it, whatever its context says
	connectErr error         // of Connect
	sendErr    error         // of Send
	signs      []error       // that Connect reports
	resumption socket.Resumption

	mu    sync.Mutex
	calls []string
}

func (r *rig) newSocket(stream bool, sticky netip.Addr) *fakeSocket {
	r.t.Helper()
	d := r.device.Dialer()
	if stream {
		d = r.device.StreamDialer()
	}
	s, err := d.NewSocket(socket.Config{Local: r.bind, Sticky: sticky})
	if err != nil {
		r.t.Fatal(err)
	}
	f := &fakeSocket{Socket: s, able: socket.Detect(s)}
	f.able.Shutdowner, f.able.Alternates, f.able.ReceiverOff, f.able.Forgetter = f, f, f, f
	return f
}

// withoutNotifier makes a socket one that a group has to watch.
func withoutNotifier(f *fakeSocket) { f.able.Notifier = nil }

func (f *fakeSocket) Abilities() socket.Abilities   { return f.able }
func (f *fakeSocket) Resumption() socket.Resumption { return f.resumption }

func (f *fakeSocket) Connect(ctx context.Context, to socket.Endpoint) error {
	f.note("connect")
	if f.hold != nil {
		<-f.hold
		ctx = context.WithoutCancel(ctx)
	}
	for _, err := range f.signs {
		socket.ReportProgress(ctx, err)
	}
	if f.connectErr != nil {
		return f.connectErr
	}
	return f.Socket.Connect(ctx, to)
}

func (f *fakeSocket) Send(p []byte) error {
	if f.sendErr != nil {
		return f.sendErr
	}
	return f.Socket.Send(p)
}

func (f *fakeSocket) ConnectNext(ctx context.Context) error {
	f.note("connect next")
	return socket.Detect(f.Socket).Alternates.ConnectNext(ctx)
}

func (f *fakeSocket) Close() error {
	f.note("close")
	return f.Socket.Close()
}

func (f *fakeSocket) Shutdown() error {
	f.note("shutdown")
	return socket.Detect(f.Socket).Shutdowner.Shutdown()
}

func (f *fakeSocket) ForgetSession(socket.Endpoint) error {
	f.note("forget")
	return errors.New("the flash is worn out")
}

func (f *fakeSocket) ReceiverOff() { f.note("receiver off") }

func (f *fakeSocket) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

// want compares the calls since the last one.
func (f *fakeSocket) want(t *testing.T, calls ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !reflect.DeepEqual(f.calls, calls) {
		t.Errorf("the calls of the socket were %q, want %q", f.calls, calls)
	}
	f.calls = nil
}

// callbacks is an Owner made of functions.
type callbacks struct {
	open       func(sticky netip.Addr) (Opened, error)
	conn       coap.ConnConfig
	connected  func(survives bool)
	failed     func(err error)
	lost       func(err error, short bool)
	refused    func()
	sendFailed func()
	receiver   func()
	sign       func(err error)
	closing    func()
	dialEnded  func()
}

func (c *callbacks) Open(sticky netip.Addr) (Opened, error) { return c.open(sticky) }
func (c *callbacks) ConnConfig() coap.ConnConfig            { return c.conn }
func (c *callbacks) OnConnected(survives bool)              { c.connected(survives) }
func (c *callbacks) OnConnectFailed(err error)              { c.failed(err) }
func (c *callbacks) OnConnectionLost(err error, short bool) { c.lost(err, short) }
func (c *callbacks) OnRefused()                             { c.refused() }
func (c *callbacks) OnSendFailed(error)                     { c.sendFailed() }
func (c *callbacks) OnReceiverOn()                          { c.receiver() }
func (c *callbacks) OnSign(err error)                       { c.sign(err) }
func (c *callbacks) OnClosing()                             { c.closing() }
func (c *callbacks) OnDialEnded()                           { c.dialEnded() }
