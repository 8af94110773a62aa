package coap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A wire is a socket whose other end is the test: it records what is sent and receives what the
// test passes in.
type wire struct {
	kind socket.Kind
	mtu  int
	sent [][]byte
	in   [][]byte
	err  error        // of Send
	end  error        // of Recv when in is empty; nil: ErrTimeout
	peer *wire        // receives what is sent, if not nil
	tap  func([]byte) // sees what is sent, if not nil
}

func (w *wire) Connect(context.Context, socket.Endpoint) error { return nil }
func (w *wire) SetRecvDeadline(time.Time)                      {}
func (w *wire) Close() error                                   { return nil }
func (w *wire) State() socket.State                            { return socket.StateConnected }
func (w *wire) InnerMTU() int                                  { return w.mtu }
func (w *wire) Kind() socket.Kind                              { return w.kind }

func (w *wire) Send(p []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.tap != nil {
		w.tap(p)
	}
	if w.peer != nil {
		w.peer.in = append(w.peer.in, bytes.Clone(p))
		return nil
	}
	w.sent = append(w.sent, bytes.Clone(p))
	return nil
}

func (w *wire) Recv(p []byte) (int, error) {
	switch {
	case len(w.in) == 0 && w.end != nil:
		return 0, w.end
	case len(w.in) == 0:
		return 0, socket.ErrTimeout
	}
	n := copy(p, w.in[0])
	w.in = w.in[1:]
	return n, nil
}

// A bench is one connection with the test as its peer.
type bench struct {
	t testing.TB
	w *wire
	s *sched.Scheduler
	e *Endpoint
	c *Conn
	h *script
}

// script is a handler made of functions.
type script struct {
	head  func(*Request)
	serve func(*Request)
	calls int // of serve
	heads int
}

func (s *script) Head(r *Request) {
	s.heads++
	if s.head != nil {
		s.head(r)
	}
}

func (s *script) Serve(r *Request) {
	s.calls++
	if s.serve != nil {
		s.serve(r)
	}
}

// content is a function that answers with a text.
func content(body string) func(*Request) {
	return func(r *Request) {
		resp := r.Response()
		resp.Code = Content
		resp.Body = append(resp.Body, body...)
		if err := r.Respond(resp); err != nil {
			panic(err) // the test itself is wrong
		}
	}
}

func newEndpoint(t testing.TB, seed byte) *Endpoint {
	t.Helper()
	e, err := NewEndpoint(Config{Scheduler: sched.New(), Seed: [32]byte{seed, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newBench(t testing.TB, cfg ConnConfig) *bench {
	t.Helper()
	b := &bench{t: t, w: &wire{mtu: 1232}, e: newEndpoint(t, 1), h: &script{}}
	b.s = b.e.sched
	b.w.kind = socket.Datagram
	b.start(cfg)
	return b
}

// newStreamBench sends the CSM of a peer with these settings.
func newStreamBench(t *testing.T, cfg ConnConfig, csm ...any) *bench {
	t.Helper()
	b := &bench{t: t, w: &wire{mtu: 1232, kind: socket.Stream}, e: newEndpoint(t, 1), h: &script{}}
	b.s = b.e.sched
	b.start(cfg)
	if len(csm) > 0 {
		b.expect(Message{Code: CSM})
		b.put(Message{Code: CSM, Options: options(csm...)})
	}
	return b
}

func (b *bench) start(cfg ConnConfig) {
	b.t.Helper()
	cfg.Socket = b.w
	if cfg.Handler == nil {
		cfg.Handler = b.h
	}
	c, err := b.e.NewConn(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.c = c
}

// put passes a message to the connection.
func (b *bench) put(m Message) error {
	b.t.Helper()
	var wire []byte
	var err error
	if b.w.kind == socket.Stream {
		wire, err = m.AppendTCP(nil)
	} else {
		wire, err = m.AppendUDP(nil)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return b.putBytes(wire)
}

func (b *bench) putBytes(wire []byte) error {
	b.w.in = append(b.w.in, wire)
	_, err := b.c.Receive(10)
	return err
}

// take removes and returns the next message that the connection has sent.
func (b *bench) take() Message {
	b.t.Helper()
	if len(b.w.sent) == 0 {
		b.t.Fatal("nothing was sent")
	}
	wire := b.w.sent[0]
	b.w.sent = b.w.sent[1:]
	var m Message
	var err error
	if b.w.kind == socket.Stream {
		_, err = m.ParseTCP(wire)
	} else {
		err = m.ParseUDP(wire)
	}
	if err != nil {
		b.t.Fatalf("%x was sent: %v", wire, err)
	}
	return m
}

// expect takes the next message and compares the fields that are not zero in want. A message ID of
// 0 in want matches any.
func (b *bench) expect(want Message) Message {
	b.t.Helper()
	got := b.take()
	if got.Type != want.Type || got.Code != want.Code ||
		want.MessageID != 0 && got.MessageID != want.MessageID ||
		want.Token != nil && !bytes.Equal(got.Token, want.Token) ||
		want.Payload != nil && !bytes.Equal(got.Payload, want.Payload) {
		b.t.Fatalf("sent %v %v %#x token %x payload %.60q; want %v %v %#x token %x payload %.60q",
			got.Type, got.Code, got.MessageID, got.Token, got.Payload,
			want.Type, want.Code, want.MessageID, want.Token, want.Payload)
	}
	for id, v := range want.Options.All() {
		if g, ok := got.Options.Get(id); !ok || !bytes.Equal(g, v) {
			b.t.Fatalf("sent %v %x (there: %v), want %x", id, g, ok, v)
		}
	}
	return got
}

func (b *bench) silent() {
	b.t.Helper()
	if len(b.w.sent) > 0 {
		m := b.take()
		b.t.Fatalf("sent %v %v %#x %.60q, want nothing", m.Type, m.Code, m.MessageID, m.Payload)
	}
}

// sleep waits in virtual time and runs what is due.
func (b *bench) sleep(d time.Duration) {
	end := b.s.Now().Add(d)
	for {
		b.s.Run()
		left := end.Sub(b.s.Now())
		if left <= 0 {
			return
		}
		_ = b.s.Sleep(context.Background(), left)
	}
}

// clean checks that no state is left.
func (b *bench) clean() {
	b.t.Helper()
	c := b.c
	if left := leftovers(c); left != "" {
		b.t.Fatalf("left: %s", left)
	}
	used := b.e.Memory()
	if c.datagrams != nil {
		used -= c.datagrams.seen.charged
	}
	for n := c.observations.head; n != nil; n = n.next {
		used -= n.value.bytes()
	}
	if used != 0 {
		b.t.Fatalf("%d bytes are still accounted for", used)
	}
}

// leftovers describes what a connection still holds of requests and messages.
func leftovers(c *Conn) string {
	counts := []int{c.calls.active.n, len(c.calls.byToken.m), c.requests.pending.n, c.transfers.n, 0, 0, 0}
	if d := c.datagrams; d != nil {
		counts[4], counts[5], counts[6] = d.waiting.len(), len(d.sent.m), d.inflight
	}
	if !slices.ContainsFunc(counts, func(n int) bool { return n != 0 }) {
		return ""
	}
	return fmt.Sprintf("%d calls, %d tokens, %d requests, %d transfers, %d queued, %d sent, %d in flight",
		counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], counts[6])
}

// An outcome records the results of a call.
type outcome struct {
	results []Result
	bodies  []string
	options []Options
}

func (o *outcome) add(r Result) {
	o.bodies = append(o.bodies, string(r.Body))
	var opts Options
	if r.Options != nil {
		opts = r.Options.Clone()
	}
	o.options = append(o.options, opts)
	r.Body, r.Options = nil, nil
	o.results = append(o.results, r)
}

// onlyResult is the result, and there must be only one.
func (o *outcome) onlyResult(t testing.TB) Result {
	t.Helper()
	if len(o.results) != 1 {
		t.Fatalf("%d outcomes: %v; want one", len(o.results), o.results)
	}
	return o.results[0]
}

func (b *bench) get(path string) (*Call, *outcome) {
	b.t.Helper()
	o := &outcome{}
	call := &Call{Code: GET, Done: o.add}
	call.Options.AddPath(path)
	if err := b.c.Do(call); err != nil {
		b.t.Fatal(err)
	}
	return call, o
}

func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

// A duo is two connections that talk to each other without a network.
type duo struct {
	a, b *bench
}

func newDuo(t *testing.T, kind socket.Kind, cfg ConnConfig) duo {
	t.Helper()
	p := duo{
		a: &bench{t: t, w: &wire{mtu: 1232, kind: kind}, e: newEndpoint(t, 1), h: &script{}},
		b: &bench{t: t, w: &wire{mtu: 1232, kind: kind}, e: newEndpoint(t, 2), h: &script{}},
	}
	p.a.w.peer, p.b.w.peer = p.b.w, p.a.w
	p.b.e.sched = p.a.e.sched
	p.a.s, p.b.s = p.a.e.sched, p.a.e.sched
	p.a.start(cfg)
	p.b.start(cfg)
	return p
}

// run delivers messages until both sides are silent.
func (p duo) run() {
	p.a.t.Helper()
	for {
		n, err := p.a.c.Receive(100)
		m, err2 := p.b.c.Receive(100)
		if err != nil || err2 != nil {
			p.a.t.Fatal(err, err2)
		}
		if n+m == 0 {
			return
		}
	}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestPairs(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		for _, size := range []int{0, 10, 1024, 1025, 5000, 70000, 300000} {
			for _, code := range []Code{GET, PUT, FETCH, POST} {
				t.Run(kind.String()+"/"+code.String(), func(t *testing.T) {
					p := newDuo(t, kind, ConnConfig{MaxBody: 1 << 20})
					p.run()
					body := pattern(size)
					var got []byte
					p.b.h.serve = func(r *Request) {
						got = slices.Clone(r.Body())
						resp := r.Response()
						resp.Code = Content
						resp.Options.SetContentFormat(42)
						resp.Body = append(resp.Body, body...)
						if err := r.Respond(resp); err != nil {
							t.Error(err)
						}
					}
					o := &outcome{}
					call := &Call{Code: code, Done: o.add}
					call.Options.AddPath("/1/2/3")
					if code != GET {
						call.Body = body
					}
					if err := p.a.c.Do(call); err != nil {
						t.Fatal(err)
					}
					p.run()
					r := o.onlyResult(t)
					if r.Err != nil || r.Code != Content || o.bodies[0] != string(body) || !r.Last {
						t.Fatalf("%v %v, %d of %d bytes", r.Err, r.Code, len(o.bodies[0]), size)
					}
					if !bytes.Equal(got, call.Body) {
						t.Fatalf("the server saw %d of %d bytes", len(got), len(call.Body))
					}
					if f, ok := o.options[0].ContentFormat(); !ok || f != 42 || p.b.h.calls != 1 {
						t.Errorf("Content-Format %d, %v; served %d times", f, ok, p.b.h.calls)
					}
					p.a.clean()
					p.b.clean()
				})
			}
		}
	}
}
