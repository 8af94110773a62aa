package coap

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

var soakTime = flag.Duration("coap.soak", 0, "how long the hostile soak lasts; 0: a fixed number of messages")

const soakMemory = 4 << 20

// A flood is a server under attack from thousands of addresses, and a good peer that it serves all
// the time.
type flood struct {
	t        *testing.T
	rng      *rand.Rand
	s        *sched.Scheduler
	e        *Endpoint
	hostile  []*Conn
	good     duo
	held     []*Request
	messages int
	peak     int
}

// TestHostileSoak floods a server with fuzzed datagrams, forged responses,
// replayed blocks, half-open transfers and requests that are never completed, from
// thousands of addresses, while it serves a good peer.
//
//	go test ./runtime/coap -run TestHostileSoak -v -coap.soak 60s
func TestHostileSoak(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := newFlood(t, seed)
	before := heap()
	start, exchanges := time.Now(), 0
	for round := 0; ; round++ {
		if *soakTime > 0 && time.Since(start) > *soakTime || *soakTime == 0 && round == soakRounds() {
			break
		}
		for _, size := range []int{4, 3000, 20000} {
			for _, code := range []Code{GET, PUT} {
				f.exchange(code, size)
				exchanges++
			}
		}
	}
	elapsed := time.Since(start)
	grown := heap() - before
	t.Logf("%d hostile messages from %d addresses and %d good exchanges in %v; at most %d of %d bytes accounted for, heap %+d bytes",
		f.messages, len(f.hostile), exchanges, elapsed.Round(time.Millisecond), f.peak, soakMemory, grown)
	if f.peak > soakMemory {
		t.Errorf("%d bytes were accounted for", f.peak)
	}
	// The accounted memory is an estimate and does not include the connections themselves.
	if limit := 2*soakMemory + 4096*len(f.hostile); grown > limit {
		t.Errorf("the heap has grown by %d bytes, more than %d", grown, limit)
	}
	f.close()
}

func newFlood(t *testing.T, seed uint64) *flood {
	f := &flood{t: t, rng: rand.New(rand.NewPCG(seed, 3)), s: sched.New()}
	endpoint := func(memory int, n byte) *Endpoint {
		e, err := NewEndpoint(Config{Scheduler: f.s, MaxMemory: memory, Seed: [32]byte{n, 9}})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	f.e = endpoint(soakMemory, 1)
	params := Params{ExchangeTimeout: 5 * time.Second, MaxLatency: time.Second, AckTimeout: 500 * time.Millisecond, ResponseTimeout: 5 * time.Second}
	for range 2000 {
		c, err := f.e.NewConn(ConnConfig{Socket: &sink{wire: wire{mtu: 1232}}, Handler: f, Params: params, MaxQueue: 16})
		if err != nil {
			t.Fatal(err)
		}
		f.hostile = append(f.hostile, c)
	}
	f.good.a = &bench{t: t, w: &wire{mtu: 1232}, e: endpoint(0, 2), h: &script{}, s: f.s}
	f.good.b = &bench{t: t, w: &wire{mtu: 1232}, e: f.e, h: &script{serve: func(r *Request) { content(string(r.Body()))(r) }}, s: f.s}
	f.good.a.w.peer, f.good.b.w.peer = f.good.b.w, f.good.a.w
	f.good.b.h.serve = func(r *Request) {
		resp := r.Response()
		resp.Code = Content
		if r.Code() == PUT {
			resp.Body = append(resp.Body, r.Body()...)
		} else {
			var n int
			q, _ := r.Options().Get(OptionURIQuery)
			_, _ = fmt.Sscan(string(q), &n)
			resp.Body = append(resp.Body, pattern(n)...)
		}
		if err := r.Respond(resp); err != nil {
			t.Error(err)
		}
	}
	// Message IDs are used again within seconds in this test.
	params.NStart = 4
	f.good.a.start(ConnConfig{Params: params})
	f.good.b.start(ConnConfig{Params: params})
	return f
}

// exchange sends a request of the good peer, with hostile messages between any two of its own.
func (f *flood) exchange(code Code, size int) {
	o := &outcome{}
	call := &Call{Code: code, Done: o.add}
	call.Options.AddPath("/good")
	call.Options.AddQuery(fmt.Sprint(size))
	if code == PUT {
		call.Body = pattern(size)
	}
	if err := f.good.a.c.Do(call); err != nil {
		f.t.Fatal(err)
	}
	for len(o.results) == 0 {
		f.good.b.c.Receive(1)
		for range 20 {
			f.attack()
		}
		f.good.a.c.Receive(1)
		f.s.Run()
	}
	if r := o.results[0]; r.Err != nil || r.Code != Content || o.bodies[0] != string(pattern(size)) {
		f.t.Fatalf("the good peer's %v of %d bytes: %v %v, %d bytes", code, size, r.Err, r.Code, len(o.bodies[0]))
	}
}

// attack is one hostile message.
func (f *flood) attack() {
	c := f.hostile[f.rng.IntN(len(f.hostile))]
	b := f.message(f.rng.IntN(9))
	c.Handle(b)
	if f.rng.IntN(10) == 0 {
		f.good.a.c.Handle(f.message(2)) // forged, with the good peer's address
		// Only acknowledgements to the server: it would reject a confirmable message by a
		// reset, which goes to the good peer and may match one of its message IDs. Only DTLS
		// protects against that.
		f.good.b.c.Handle(f.message(9))
	}
	f.messages++
	f.peak = max(f.peak, f.e.Memory())
}

func (f *flood) message(kind int) []byte {
	r := f.rng
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	m := Message{Type: Type(r.IntN(2)), Code: PUT, MessageID: uint16(r.Uint32()), Token: random(r.IntN(9))}
	m.Options.AddPath(fmt.Sprint("/", r.IntN(1000)))
	switch kind {
	case 0:
		return random(r.IntN(1500))
	case 1: // damaged
		m.Payload = random(10)
		b, _ := m.AppendUDP(nil)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		return b
	case 2, 9: // a forged response, with a block or a notification
		m.Type, m.Code, m.Token = Type(r.IntN(4)), Content, random(8)
		if kind == 9 {
			m.Type = Acknowledgement
		}
		m.Options.Reset()
		if r.IntN(2) == 0 {
			m.Options.AddUint(OptionObserve, r.Uint32()&0xffffff)
		}
		if r.IntN(2) == 0 {
			m.Options.SetBlock(OptionBlock2, Block{Num: uint32(r.IntN(20)), More: true, SZX: 6})
		}
		m.Payload = random(1024)
	case 3: // a body that never ends
		m.Options.SetBlock(OptionBlock1, Block{More: true, SZX: 6})
		m.Options.AddUint(OptionSize1, uint32(r.IntN(1<<16)))
		m.Payload = random(1024)
	case 4: // a replayed or invented block
		m.Options.SetBlock(OptionBlock1, Block{Num: uint32(r.IntN(4)), More: r.IntN(8) > 0, SZX: 6})
		m.Payload = random(1024)
	case 5: // an answer whose blocks are never fetched
		m.Code = GET
		m.Options.SetBlock(OptionBlock2, Block{Num: uint32(r.IntN(3)), SZX: uint8(r.IntN(7))})
	case 6: // an observation
		m.Code = GET
		m.Options.AddUint(OptionObserve, 0)
	case 7: // a request that is never answered
		m.Code = POST
		m.Payload = random(500)
	case 8: // new message IDs
		m.Code = DELETE
	}
	b, _ := m.AppendUDP(nil)
	return b
}

func (f *flood) Head(*Request) {}

func (f *flood) Serve(r *Request) {
	resp := r.Response()
	resp.Code = Content
	switch r.Code() {
	case GET:
		resp.Body = append(resp.Body, pattern(20000)...)
		if v, ok := r.Observe(); ok && v == ObserveRegister {
			resp.Body = resp.Body[:4]
			if _, err := r.RespondObserve(resp, &cancels{}); err != nil {
				f.t.Error(err)
			}
			return
		}
	case POST:
		// Answered after hundreds of others.
		f.held = append(f.held, r)
		if len(f.held) < 500 {
			return
		}
		r, f.held = f.held[0], f.held[1:]
		resp = &Response{Code: Changed}
	}
	if err := r.Respond(resp); err != nil && !isRefused(err) {
		f.t.Error(err)
	}
}

// isRefused reports whether err is one that an answer may have when memory is short.
func isRefused(err error) bool {
	return err == ErrAnswered || err == ErrBusy || codeOf(err) == ServiceUnavailable
}

func (f *flood) close() {
	for _, c := range append(f.hostile, f.good.a.c, f.good.b.c) {
		c.Close(nil)
	}
	if n := f.e.Memory(); n != 0 {
		f.t.Errorf("%d bytes are still accounted for", n)
	}
	if n := f.s.Len(); n != 0 {
		f.t.Errorf("%d jobs are left", n)
	}
}

// FuzzConn passes datagrams, several in one input, to a connection with requests in both
// directions, and then closes it.
func FuzzConn(f *testing.F) {
	add := func(ms ...Message) {
		var all []byte
		for _, m := range ms {
			b, err := m.AppendUDP(nil)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, byte(len(b)>>8), byte(len(b)))
			all = append(all, b...)
		}
		f.Add(all)
	}
	add(put1(1, 0, true, 0, pattern(16)), put1(2, 1, false, 0, pattern(5)))
	add(get2(1, 0, 0), get2(2, 1, 0), get2(3, 9, 0))
	add(register(Confirmable, 1, "tk"), register(NonConfirmable, 2, "tk"))
	add(Message{Type: Confirmable, MessageID: 1}, Message{Type: Reset, MessageID: 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		e := newEndpoint(t, 1)
		e.maxMemory = 1 << 20
		h := &script{serve: func(r *Request) {
			resp := r.Response()
			resp.Code = Content
			resp.Body = append(append(resp.Body, r.Body()...), pattern(100)...)
			if v, ok := r.Observe(); ok && v == ObserveRegister {
				_, _ = r.RespondObserve(resp, &cancels{})
				return
			}
			_ = r.Respond(resp)
		}}
		w := &sink{wire: wire{kind: socket.Datagram}}
		c, err := e.NewConn(ConnConfig{Socket: w, Handler: h, MaxBody: 1 << 12})
		if err != nil {
			t.Fatal(err)
		}
		outcomes := 0
		call := &Call{Code: PUT, Body: pattern(3000), Done: func(Result) { outcomes++ }}
		if err := c.Do(call); err != nil {
			t.Fatal(err)
		}
		for len(in) >= 2 {
			n := min(int(in[0])<<8|int(in[1]), len(in)-2)
			c.Handle(bytes.Clone(in[2 : 2+n]))
			in = in[2+n:]
		}
		c.Close(nil)
		if outcomes != 1 || e.Memory() != 0 || e.sched.Len() != 0 {
			t.Fatalf("%d outcomes, %d bytes and %d jobs left", outcomes, e.Memory(), e.sched.Len())
		}
	})
}

// FuzzStream passes bytes to a connection over a stream, in pieces.
func FuzzStream(f *testing.F) {
	add := func(ms ...Message) {
		all, err := (&Message{Code: CSM, Options: options(csmMaxMessageSize, "\x10\x00", csmBlockWise, "")}).AppendTCP(nil)
		for _, m := range ms {
			if err == nil {
				all, err = m.AppendTCP(all)
			}
		}
		if err != nil {
			f.Fatal(err)
		}
		f.Add(all, uint8(1))
		f.Add(all, uint8(100))
	}
	add(put1(1, 0, true, 0, pattern(16)), put1(2, 1, false, 0, pattern(5)))
	add(get2(1, 0, 7), get2(2, 1, 7), get2(3, 9, 0))
	add(Message{Code: Ping}, Message{}, register(0, 2, "tk"), Message{Code: Release}, Message{Code: Abort})
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		e := newEndpoint(t, 1)
		e.maxMemory = 1 << 20
		h := &script{serve: func(r *Request) {
			resp := r.Response()
			resp.Code = Content
			resp.Body = append(append(resp.Body, r.Body()...), pattern(5000)...)
			if v, ok := r.Observe(); ok && v == ObserveRegister {
				_, _ = r.RespondObserve(resp, &cancels{})
				return
			}
			_ = r.Respond(resp)
		}}
		w := &wire{kind: socket.Stream, mtu: 1232}
		c, err := e.NewConn(ConnConfig{Socket: w, Handler: h, MaxBody: 1 << 12, MaxMessage: 1 << 13})
		if err != nil {
			t.Fatal(err)
		}
		outcomes := 0
		if err := c.Do(&Call{Code: PUT, Body: pattern(3000), Done: func(Result) { outcomes++ }}); err != nil {
			t.Fatal(err)
		}
		for len(in) > 0 && c.Closed() == nil {
			n := min(int(step)+1, len(in))
			w.in = append(w.in, in[:n])
			in = in[n:]
			_, _ = c.Receive(1)
		}
		c.Close(nil)
		if outcomes != 1 || e.Memory() != 0 || e.sched.Len() != 0 {
			t.Fatalf("%d outcomes, %d bytes and %d jobs left", outcomes, e.Memory(), e.sched.Len())
		}
	})
}

// soakRounds is how long the soak lasts in an ordinary run.
func soakRounds() int {
	if testing.Short() {
		return 2
	}
	return 10
}
