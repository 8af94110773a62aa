package coap

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A link is two connections over a perfect simnet, without virtual time.
type link struct {
	client, server *Conn
	h              *script
}

func newLink(tb testing.TB, params Params) *link {
	tb.Helper()
	network := simnet.New(1)
	device, server := network.NewHost("device"), network.NewHost("server")
	listener, err := server.Listen(5683)
	if err != nil {
		tb.Fatal(err)
	}
	dialed, err := device.Dialer().NewSocket(socket.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	if err := dialed.Connect(context.Background(), socket.Endpoint{Host: "server", Port: 5683}); err != nil {
		tb.Fatal(err)
	}
	if err := dialed.Send([]byte{0}); err != nil {
		tb.Fatal(err)
	}
	accepted, err := listener.Accept(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	l := &link{h: &script{}}
	s := sched.New()
	for i, sock := range []socket.Socket{dialed, accepted} {
		e, err := NewEndpoint(Config{Scheduler: s, Seed: [32]byte{byte(i), 1}})
		if err != nil {
			tb.Fatal(err)
		}
		sock.SetRecvDeadline(socket.NoWait())
		c, err := e.NewConn(ConnConfig{Socket: sock, Handler: l.h, Params: params})
		if err != nil {
			tb.Fatal(err)
		}
		if i == 0 {
			l.client = c
		} else {
			l.server = c
		}
	}
	tb.Cleanup(func() {
		l.client.Close(nil)
		l.server.Close(nil)
		dialed.Close()
		accepted.Close()
		listener.Close()
	})
	return l
}

func (l *link) turn(tb testing.TB) {
	if _, err := l.server.Receive(10); err != nil {
		tb.Fatal(err)
	}
	if _, err := l.client.Receive(10); err != nil {
		tb.Fatal(err)
	}
}

// fast are parameters with which message IDs can soon be used again.
var fast = Params{AckTimeout: time.Millisecond, MaxLatency: time.Microsecond, MaxRetransmit: 1, NStart: 64}

// reader answers a Read without allocating, as package lwm2m does.
func reader(r *Request) {
	resp := r.Response()
	resp.Code = Content
	resp.Options.SetContentFormat(0)
	resp.Body = append(resp.Body, "22.5"...)
	_ = r.Respond(resp)
}

// readCall is a Read that can be sent repeatedly.
func readCall() (call *Call, done *int) {
	done = new(int)
	call = &Call{Code: GET, Done: func(r Result) {
		if r.Err == nil && r.Code == Content && string(r.Body) == "22.5" {
			*done++
		}
	}}
	call.Options.AddPath("/3303/0/5700")
	return call, done
}

func TestExchangeAllocations(t *testing.T) {
	l := newLink(t, Params{NStart: 64})
	l.h.serve = reader
	call, done := readCall()
	exchange := func() {
		if err := l.client.Do(call); err != nil {
			t.Fatal(err)
		}
		l.turn(t)
	}
	for range 5000 {
		exchange()
	}
	*done = 0
	if n := testing.AllocsPerRun(1000, exchange); n != 0 {
		t.Errorf("%v allocations from request to response, want 0", n)
	}
	if *done != 1001 {
		t.Errorf("%d of 1001 outcomes", *done)
	}
}

func TestNotifyAllocations(t *testing.T) {
	l := newLink(t, Params{NStart: 64})
	var o *Observation
	l.h.serve = func(r *Request) {
		resp := r.Response()
		resp.Code = Content
		o, _ = r.RespondObserve(resp, &cancels{})
	}
	heard, delivered := 0, 0
	call := &Call{Code: GET, Done: func(Result) {}, Observe: func(r Result) { heard++ }}
	if err := l.client.Do(call); err != nil {
		t.Fatal(err)
	}
	l.turn(t)
	note := &Notification{Done: func(err error) {
		if err == nil {
			delivered++
		}
	}}
	note.Code, note.Body = Content, []byte("22.5")
	notify := func() {
		note.Confirmable = !note.Confirmable
		if err := o.Notify(note); err != nil {
			t.Fatal(err)
		}
		for o.deliveries.n > 0 || note.Confirmable != (heard%2 == 1) {
			l.server.e.sched.Run() // it may have to wait for a round trip
			l.client.Receive(10)
			l.server.Receive(10)
		}
	}
	for range 5000 {
		notify()
	}
	// The closures that pass a notification on are on the observing side, which a device is
	// not.
	if n := testing.AllocsPerRun(1000, notify); n > 1 {
		t.Errorf("%v allocations for a notification, want at most the observer's one", n)
	}
	if heard != 6001 || delivered != 6001 {
		t.Errorf("%d heard, %d delivered", heard, delivered)
	}
}

func BenchmarkExchange(b *testing.B) {
	l := newLink(b, fast)
	l.h.serve = reader
	call, done := readCall()
	b.ReportAllocs()
	n, cpu := 0, cpuTime()
	for b.Loop() {
		if err := l.client.Do(call); err != nil {
			b.Fatal(err)
		}
		for call.Active() {
			l.turn(b)
			l.client.e.sched.Run()
		}
		n++
	}
	b.ReportMetric(float64(cpuTime()-cpu)/float64(n), "cpu-ns/op")
	if *done != n {
		b.Fatalf("%d of %d outcomes", *done, n)
	}
}

// BenchmarkServe measures the server's side alone: one request in, its answer out, with this many
// message IDs remembered.
func BenchmarkServe(b *testing.B) {
	for _, ids := range []int{1000, 60000} {
		b.Run(fmt.Sprintf("ids=%d", ids), func(b *testing.B) {
			w := &sink{}
			e := newEndpoint(b, 1)
			c, err := e.NewConn(ConnConfig{Socket: w, Handler: &script{serve: reader}})
			if err != nil {
				b.Fatal(err)
			}
			request := readRequest()
			serve := func(mid uint16) {
				request[2], request[3] = byte(mid>>8), byte(mid)
				c.Handle(request)
			}
			mid := uint16(0)
			for range ids {
				serve(mid)
				mid++
			}
			b.ReportAllocs()
			n, cpu := 0, cpuTime()
			for b.Loop() {
				// Keep the number of remembered IDs constant, as if the oldest expired.
				c.datagrams.seen.first++
				serve(mid)
				mid++
				n++
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(n), "cpu-ns/op")
			if w.n != ids+n {
				b.Fatalf("%d answers to %d requests", w.n, ids+n)
			}
		})
	}
}

// BenchmarkRepeated measures a repeated request, which is answered from the history.
func BenchmarkRepeated(b *testing.B) {
	w := &sink{}
	c, err := newEndpoint(b, 1).NewConn(ConnConfig{Socket: w, Handler: &script{serve: reader}})
	if err != nil {
		b.Fatal(err)
	}
	request := readRequest()
	c.Handle(request) // the first; the following ones repeat it
	b.ReportAllocs()
	for b.Loop() {
		c.Handle(request)
	}
	if c.Stats().Repeated == 0 || w.n == 0 {
		b.Fatal("nothing was repeated")
	}
}

// A sink is a socket that counts what is sent.
type sink struct {
	wire
	n int
}

func (s *sink) InnerMTU() int       { return 1232 }
func (s *sink) Send(p []byte) error { s.n++; return nil }
