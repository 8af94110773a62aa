package coap

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// continueWith closes the connection and continues on another one, of a new process if restart.
func (b *bench) continueWith(saved []byte, restart bool, cfg ConnConfig) {
	b.t.Helper()
	b.c.Close(nil)
	if n := b.e.Memory(); n != 0 {
		b.t.Errorf("%d bytes are still accounted for", n)
	}
	if restart {
		b.e = newEndpoint(b.t, 3)
		b.s = b.e.sched
	}
	cfg.Saved = saved
	b.start(cfg)
}

// reconnectAndRestart runs a test with a connection that continues in the same process, and with
// one that continues in another.
func reconnectAndRestart(t *testing.T, test func(t *testing.T, restart bool)) {
	for name, restart := range map[string]bool{"reconnect": false, "restart": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, restart) })
		})
	}
}

// TestSavedHistory repeats requests on the next connection. Each is answered as it was on the
// first, with the same bytes, and none is served again.
func TestSavedHistory(t *testing.T) {
	reconnectAndRestart(t, func(t *testing.T, restart bool) {
		b := newBench(t, ConnConfig{})
		answers := map[uint16]func(*Request){
			1: content("piggybacked"),
			2: func(r *Request) { r.Acknowledge(); content("separate")(r) },
			3: (*Request).Reset,
		}
		var sent [4][]byte
		for mid := uint16(1); mid <= 3; mid++ {
			b.h.serve = answers[mid]
			b.put(request(Confirmable, POST, mid, "/3/0/4"))
			sent[mid], b.w.sent = b.w.sent[0], nil
		}
		b.h.serve = content("non-confirmable")
		b.put(request(NonConfirmable, POST, 4, "/3/0/4"))
		b.w.sent = nil

		b.continueWith(b.c.Save(), restart, ConnConfig{})
		for mid := uint16(1); mid <= 3; mid++ {
			b.put(request(Confirmable, POST, mid, "/3/0/4"))
			if len(b.w.sent) != 1 || !bytes.Equal(b.w.sent[0], sent[mid]) {
				t.Errorf("request %d: %x, was answered %x", mid, b.w.sent, sent[mid])
			}
			b.w.sent = nil
		}
		b.put(request(NonConfirmable, POST, 4, "/3/0/4"))
		b.silent()
		if b.h.calls != 4 {
			t.Errorf("%d requests were served, want 4", b.h.calls)
		}
		b.put(request(Confirmable, POST, 5, "/3/0/4"))
		b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 5})
	})
}

// TestSavedPending: a request whose response is lost with the connection is rejected when it is
// repeated, and served again if it changes nothing.
func TestSavedPending(t *testing.T) {
	reconnectAndRestart(t, func(t *testing.T, restart bool) {
		b := newBench(t, ConnConfig{})
		b.put(request(Confirmable, POST, 1, "/3/0/4"))
		b.put(request(Confirmable, GET, 2, "/3/0"))
		b.sleep(time.Second) // both are acknowledged
		b.put(request(Confirmable, POST, 3, "/3/0/5"))
		b.put(request(NonConfirmable, POST, 4, "/3/0/5"))
		b.w.sent = nil
		b.continueWith(b.c.Save(), restart, ConnConfig{})
		b.h.serve = content("again")
		b.put(request(Confirmable, POST, 1, "/3/0/4"))
		b.expect(Message{Type: Reset, MessageID: 1})
		b.put(request(Confirmable, GET, 2, "/3/0"))
		b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 2, Payload: []byte("again")})
		b.put(request(Confirmable, POST, 3, "/3/0/5"))
		b.expect(Message{Type: Reset, MessageID: 3})
		b.put(request(NonConfirmable, POST, 4, "/3/0/5"))
		b.silent()
		if b.h.calls != 5 {
			t.Errorf("%d requests were served, want 4 and the GET again", b.h.calls)
		}
	})
}

// TestSavedLifetime lets a part of the history expire between the two connections.
func TestSavedLifetime(t *testing.T) {
	reconnectAndRestart(t, func(t *testing.T, restart bool) {
		b := newBench(t, ConnConfig{})
		b.h.serve = content("x")
		for mid := range uint16(4) {
			b.put(request(Confirmable, POST, mid, "/1/0/8"))
			b.sleep(50 * time.Second) // the lifetime is 247 s
		}
		saved := b.c.Save()
		_ = sched.New().Sleep(t.Context(), 100*time.Second)
		b.continueWith(saved, restart, ConnConfig{})
		b.w.sent = nil
		for mid := range uint16(4) {
			b.put(request(Confirmable, POST, mid, "/1/0/8"))
		}
		want, left := 6, 98*time.Second // 0 and 1 are as old as 300 s and 250 s
		if restart {
			want, left = 4, 198*time.Second // the time between the processes does not count
		}
		if b.h.calls != want {
			t.Errorf("served %d times, want %d", b.h.calls, want)
		}
		b.sleep(left) // the last one is as old as 248 s
		if b.put(request(Confirmable, POST, 3, "/1/0/8")); b.h.calls != want+1 {
			t.Errorf("served %d times, want %d", b.h.calls, want+1)
		}
		b.sleep(247 * time.Second)
		if n := b.e.Memory(); n != 0 {
			t.Errorf("%d bytes are kept after the lifetime", n)
		}
	})
}

// withoutChecksum removes the checksum of a blob.
func withoutChecksum(saved []byte) []byte { return saved[:len(saved)-checksumBytes] }

// shiftWall changes the time of the wall clock at which a blob was saved.
func shiftWall(saved []byte, d time.Duration) []byte {
	r := savedReader{b: saved}
	at := r.begin(saved[0])
	at.wall += int64(d)
	return appendChecksum(append(at.append([]byte{saved[0]}), r.b...))
}

// TestSavedClock sets the wall clock between the two connections, which makes nothing expire early.
func TestSavedClock(t *testing.T) {
	for _, c := range []struct {
		restart bool
		shift   time.Duration // of the wall clock
	}{{false, -24 * time.Hour}, {false, 24 * time.Hour}, {true, -24 * time.Hour}, {true, 240 * time.Second}, {true, 24 * time.Hour}} {
		t.Run(fmt.Sprintf("%v/%v", c.restart, c.shift), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, ConnConfig{})
				b.h.serve = content("x")
				b.put(request(Confirmable, POST, 1, "/1/0/8"))
				b.continueWith(shiftWall(b.c.Save(), -c.shift), c.restart, ConnConfig{})
				b.put(request(Confirmable, POST, 1, "/1/0/8"))
				if b.h.calls != 1 {
					t.Error("forgotten")
				}
				b.sleep(248 * time.Second)
				b.put(request(Confirmable, POST, 1, "/1/0/8"))
				if b.h.calls == 1 {
					t.Error("remembered for longer than the lifetime")
				}
			})
		})
	}
}

// TestSavedMessageIDs uses message IDs of all kinds over many reconnects and restarts, and checks
// that none is used again within its lifetime.
func TestSavedMessageIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		b := newBench(t, ConnConfig{})
		var until [1 << 16]time.Time
		used := 0
		for round := range 400 {
			for range rng.IntN(1000) {
				kind := midKind(rng.IntN(int(midKinds)))
				mid, _, ok := b.c.datagrams.mids.allocate(kind, b.s.Now(), midLifetimes[kind])
				if !ok {
					continue
				}
				if used++; time.Now().Before(until[mid]) {
					t.Fatalf("round %d: %#x is used again %v too early", round, mid, time.Until(until[mid]))
				}
				until[mid] = time.Now().Add(time.Duration(midLifetimes[kind]))
			}
			saved := b.c.Save()
			_ = sched.New().Sleep(t.Context(), time.Duration(rng.IntN(5000))*time.Millisecond)
			b.continueWith(saved, rng.IntN(2) == 0, ConnConfig{})
		}
		if used < 100_000 {
			t.Errorf("only %d message IDs were used", used)
		}
	})
}

// TestSavedState: what a connection continues with is what was saved.
func TestSavedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saved := richConn(t).c.Save()
		b := newBench(t, ConnConfig{Saved: saved})
		again := b.c.Save()
		first, _ := parseSaved(saved)
		second, ok := parseSaved(again)
		second.saveTime = first.saveTime
		if got, want := fmt.Sprint(second), fmt.Sprint(first); !ok || got != want {
			t.Errorf("continues with\n%s, saved\n%s", got, want)
		}
		if p := b.c.pace; !p.known || p.rtt != sched.Time(700*time.Millisecond) || p.lastNon == never {
			t.Errorf("pace %+v", p)
		}
	})
}

// richConn returns a connection with something of everything that is saved.
func richConn(t testing.TB) *bench {
	b := newBench(t, ConnConfig{MaxHistory: 8192})
	o := b.observe(1, "tk", &cancels{})
	o.Notify(note("one", true, nil))
	m := b.take()
	if tt, ok := t.(*testing.T); ok {
		_ = sched.New().Sleep(tt.Context(), 700*time.Millisecond)
	}
	b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
	o.Notify(note("two", false, nil))
	b.h.serve = content("answer")
	b.put(request(Confirmable, POST, 2, "/3/0/4"))
	b.put(request(Confirmable, GET, 3, "/3/0/4"))
	b.h.serve = (*Request).Reset
	b.put(request(Confirmable, GET, 4, "/3/0/4"))
	b.h.serve = nil
	b.put(request(Confirmable, PUT, 5, "/3/0/4")) // waits for its response
	b.put(request(NonConfirmable, POST, 6, "/3/0/4"))
	for range midShareSize + 10 {
		_, _, _ = b.c.datagrams.mids.allocate(midNon, b.s.Now(), nonLifetime)
	}
	_, _, _ = b.c.datagrams.mids.allocate(midHigh, b.s.Now(), exchangeLifetime)
	for mid := uint16(100); mid < 110; mid++ { // the first answers are dropped
		b.c.datagrams.seen.storeAnswer(b.c.datagrams.seen.add(&Message{MessageID: mid}, b.s.Now()), pattern(700))
	}
	return b
}

// TestSavedLimits: what continues is bounded and accounted for like anything else, and the newest
// remains.
func TestSavedLimits(t *testing.T) {
	b := newBench(t, ConnConfig{})
	b.h.serve = content("answer")
	for mid := range uint16(1000) {
		b.put(request(Confirmable, POST, mid, "/1/0/8"))
	}
	saved := b.c.Save()
	b.continueWith(saved, true, ConnConfig{MaxHistory: 2048})
	if n := b.e.Memory(); n > 2048 || n != b.c.datagrams.seen.charged {
		t.Errorf("%d bytes are accounted for", n)
	}
	b.put(request(Confirmable, POST, 999, "/1/0/8"))
	b.put(request(Confirmable, POST, 0, "/1/0/8"))
	if b.h.calls != 1001 {
		t.Errorf("served %d times, want the oldest again", b.h.calls)
	}
	b.c.Close(nil)
	e := newEndpoint(t, 4)
	e.maxMemory = 100
	c, err := e.NewConn(ConnConfig{Socket: b.w, Saved: saved})
	if err != nil || e.Memory() > 100 {
		t.Errorf("%v, %d bytes", err, e.Memory())
	}
	if c.cfg.Saved != nil {
		t.Error("the blob is kept")
	}
	c.Close(nil)
	if e.Memory() != 0 || e.sched.Len() != 0 {
		t.Errorf("%d bytes, %d jobs are left", e.Memory(), e.sched.Len())
	}
}

// TestSavedDamaged: a blob that is cut off, changed, or of another version, is ignored.
func TestSavedDamaged(t *testing.T) {
	b := richConn(t)
	saved := b.c.Save()
	s, ok := parseSaved(saved)
	if !ok || len(s.arrivals) < 10 {
		t.Fatalf("%v, %d entries", ok, len(s.arrivals))
	}
	for n := range len(saved) {
		if _, ok := parseSaved(saved[:n]); ok {
			t.Errorf("%d of %d bytes pass for a blob", n, len(saved))
		}
		changed := bytes.Clone(saved)
		changed[n] ^= 4
		if _, ok := parseSaved(changed); ok {
			t.Errorf("byte %d of %d is changed without notice", n, len(saved))
		}
	}
	saved[0]++
	b.continueWith(appendChecksum(withoutChecksum(saved)), true, ConnConfig{})
	if b.c.observations.continued || b.c.datagrams.seen.charged != 0 {
		t.Error("continued from another version")
	}
}

func TestSaveOfStreamAndClosed(t *testing.T) {
	st := newStreamBench(t, ConnConfig{Saved: richConn(t).c.Save()}, csmBlockWise, "")
	if st.c.Save() != nil {
		t.Error("a stream has a blob")
	}
	if _, err := st.c.Restore(richConn(t).c.observations.head.value.Save(), &cancels{}); !errors.Is(err, ErrUsage) {
		t.Errorf("Restore over a stream: %v", err)
	}
	b := newBench(t, ConnConfig{})
	b.c.Close(nil)
	if b.c.Save() != nil {
		t.Error("a closed connection has a blob")
	}
}

// FuzzSaved continues a connection from any bytes, uses it, and closes it.
func FuzzSaved(f *testing.F) {
	f.Add(withoutChecksum(richConn(f).c.Save()))
	f.Add(withoutChecksum(newBench(f, ConnConfig{}).c.Save()))
	f.Fuzz(func(t *testing.T, saved []byte) {
		e := newEndpoint(t, 1)
		e.maxMemory = 1 << 20
		w := &wire{kind: socket.Datagram, mtu: 1232}
		cfg := ConnConfig{Socket: w, Saved: appendChecksum(saved), MaxHistory: 1 << 16}
		cfg.Handler = &script{serve: content("x")}
		c, err := e.NewConn(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if n := e.Memory(); n > 1<<16 {
			t.Fatalf("%d bytes", n)
		}
		for mid := range uint16(3) {
			m, _ := (&Message{Type: Confirmable, Code: POST, MessageID: mid}).AppendUDP(nil)
			c.Handle(m)
		}
		_ = c.Do(&Call{Code: GET, Done: func(Result) {}})
		for kind := range midKinds {
			_, _, _ = c.datagrams.mids.allocate(kind, e.sched.Now(), exchangeLifetime)
		}
		if _, ok := parseSaved(c.Save()); !ok {
			t.Fatal("what was saved again cannot be read")
		}
		c.Close(nil)
		if e.Memory() != 0 || e.sched.Len() != 0 {
			t.Fatalf("%d bytes and %d jobs left", e.Memory(), e.sched.Len())
		}
	})
}

// BenchmarkSave saves a connection with a history of so many requests.
func BenchmarkSave(b *testing.B) {
	for _, n := range []int{0, 10, 1000} {
		c := newBench(b, ConnConfig{})
		c.h.serve = content("an answer of 25 characters")
		for mid := range uint16(n) {
			c.put(request(Confirmable, POST, mid, "/1/0/8"))
		}
		saved := c.c.Save()
		b.Run(fmt.Sprint("save/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				saved = c.c.Save()
			}
			b.ReportMetric(float64(len(saved)), "B/blob")
		})
		b.Run(fmt.Sprint("continue/", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				next, err := c.e.NewConn(ConnConfig{Socket: c.w, Saved: saved})
				if err != nil {
					b.Fatal(err)
				}
				next.Close(nil)
			}
		})
	}
}
