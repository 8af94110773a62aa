package coap

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A quota is a memory of limited size.
type quota struct{ used, limit int }

func (p *quota) charge(n int) bool {
	if p.used+n > p.limit {
		return false
	}
	p.used += n
	return true
}

func (p *quota) refund(n int) { p.used -= n }

// TestHistoryModel compares the history with a map under random use, with much and with little
// memory.
func TestHistoryModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, limit := range []int{1 << 30, 20000, 3000, 300, 0} {
		rng := rand.New(rand.NewPCG(seed, uint64(limit)))
		type known struct {
			expires sched.Time
			answer  []byte
		}
		var h history
		h.first, h.next = 1<<32-100, 1<<32-100 // numbers wrap around
		memory, model, now := &quota{limit: limit}, map[[2]uint32]known{}, sched.Time(0)
		found := 0
		for range 50000 {
			now += sched.Time(rng.IntN(5))
			mid, mark := uint16(rng.IntN(1500)), rng.Uint32N(2)
			key := [2]uint32{uint32(mid), mark}
			want, there := model[key]
			there = there && want.expires > now
			a := h.find(mid, mark, now)
			switch {
			case a != nil && !there:
				t.Fatalf("limit %d: %d is remembered and should not be", limit, mid)
			case a == nil && there && limit == 1<<30:
				t.Fatalf("limit %d: %d was forgotten", limit, mid)
			case a != nil:
				found++
				if got := h.answer(a); a.react == reactAnswer && got != nil && !bytes.Equal(got, want.answer) {
					t.Fatalf("limit %d: answer %x, want %x", limit, got, want.answer)
				} else if limit == 1<<30 && !bytes.Equal(got, want.answer) {
					t.Fatalf("answer %x was lost, have %x", want.answer, got)
				}
				continue
			}
			k := known{expires: now + 2000, answer: make([]byte, 1+rng.IntN(100))}
			for i := range k.answer {
				k.answer[i] = byte(rng.Uint32())
			}
			n := h.add(mid, mark, now, k.expires, memory)
			h.storeAnswer(n, k.answer, 1<<20, memory)
			model[key] = k
			if memory.used > limit {
				t.Fatalf("%d bytes of %d", memory.used, limit)
			}
			if rng.IntN(1000) == 0 {
				h.expire(now, memory)
			}
		}
		if limit >= 3000 && found == 0 {
			t.Errorf("limit %d: nothing was ever found", limit)
		}
		next, more := h.expire(now, memory)
		if limit > 300 && (!more || next <= now) {
			t.Errorf("limit %d: next %v at %v, %v", limit, next, now, more)
		}
		if _, more = h.expire(now+3000, memory); more || memory.used != 0 || h.ring != nil {
			t.Errorf("limit %d: %d bytes are left", limit, memory.used)
		}
	}
}

// BenchmarkIdleConn measures the memory of a connection without anything outstanding.
func BenchmarkIdleConn(b *testing.B) {
	const n = 10000
	e := newEndpoint(b, 1)
	w := &sink{}
	for b.Loop() {
		conns := make([]*Conn, n)
		before := heap()
		for i := range conns {
			c, err := e.NewConn(ConnConfig{Socket: w})
			if err != nil {
				b.Fatal(err)
			}
			conns[i] = c
		}
		b.ReportMetric(float64(heap()-before)/n, "heap-B/conn")
		if conns[0].Closed() != nil {
			b.Fatal("closed")
		}
	}
}
