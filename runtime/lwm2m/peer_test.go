package lwm2m_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// request is what the server of these tests saw.
type request struct {
	at     time.Time
	code   coap.Code
	path   string
	query  []string
	body   string
	format int // -1: none
}

func (r request) String() string {
	s := r.code.String() + " " + r.path
	if len(r.query) > 0 {
		s += "?" + strings.Join(r.query, "&")
	}
	return s
}

func (r request) has(param string) bool { return slices.Contains(r.query, param) }

// answer is what it says: the zero value leaves the request without any.
type answer struct {
	code     coap.Code
	location string
	maxAge   uint32
	text     string
}

// rdServer is a registration server on simnet, run by a goroutine of its own, which answers everything by a function.
type rdServer struct {
	t        *testing.T
	host     *simnet.Host
	requests chan request
	rough    bool // connections end while they are answered

	mu     sync.Mutex
	answer func(request) answer
	conn   *coap.Conn // the last to send something

	sched *sched.Scheduler
	stop  context.CancelFunc
	done  chan struct{}
}

// registrar answers as a server that accepts everything.
func registrar(r request) answer {
	switch {
	case r.code == coap.POST && r.path == "/rd":
		return answer{code: coap.Created, location: "/rd/5a3f"}
	case r.code == coap.POST && r.path == "/rd/5a3f":
		return answer{code: coap.Changed}
	case r.code == coap.DELETE && r.path == "/rd/5a3f":
		return answer{code: coap.Deleted}
	}
	return answer{code: coap.NotFound}
}

func newServer(t *testing.T, n *simnet.Network, name string) *rdServer {
	t.Helper()
	host := n.NewHost(name)
	l, err := host.Listen(5683)
	if err != nil {
		t.Fatal(err)
	}
	sl, err := host.ListenStream(5683)
	if err != nil {
		t.Fatal(err)
	}
	s := serverOn(t, l, sl)
	s.host = host
	return s
}

func serverOn(t *testing.T, listeners ...socket.Listener) *rdServer {
	ctx, stop := context.WithCancel(context.Background())
	s := &rdServer{
		t: t, requests: make(chan request, 1000), answer: registrar,
		sched: sched.New(), stop: stop, done: make(chan struct{}),
	}
	go s.run(ctx, listeners...)
	t.Cleanup(func() {
		stop()
		<-s.done
	})
	return s
}

func (s *rdServer) run(ctx context.Context, listeners ...socket.Listener) {
	defer close(s.done)
	e, err := coap.NewEndpoint(coap.Config{Scheduler: s.sched})
	if err != nil {
		s.t.Error(err)
		return
	}
	accepted := make(chan socket.Socket)
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			for {
				sock, err := l.Accept(ctx)
				if err != nil {
					return
				}
				accepted <- sock
			}
		})
	}
	readable := make(chan struct{}, 1)
	var poller socket.Poller
	defer poller.Close() //nolint:errcheck // it has no effect on what is tested
	var conns []*coap.Conn
	for ctx.Err() == nil {
		timer := time.NewTimer(s.sched.Wait(time.Hour))
		select {
		case sock := <-accepted:
			sock, err := poller.Wrap(sock)
			if err != nil {
				s.t.Error(err)
				break
			}
			sock.SetRecvDeadline(socket.NoWait())
			c, err := e.NewConn(coap.ConnConfig{Socket: sock, Handler: s})
			if err != nil {
				s.t.Error(err)
				break
			}
			conns = append(conns, c)
			socket.Detect(sock).Notifier.NotifyReadable(func() {
				select {
				case readable <- struct{}{}:
				default:
				}
			})
		case <-readable:
		case <-s.sched.Woken():
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		for _, c := range conns {
			for c.Closed() == nil {
				n, err := c.Receive(10)
				if err != nil && !socketRefused(err) {
					c.Close(err)
					_ = c.Socket().Close()
				}
				if n == 0 {
					break
				}
			}
		}
		s.sched.Run()
	}
	for _, l := range listeners {
		_ = l.Close()
	}
	accepting.Wait()
	for _, c := range conns {
		c.Close(nil)
		_ = c.Socket().Close()
	}
}

func (s *rdServer) Head(*coap.Request) {}

func (s *rdServer) Serve(r *coap.Request) {
	q := request{at: time.Now(), code: r.Code(), path: string(r.Options().AppendPath(nil)), body: string(r.Body()), format: -1}
	for v := range r.Options().Values(coap.OptionURIQuery) {
		q.query = append(q.query, string(v))
	}
	if f, ok := r.Options().ContentFormat(); ok {
		q.format = int(f)
	}
	s.mu.Lock()
	fn := s.answer
	s.conn = r.Conn()
	s.mu.Unlock()
	s.requests <- q
	a := fn(q)
	if a.code == 0 {
		return
	}
	resp := r.Response()
	resp.Code = a.code
	if a.location != "" {
		resp.Options.AddLocationPath(a.location)
	}
	if a.maxAge > 0 {
		resp.Options.AddUint(coap.OptionMaxAge, a.maxAge)
	}
	resp.Body = append(resp.Body, a.text...)
	if err := r.Respond(resp); err != nil && !s.rough {
		s.t.Error(err)
	}
}

// answers sets how the server answers from now on; nil is a registrar again.
func (s *rdServer) answers(fn func(request) answer) {
	if fn == nil {
		fn = registrar
	}
	s.mu.Lock()
	s.answer = fn
	s.mu.Unlock()
}

// silent makes the server take requests without answering.
func (s *rdServer) silent() { s.answers(func(request) answer { return answer{} }) }

// next waits for the next request, of any kind, for at most an hour of the bubble's time.
func (s *rdServer) next() request {
	s.t.Helper()
	return s.within(time.Hour)
}

func (s *rdServer) within(d time.Duration) request {
	s.t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(d):
		s.t.Fatalf("no request within %v", d)
	}
	return request{}
}

// quiet fails if anything arrives within d.
func (s *rdServer) quiet(d time.Duration) {
	s.t.Helper()
	select {
	case r := <-s.requests:
		s.t.Fatalf("unexpected request %v", r)
	case <-time.After(d):
	}
}

// do sends a request to the device and waits for its answer.
func (s *rdServer) do(code coap.Code, path, body string, format int) coap.Code {
	s.t.Helper()
	got := make(chan coap.Code, 1)
	s.sched.Post(func() {
		call := &coap.Call{Code: code, Body: []byte(body), Done: func(r coap.Result) {
			if r.Err != nil {
				s.t.Errorf("%v %s: %v", code, path, r.Err)
			}
			got <- r.Code
		}}
		call.Options.AddPath(path)
		if format >= 0 {
			call.Options.SetContentFormat(uint16(format))
		}
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		if err := c.Do(call); err != nil {
			s.t.Error(err)
			got <- 0
		}
	})
	return <-got
}

// world is one device, one network and the servers "s1", "s2", ...
type world struct {
	t       *testing.T
	net     *simnet.Network
	host    *simnet.Host
	servers []*rdServer
	client  *lwm2m.Client
	states  chan lwm2m.ServerStatus
	stop    context.CancelFunc
	ended   chan error
}

// inWorld runs fn in a bubble with n servers and a network to dial from.
func inWorld(t *testing.T, n int, fn func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, net: simnet.New(1), states: make(chan lwm2m.ServerStatus, 10000)}
		for i := range n {
			w.servers = append(w.servers, newServer(t, w.net, "s"+string(rune('1'+i))))
		}
		w.host = w.net.NewHost("device")
		t.Cleanup(w.shutdown)
		fn(w)
	})
}

// config is that of a device with one account for each server.
func (w *world) config() lwm2m.Config {
	c := lwm2m.Config{
		Endpoint: "dev",
		Dialers:  []socket.Dialer{w.host.Dialer(), w.host.StreamDialer()},
		Objects:  []dm.Object{newDevice(w.t)},
		Logger:   slog.New(slog.DiscardHandler),
		OnStatus: func(s lwm2m.ServerStatus) { w.states <- s },
	}
	for i := range w.servers {
		c.Servers = append(c.Servers, lwm2m.Server{URI: "coap://s" + string(rune('1'+i)), Lifetime: time.Hour})
	}
	return c
}

func newDevice(t testing.TB) *device.Object {
	t.Helper()
	o, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = o.Add(0, device.Instance{
		Reboot:                   func(context.Context, dm.Args) error { return nil },
		ErrorCode:                dm.List[int64](0),
		SupportedBindingAndModes: dm.Str("U"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// start makes and runs a client.
func (w *world) start(c lwm2m.Config) *lwm2m.Client {
	w.t.Helper()
	client, err := lwm2m.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.run(client)
	return client
}

// run runs a client until the end of the test.
func (w *world) run(client *lwm2m.Client) {
	ctx, stop := context.WithCancel(context.Background())
	w.client, w.stop, w.ended = client, stop, make(chan error, 1)
	go func() { w.ended <- client.Run(ctx) }()
}

// shutdown ends the client; the bubble fails if anything of it stays.
func (w *world) shutdown() {
	w.t.Helper()
	if w.client == nil {
		return
	}
	w.stop()
	if err := <-w.ended; err != nil {
		w.t.Errorf("Run: %v", err)
	}
	select {
	case <-w.client.Done():
	default:
		w.t.Error("Run has returned, but the client is not done")
	}
	if st := w.client.Status(); !st.Closed || len(w.client.Sockets()) != 0 || w.client.Sched().Len() != 0 {
		w.t.Errorf("left behind: status %+v, %d sockets, %d jobs", st, len(w.client.Sockets()), w.client.Sched().Len())
	}
	w.client = nil
}

// status is the present status of an account.
func (w *world) status(short lwm2m.ShortServerID) lwm2m.ServerStatus {
	w.t.Helper()
	synctest.Wait()
	s, ok := w.client.Status().Server(short)
	if !ok {
		w.t.Fatalf("there is no server %d in %+v", short, w.client.Status())
	}
	return s
}

// wantState fails unless the account is in this state.
func (w *world) wantState(short lwm2m.ShortServerID, want lwm2m.State) lwm2m.ServerStatus {
	w.t.Helper()
	s := w.status(short)
	if s.State != want {
		w.t.Fatalf("state of server %d is %v, want %v (%v)", short, s.State, want, s)
	}
	return s
}

// server sets a resource of the Server object, as the application.
func (w *world) update(p dm.Path, v dm.Value) {
	w.t.Helper()
	t, err := w.client.Model().Begin(context.Background(), dm.Application)
	if err != nil {
		w.t.Fatal(err)
	}
	defer t.Rollback()
	if err := t.Write(p, dm.Update, []dm.Entry{{Path: p, Value: v}}); err != nil {
		w.t.Fatal(err)
	}
	if err := t.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) execute(p dm.Path) {
	w.t.Helper()
	err := w.client.Model().Snapshot().Execute(clientContext(w.client), dm.Server(1), p, dm.Args{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// sockets asks the loop for the client's sockets.
func (w *world) sockets() []*lwm2m.Socket {
	w.t.Helper()
	got := make(chan []*lwm2m.Socket, 1)
	w.client.Sched().Post(func() { got <- w.client.Sockets() })
	return <-got
}
