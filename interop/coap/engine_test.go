package coap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A realSocket is a socket of the operating system with one peer: connected, or
// a UDP socket whose peer is whoever sends first.
type realSocket struct {
	conn net.Conn
	udp  *net.UDPConn // unconnected
	mu   sync.Mutex
	peer netip.AddrPort
}

func (s *realSocket) Connect(context.Context, socket.Endpoint) error { return socket.ErrConnected }
func (s *realSocket) SetRecvDeadline(t time.Time)                    { _ = s.conn.SetReadDeadline(t) }
func (s *realSocket) Close() error                                   { return s.conn.Close() }
func (s *realSocket) State() socket.State                            { return socket.StateConnected }
func (s *realSocket) InnerMTU() int                                  { return 1452 }

func (s *realSocket) Kind() socket.Kind {
	if _, ok := s.conn.(*net.UDPConn); ok {
		return socket.Datagram
	}
	return socket.Stream
}

func (s *realSocket) Send(p []byte) error {
	var err error
	if s.udp != nil {
		s.mu.Lock()
		peer := s.peer
		s.mu.Unlock()
		_, err = s.udp.WriteToUDPAddrPort(p, peer)
	} else {
		_, err = s.conn.Write(p)
	}
	return err
}

func (s *realSocket) Recv(p []byte) (int, error) {
	var n int
	var err error
	if s.udp != nil {
		var from netip.AddrPort
		n, from, err = s.udp.ReadFromUDPAddrPort(p)
		if err == nil {
			s.mu.Lock()
			s.peer = from
			s.mu.Unlock()
		}
	} else {
		n, err = s.conn.Read(p)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return 0, socket.ErrTimeout
	}
	return n, err
}

// An engine runs one connection of ours on a goroutine of its own.
type engine struct {
	t    *testing.T
	s    *sched.Scheduler
	conn *coap.Conn
	sock *realSocket
	done chan struct{}
	stop chan struct{}
}

func start(t *testing.T, sock *realSocket, h coap.Handler) *engine {
	t.Helper()
	g := &engine{t: t, s: sched.New(), sock: sock, done: make(chan struct{}), stop: make(chan struct{})}
	e, err := coap.NewEndpoint(coap.Config{Scheduler: g.s})
	if err != nil {
		t.Fatal(err)
	}
	g.conn, err = e.NewConn(coap.ConnConfig{Socket: sock, Handler: h, MaxBody: 2 << 20, MaxMessage: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	g.s.OnWake(func() { sock.SetRecvDeadline(time.Unix(1, 0)) })
	go g.run()
	t.Cleanup(func() {
		close(g.stop)
		g.s.Wake()
		<-g.done
		_ = sock.Close()
	})
	return g
}

func (g *engine) run() {
	defer close(g.done)
	for {
		select {
		case <-g.stop:
			g.conn.Close(nil)
			return
		default:
		}
		g.sock.SetRecvDeadline(time.Now().Add(g.s.Wait(time.Second)))
		if g.s.Wait(time.Second) == 0 {
			g.sock.SetRecvDeadline(time.Unix(1, 0)) // woken meanwhile
		}
		if _, err := g.conn.Receive(1); err != nil && g.conn.Closed() == nil {
			g.conn.Close(err)
		}
		g.s.Run()
	}
}

// do runs f on the engine's goroutine.
func (g *engine) do(f func()) {
	done := make(chan struct{})
	g.s.Post(func() { f(); close(done) })
	<-done
}

// answer is a copy of a result.
type answer struct {
	err    error
	code   coap.Code
	body   []byte
	format int
	last   bool
}

func keep(r coap.Result) answer {
	a := answer{err: r.Err, code: r.Code, body: append([]byte(nil), r.Body...), format: -1, last: r.Last}
	if r.Options != nil {
		if f, ok := r.Options.ContentFormat(); ok {
			a.format = int(f)
		}
	}
	return a
}

// request makes a request and waits for its outcome.
func (g *engine) request(code coap.Code, path string, body []byte) answer {
	g.t.Helper()
	out := make(chan answer, 1)
	call := &coap.Call{Code: code, Body: body, Done: func(r coap.Result) { out <- keep(r) }}
	call.Options.AddPath(path)
	if body != nil {
		call.Options.SetContentFormat(42)
	}
	g.do(func() {
		if err := g.conn.Do(call); err != nil {
			out <- answer{err: err}
		}
	})
	return <-out
}

// observe begins an observation; notifications come to the channel.
func (g *engine) observe(path string) (call *coap.Call, notes chan answer) {
	notes = make(chan answer, 100)
	call = &coap.Call{
		Code:    coap.GET,
		Done:    func(r coap.Result) { notes <- keep(r) },
		Observe: func(r coap.Result) { notes <- keep(r) },
	}
	call.Options.AddPath(path)
	g.do(func() {
		if err := g.conn.Do(call); err != nil {
			notes <- answer{err: err}
		}
	})
	return call, notes
}

// next waits for the next notification.
func next(t *testing.T, notes chan answer) answer {
	t.Helper()
	select {
	case a := <-notes:
		if a.err != nil {
			t.Fatal(a.err)
		}
		return a
	case <-time.After(20 * time.Second):
		t.Fatal("no notification in 20 s")
		return answer{}
	}
}

// dial connects to addr over "udp" or "tcp".
func dial(t *testing.T, network, addr string) *realSocket {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return &realSocket{conn: c}
}

// serve runs our engine as a server for one peer and returns its address.
func serve(t *testing.T, network string, h coap.Handler) string {
	t.Helper()
	if network == "udp" {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			t.Fatal(err)
		}
		start(t, &realSocket{conn: c, udp: c}, h)
		return c.LocalAddr().String()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan *realSocket, 1)
	go func() {
		defer close(ready)
		if c, err := l.Accept(); err == nil {
			ready <- &realSocket{conn: c}
		}
	}()
	// The engine starts when the peer has connected, on the test's goroutine of
	// clean-up at the latest.
	started := make(chan struct{})
	go func() {
		defer close(started)
		if s := <-ready; s != nil {
			start(t, s, h)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-started })
	return l.Addr().String()
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

const megabyte = 1 << 20

// A store answers requests out of a map: GET, PUT, DELETE, FETCH echoes, and GET
// with Observe of /tick, which has four notifications.
type store struct {
	t      *testing.T
	mu     sync.Mutex
	values map[string][]byte
	ends   chan coap.ObserveEnd
	tick   *coap.Observation
	large  bool // notifications of 5000 bytes
}

func newStore(t *testing.T) *store {
	return &store{t: t, values: map[string][]byte{"/small": []byte("22.5"), "/large": pattern(megabyte)},
		ends: make(chan coap.ObserveEnd, 1)}
}

func (s *store) Head(r *coap.Request) { r.Limit(2 << 20) }

func (s *store) Serve(r *coap.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := string(r.Options().AppendPath(nil))
	resp := r.Response()
	switch r.Code() {
	case coap.GET:
		if path == "/tick" {
			s.serveTick(r, resp)
			return
		}
		v, ok := s.values[path]
		resp.Code = coap.NotFound
		if ok {
			resp.Code, resp.Body = coap.Content, append(resp.Body, v...)
			resp.Options.SetContentFormat(42)
		}
	case coap.PUT:
		resp.Code = coap.Changed
		s.values[path] = append([]byte(nil), r.Body()...)
	case coap.FETCH, coap.POST:
		resp.Code, resp.Body = coap.Content, append(resp.Body, r.Body()...)
	case coap.DELETE:
		resp.Code = coap.Deleted
		delete(s.values, path)
	default:
		resp.Code = coap.MethodNotAllowed
	}
	if err := r.Respond(resp); err != nil {
		s.t.Error(err)
	}
}

// value is what is stored at path.
func (s *store) value(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[path]
}

func (s *store) body(n byte) []byte {
	if s.large {
		b := pattern(5000)
		b[0] = '0' + n
		return b
	}
	return []byte{'0' + n}
}

func (s *store) serveTick(r *coap.Request, resp *coap.Response) {
	resp.Code, resp.Body = coap.Content, append(resp.Body, s.body(0)...)
	if v, ok := r.Observe(); !ok || v != coap.ObserveRegister {
		if err := r.Respond(resp); err != nil {
			s.t.Error(err)
		}
		return
	}
	timers := r.Conn().Endpoint().Scheduler()
	o, err := r.RespondObserve(resp, s)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.tick = o
	n := byte(0)
	var notify func()
	notify = func() {
		n++
		if n > 4 || o.Ended() {
			return
		}
		note := &coap.Notification{Confirmable: n%2 == 0}
		note.Code, note.Body = coap.Content, s.body(n)
		if err := o.Notify(note); err != nil {
			s.t.Error(err)
		}
		timers.AfterFunc(100*time.Millisecond, notify)
	}
	timers.AfterFunc(100*time.Millisecond, notify)
}

func (s *store) Cancelled(_ *coap.Observation, why coap.ObserveEnd) { s.ends <- why }
