package coap

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// An engine runs one connection of the toolkit on a goroutine of its own.
type engine struct {
	t    *testing.T
	s    *sched.Scheduler
	conn *coap.Conn
	sock socket.Socket
	done chan struct{}
	stop chan struct{}
}

func start(t *testing.T, sock socket.Socket, h coap.Handler) *engine {
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
	g.s.OnWake(func() { sock.SetRecvDeadline(socket.NoWait()) })
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
			g.sock.SetRecvDeadline(socket.NoWait()) // woken in the meantime
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

// An answer is a copy of a result.
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

// request sends a request and waits for its outcome.
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

// observe begins an observation. Its notifications are sent to the channel.
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

// The credentials of both sides over DTLS.
var (
	identity = []byte("device")
	key      = []byte("0123456789abcdef")
)

// schemes are the URI schemes of the tests' networks.
var schemes = map[string]string{"udp": "coap", "tcp": "coap+tcp", "dtls": "coaps"}

// dial connects to addr over "udp", "tcp" or "dtls".
func dial(t *testing.T, network, addr string) socket.Socket {
	t.Helper()
	var cfg socket.Config
	if network == "dtls" {
		cfg.Security = socket.Security{Mode: socket.ModePSK, Identity: identity, Key: socket.NewSecret(key)}
	}
	dialers := []socket.Dialer{udp.Dialer{}, tcp.Dialer{}, dtls.Dialer{}}
	sock, remote, err := socket.Open(dialers, schemes[network]+"://"+addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := sock.Connect(ctx, remote); err != nil {
		t.Fatal(err)
	}
	return sock
}

// serve runs the engine as a server, with a connection for each peer, and returns its address.
func serve(t *testing.T, network string, h coap.Handler) string {
	t.Helper()
	at := netip.MustParseAddrPort("127.0.0.1:0")
	var l socket.Listener
	var err error
	if network == "tcp" {
		l, err = tcp.Listen(at)
	} else {
		l, err = udp.Listen(at)
	}
	if err == nil && network == "dtls" {
		l, err = dtls.Listen(l, dtls.ServerConfig{Key: func(id []byte) (socket.Secret, error) {
			if string(id) != string(identity) {
				return socket.Secret{}, errors.New("unknown identity")
			}
			return socket.NewSecret(key), nil
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			sock, err := l.Accept(ctx)
			if err != nil {
				return
			}
			start(t, sock, h)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
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

// A store answers GET, PUT and DELETE from a map, echoes FETCH, and sends four notifications to an
// observer of /tick.
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

// value is the value stored at path.
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
		note := &coap.Notification{Confirmable: n%2 == 1}
		note.Code, note.Body = coap.Content, s.body(n)
		if err := o.Notify(note); err != nil {
			s.t.Error(err)
		}
		timers.AfterFunc(100*time.Millisecond, notify)
	}
	timers.AfterFunc(100*time.Millisecond, notify)
}

func (s *store) Cancelled(_ *coap.Observation, why coap.ObserveEnd) { s.ends <- why }
