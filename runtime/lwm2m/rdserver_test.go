package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// request is a request that the server of these tests has received.
type request struct {
	at     time.Time
	code   coap.Code
	path   string
	query  []string
	body   string
	format int // -1 means none
}

func (r request) String() string {
	s := r.code.String() + " " + r.path
	if len(r.query) > 0 {
		s += "?" + strings.Join(r.query, "&")
	}
	return s
}

func (r request) has(param string) bool { return slices.Contains(r.query, param) }

// answer is a response. The zero value means that the request is not answered.
type answer struct {
	code     coap.Code
	location string
	maxAge   uint32
	text     string
}

// rdServer is a registration server on simnet with a goroutine of its own. A function decides every
// response.
type rdServer struct {
	t        *testing.T
	host     *simnet.Host
	requests chan request
	rough    bool // connections may end before the response is sent

	mu     sync.Mutex
	answer func(request) answer
	conn   *coap.Conn // of the last request

	sched *sched.Scheduler
	stop  context.CancelFunc
	done  chan struct{}
}

// registrar answers like a server that accepts everything.
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
	defer poller.Close() // the test does not depend on it
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
	q := request{at: time.Now(), code: r.Code(), path: string(r.Options().AppendPath(nil)),
		body: string(r.Body()), format: -1}
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

// answers sets the function that decides the responses from now on. Nil means registrar.
func (s *rdServer) answers(fn func(request) answer) {
	if fn == nil {
		fn = registrar
	}
	s.mu.Lock()
	s.answer = fn
	s.mu.Unlock()
}

// silent makes the server receive requests and not answer them.
func (s *rdServer) silent() { s.answers(func(request) answer { return answer{} }) }

// next waits for the next request, for at most an hour of virtual time.
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

// quiet fails if a request arrives within d.
func (s *rdServer) quiet(d time.Duration) {
	s.t.Helper()
	select {
	case r := <-s.requests:
		s.t.Fatalf("unexpected request %v", r)
	case <-time.After(d):
	}
}

// do sends a request to the device and waits for the response.
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

// wantServed fails unless the server reads the device without delay.
func (s *rdServer) wantServed() {
	s.t.Helper()
	at := time.Now()
	if code := s.do(coap.GET, "/3/0/16", "", -1); code != coap.Content {
		s.t.Errorf("Read: %v", code)
	}
	if d := time.Since(at); d != 0 {
		s.t.Errorf("the other server was answered after %v", d)
	}
}

// send sends a request to the device. It does not wait for the response, which may never arrive.
func (s *rdServer) send(code coap.Code, path, body string) {
	s.t.Helper()
	sent := make(chan error, 1)
	s.sched.Post(func() {
		call := &coap.Call{Code: code, Body: []byte(body), Done: func(coap.Result) {}}
		call.Options.AddPath(path)
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		sent <- c.Do(call)
	})
	if err := <-sent; err != nil {
		s.t.Error(err)
	}
}

// ask sends n requests at once and does not wait for the responses.
func (s *rdServer) ask(n int) {
	s.t.Helper()
	sent := make(chan error, 1)
	s.sched.Post(func() {
		s.mu.Lock()
		c := s.conn
		s.mu.Unlock()
		err := c.SetParams(coap.Params{NStart: n})
		for range n {
			call := &coap.Call{Code: coap.GET, Done: func(r coap.Result) {
				if r.Err != nil || r.Code != coap.Content {
					s.t.Errorf("Read: %v, %v", r.Code, r.Err)
				}
			}}
			call.Options.AddPath("/3/0/16")
			if err == nil {
				err = c.Do(call)
			}
		}
		sent <- err
	})
	if err := <-sent; err != nil {
		s.t.Fatal(err)
	}
}

func socketRefused(err error) bool { return errors.Is(err, socket.ErrRefused) }

// intervals returns the times between the next n+1 requests.
func (s *rdServer) intervals(n int) []time.Duration {
	s.t.Helper()
	last := s.within(200 * time.Hour).at
	var d []time.Duration
	for range n {
		at := s.within(200 * time.Hour).at
		d = append(d, at.Sub(last))
		last = at
	}
	return d
}

func equalDurations(a []time.Duration, b ...time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
