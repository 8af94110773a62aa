package coap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

var (
	exchanges = flag.Int("coap.exchanges", 1000, "exchanges of each fault mix")
	faultSeed = flag.Uint64("coap.seed", 0, "seed of the fault mixes; 0: another one each time")
)

// faultMixes are combinations of network faults.
var faultMixes = []struct {
	name      string
	link      simnet.Link
	partition time.Duration // cut for this time, in every tenfold of it
}{
	{"perfect", simnet.Link{Delay: time.Millisecond}, 0},
	{"loss 10", simnet.Link{Delay: 20 * time.Millisecond, Loss: 0.1}, 0},
	{"loss 30", simnet.Link{Delay: 20 * time.Millisecond, Loss: 0.3}, 0},
	{"loss 50", simnet.Link{Delay: 20 * time.Millisecond, Loss: 0.5}, 0},
	{"duplication", simnet.Link{Delay: 20 * time.Millisecond, Jitter: 30 * time.Millisecond, Duplicate: 0.5}, 0},
	{"reordering", simnet.Link{Delay: 20 * time.Millisecond, Reorder: 0.5, ReorderDelay: 5 * time.Second}, 0},
	{"delay", simnet.Link{Delay: 3 * time.Second, Jitter: 10 * time.Second}, 0},
	{"partition", simnet.Link{Delay: 20 * time.Millisecond}, time.Minute},
	{"all", simnet.Link{Delay: time.Second, Jitter: 3 * time.Second, Loss: 0.25, Duplicate: 0.25, Reorder: 0.25,
		ReorderDelay: 20 * time.Second}, 20 * time.Second},
}

// TestFaults runs exchanges of every kind in both directions over networks that lose, repeat,
// reorder and delay datagrams. No request takes effect twice, each caller gets one outcome, and no
// state is left afterwards.
//
//	go test ./runtime/coap -run TestFaults -v -coap.exchanges 10000
func TestFaults(t *testing.T) {
	n := *exchanges
	if testing.Short() {
		n = min(n, 200)
	}
	for i, mix := range faultMixes {
		t.Run(mix.name, func(t *testing.T) {
			seed := *faultSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			t.Logf("seed: -coap.seed %d", seed)
			synctest.Test(t, func(t *testing.T) {
				network := simnet.New(seed + uint64(i))
				if err := network.SetDefaultLink(mix.link); err != nil {
					t.Fatal(err)
				}
				f := newFaults(t, network, seed)
				f.partition = mix.partition
				f.run(n)
			})
		})
	}
}

// A side is one end of the exchanges.
type side struct {
	f       *faults
	name    string
	conn    *Conn
	sock    socket.Socket
	effects map[uint32]int // by exchange
	obs     *Observation
	ends    int
}

type faults struct {
	t         *testing.T
	network   *simnet.Network
	hosts     [2]*simnet.Host
	partition time.Duration
	rng       *rand.Rand
	s         *sched.Scheduler
	sides     [2]*side
	next      uint32
	active    int
	outcomes  map[uint32]int
	succeeded int
	failed    int
}

func newFaults(t *testing.T, network *simnet.Network, seed uint64) *faults {
	f := &faults{t: t, network: network, rng: rand.New(rand.NewPCG(seed, 2)), s: sched.New(), outcomes: map[uint32]int{}}
	f.hosts[0], f.hosts[1] = network.NewHost("device"), network.NewHost("server")
	listener, err := f.hosts[1].Listen(5683)
	if err != nil {
		t.Fatal(err)
	}
	dialed, err := f.hosts[0].Dialer().NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := dialed.Connect(t.Context(), socket.Endpoint{Host: "server", Port: 5683}); err != nil {
		t.Fatal(err)
	}
	f.addSide(0, "device", dialed, seed)
	// The listener accepts the other side by the first datagram.
	for f.sides[1] == nil {
		if err := dialed.Send([]byte{0}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if accepted, err := listener.Accept(ctx); err == nil {
			f.addSide(1, "server", accepted, seed)
		}
		cancel()
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *faults) addSide(i int, name string, sock socket.Socket, seed uint64) {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed|1)
	s[31] = byte(i)
	e, err := NewEndpoint(Config{Scheduler: f.s, Seed: s})
	if err != nil {
		f.t.Fatal(err)
	}
	sd := &side{f: f, name: name, sock: sock, effects: map[uint32]int{}}
	// Delays are up to MAX_LATENCY, as the RFC assumes.
	sd.conn, err = e.NewConn(ConnConfig{Socket: sock, Handler: sd, Params: Params{NStart: 4}, KeepOnTimeout: i == 0})
	if err != nil {
		f.t.Fatal(err)
	}
	sock.SetRecvDeadline(socket.NoWait())
	socket.Detect(sock).Notifier.NotifyReadable(f.s.Wake)
	f.sides[i] = sd
}

// step handles what has arrived and what is due, then sleeps.
func (f *faults) step() {
	for {
		n := 0
		for _, sd := range f.sides {
			k, err := sd.conn.Receive(100)
			if err != nil && !errors.Is(err, socket.ErrRefused) {
				f.t.Fatal(err)
			}
			n += k
		}
		n += f.s.Run()
		if n == 0 {
			break
		}
	}
	_ = f.s.Sleep(f.t.Context(), time.Hour)
}

func (f *faults) run(n int) {
	f.exchange(200) // so that both sides have allocated their buffers
	f.settle()
	before := heap()
	f.exchange(n)
	f.settle()
	after := heap()
	stats := f.sides[0].conn.Stats()
	f.t.Logf("%d succeeded, %d failed; device sent %d messages, %d retransmissions, received %d, %d of them again; heap %+d bytes",
		f.succeeded, f.failed, stats.MessagesSent, stats.Retransmissions, stats.MessagesReceived, stats.Repeated, after-before)
	if after-before > 64<<10 {
		f.t.Errorf("the heap has grown by %d bytes", after-before)
	}
	for _, sd := range f.sides {
		sd.conn.Close(nil)
		socket.Detect(sd.sock).Notifier.NotifyReadable(nil)
		if err := sd.sock.Close(); err != nil {
			f.t.Error(err)
		}
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// exchange runs n exchanges until they end.
func (f *faults) exchange(n int) {
	if f.partition > 0 {
		var cut, heal sched.Job
		cut.Func = func() {
			f.network.Cut(f.hosts[0], f.hosts[1])
			f.s.After(&heal, f.partition)
		}
		heal.Func = func() {
			f.network.Heal(f.hosts[0], f.hosts[1])
			f.s.After(&cut, 9*f.partition)
		}
		f.s.After(&cut, f.partition)
		defer func() {
			f.s.Cancel(&cut)
			f.s.Cancel(&heal)
			f.network.Heal(f.hosts[0], f.hosts[1])
		}()
	}
	last := f.next + uint32(n)
	for f.next < last || f.active > 0 {
		for f.next < last && f.active < 12 {
			f.begin(f.sides[f.rng.IntN(2)])
		}
		f.step()
	}
	for id := last - uint32(n); id < last; id++ {
		if f.outcomes[id] != 1 {
			f.t.Fatalf("exchange %d has %d outcomes", id, f.outcomes[id])
		}
	}
	for _, sd := range f.sides {
		for id, times := range sd.effects {
			if times > 1 {
				f.t.Fatalf("%s: request %d took effect %d times", sd.name, id, times)
			}
		}
	}
}

// settle waits until every lifetime has passed and checks that no state is left.
func (f *faults) settle() {
	over := false
	f.s.AfterFunc(20*time.Minute, func() { over = true })
	for !over {
		f.step()
	}
	for _, sd := range f.sides {
		if sd.obs != nil {
			sd.obs.Cancel()
			sd.obs = nil
		}
		for call, ok := sd.conn.calls.active.first(); ok; call, ok = sd.conn.calls.active.first() {
			call.Cancel() // an observation
		}
		c := sd.conn
		if left := leftovers(c); left != "" || len(c.datagrams.seen.ring)+c.e.Memory() != 0 {
			f.t.Fatalf("%s: left %s; %d remembered, %d bytes", sd.name, left, len(c.datagrams.seen.ring), c.e.Memory())
		}
		clear(sd.effects)
		sd.effects = map[uint32]int{}
	}
	if n := f.s.Len(); n != 0 {
		f.t.Fatalf("%d jobs are left", n)
	}
	f.outcomes = map[uint32]int{}
}

// large bodies need several blocks.
func (f *faults) body(id uint32) []byte {
	size := []int{0, 10, 900, 3000, 9000}[id%5]
	return binary.BigEndian.AppendUint32(bytes.Repeat([]byte{byte(id)}, size), id)
}

// begin starts one exchange by sd.
func (f *faults) begin(sd *side) {
	id := f.next
	f.next++
	f.active++
	other := f.sides[0]
	if sd == other {
		other = f.sides[1]
	}
	end := func(err error) {
		f.outcomes[id]++
		f.active--
		if err != nil {
			f.failed++
		} else {
			f.succeeded++
		}
	}
	if sd.obs != nil && !sd.obs.Ended() && f.rng.IntN(3) == 0 {
		err := sd.obs.Notify(&Notification{Response: Response{Code: Content, Body: f.body(id)}, Confirmable: f.rng.IntN(2) == 0, Done: end})
		if err != nil {
			f.t.Fatal(err)
		}
		return
	}
	call := &Call{Code: []Code{GET, PUT, POST, FETCH, DELETE}[f.rng.IntN(5)], NonConfirmable: f.rng.IntN(4) == 0, Timeout: 2 * time.Minute}
	call.Options.AddPath("/x")
	call.Options.AddQuery(fmt.Sprint(id))
	if call.Code != GET && call.Code != DELETE {
		call.Body = f.body(id)
	}
	call.Done = func(r Result) {
		end(r.Err)
		if r.Err == nil {
			f.judge(id, call, r, other)
		}
	}
	if call.Code == GET && f.rng.IntN(50) == 0 {
		call.Observe = func(Result) {}
	}
	if err := sd.conn.Do(call); err != nil {
		f.t.Fatal(err)
	}
}

// judge checks a success.
func (f *faults) judge(id uint32, call *Call, r Result, other *side) {
	switch {
	case r.Code == RequestEntityIncomplete || r.Code == ServiceUnavailable:
		return // a transfer that was idle for too long, or whose first block arrived again
	case r.Code != Content:
		f.t.Errorf("exchange %d was answered %v", id, r.Code)
	case call.Observe != nil: // the first response may be lost, and a notification arrive instead
	case !bytes.Equal(r.Body, f.body(id)):
		f.t.Errorf("exchange %d: the answer has %d other bytes", id, len(r.Body))
	case call.Code != GET && call.Code != FETCH && other.effects[id] != 1:
		f.t.Errorf("exchange %d was answered and took effect %d times", id, other.effects[id])
	}
}

func (sd *side) Head(*Request) {}

// Serve answers at once or later, with the body of the exchange.
func (sd *side) Serve(r *Request) {
	f := sd.f
	query, _ := r.Options().Get(OptionURIQuery)
	var id uint32
	if _, err := fmt.Sscan(string(query), &id); err != nil {
		f.t.Errorf("query %q: %v", query, err)
	}
	if !r.Code().isSafe() {
		sd.effects[id]++
	}
	if r.Code() != GET && r.Code() != DELETE && !bytes.Equal(r.Body(), f.body(id)) {
		f.t.Errorf("request %d has %d other bytes", id, len(r.Body()))
	}
	answer := func() {
		resp := &Response{Code: Content, Body: f.body(id), NonConfirmable: f.rng.IntN(4) == 0}
		if v, ok := r.Observe(); ok && v == ObserveRegister {
			o, err := r.RespondObserve(resp, sd)
			if err != nil {
				f.t.Error(err)
			}
			if sd.obs != nil {
				sd.obs.Cancel()
			}
			sd.obs = o
			return
		}
		if err := r.Respond(resp); err != nil {
			f.t.Error(err)
		}
	}
	if f.rng.IntN(3) > 0 {
		answer()
		return
	}
	f.s.AfterFunc(time.Duration(f.rng.Int64N(int64(10*time.Second))), answer)
}

func (sd *side) Cancelled(*Observation, ObserveEnd) { sd.ends++ }
