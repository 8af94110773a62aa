package coap

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A distance is a link of a given round-trip time and loss between the connection of a bench and a
// peer that acknowledges and answers everything.
type distance struct {
	b       *bench
	latency time.Duration // of one direction
	loss    float64
	rng     *rand.Rand
	turns   map[string]int // notifications by token, without retransmissions
	arrived map[string]int // the same that arrived
	seen    map[uint16]bool
	nons    []sched.Time // when non-confirmable notifications were sent
	updates []sched.Time // when requests were sent for the first time
	sent    int
	value   int // that notifications must have, if it is not 0
}

func newDistance(t testing.TB, rtt time.Duration, loss float64, cfg ConnConfig) *distance {
	d := &distance{
		b: newBench(t, cfg), latency: rtt / 2, loss: loss, rng: rand.New(rand.NewPCG(1, uint64(rtt))),
		turns: map[string]int{}, arrived: map[string]int{}, seen: map[uint16]bool{},
	}
	return d
}

// observe begins n observations of an ideal link, which ends then.
func (d *distance) observe(n int) (all []*Observation) {
	for i := range n {
		all = append(all, d.b.observe(uint16(i+1), string(rune('A'+i)), &cancels{}))
	}
	d.b.w.tap = d.send
	return all
}

// send is called with what the connection sends.
func (d *distance) send(datagram []byte) {
	d.sent++
	var m Message
	if err := m.ParseUDP(datagram); err != nil {
		d.b.t.Fatal(err)
	}
	d.b.w.sent = d.b.w.sent[:0]
	again := d.seen[m.MessageID]
	d.seen[m.MessageID] = true
	token := string(m.Token)
	if m.Code.IsResponse() && !again {
		if d.value > 0 && string(m.Payload) != fmt.Sprint(d.value) {
			d.b.t.Errorf("%s is sent when the value is %d", m.Payload, d.value)
		}
		d.turns[token]++
		if m.Type == NonConfirmable {
			d.nons = append(d.nons, d.b.s.Now())
		}
	}
	if m.Code.IsRequest() && !again {
		d.updates = append(d.updates, d.b.s.Now())
	}
	if d.rng.Float64() < d.loss {
		return
	}
	kind, mid, request := m.Type, m.MessageID, m.Code.IsRequest()
	d.b.s.AfterFunc(d.latency, func() {
		d.arrived[token]++
		if kind != Confirmable || d.rng.Float64() < d.loss {
			return
		}
		answer := []byte{0x60, 0, 0, 0}
		if request {
			answer[0], answer[1] = 0x68, byte(Changed)
			answer = append(answer, token...)
		}
		binary.BigEndian.PutUint16(answer[2:], mid)
		d.b.s.AfterFunc(d.latency, func() { _ = d.b.putBytes(answer) })
	})
}

// overDistances calls f for links of all kinds.
func overDistances(t *testing.T, f func(t *testing.T, rtt time.Duration, loss float64, n int)) {
	for _, rtt := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond, 2500 * time.Millisecond, 5 * time.Second} {
		for _, loss := range []float64{0, 0.1, 0.3} {
			for _, n := range []int{1, 3, 10, 50} {
				t.Run(fmt.Sprint(rtt, " loss ", loss, " observations ", n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { f(t, rtt, loss, n) })
				})
			}
		}
	}
}

// TestNotificationShares: each of many observations that change each second gets its share of the
// notifications, confirmable or not, and what is sent for the first time is the last change. Over
// links of 0.1 to 5 s and up to 30 % loss.
func TestNotificationShares(t *testing.T) {
	overDistances(t, func(t *testing.T, rtt time.Duration, loss float64, n int) {
		for _, confirmable := range []bool{true, false} {
			d := newDistance(t, rtt, loss, ConnConfig{KeepOnTimeout: true})
			all := d.observe(n)
			const seconds = 300
			d.value = 0
			for range seconds {
				d.value++
				for _, o := range all {
					x := note(fmt.Sprint(d.value), confirmable, nil)
					x.Replace = true
					x.Refresh = func(r *Response) { r.Body = fmt.Append(r.Body[:0], d.value) }
					if err := o.Notify(x); err != nil {
						t.Fatal(err)
					}
				}
				d.b.sleep(time.Second)
			}
			least, most := 1<<30, 0
			for _, o := range all {
				k := d.turns[string(o.Token())]
				least, most = min(least, k), max(most, k)
			}
			if least*10 < most*8 && most-least > 1 {
				t.Errorf("confirmable %v: from %d to %d notifications for an observation", confirmable, least, most)
			}
			if waits := d.b.c.notices.n; waits > n {
				t.Errorf("%d notifications wait for %d observations", waits, n)
			}
			if w := d.b.c.Stats().MessageIDWaits; w != 0 { // the limit leaves enough of them
				t.Errorf("%d waits for message IDs", w)
			}
			limit := min(rtt, unlimited)
			for i := 1; i < len(d.nons); i++ {
				if gap := d.nons[i].Sub(d.nons[i-1]); gap < limit {
					t.Fatalf("two non-confirmable notifications in %v, want at most one in %v", gap, limit)
				}
			}
			if loss == 0 && !confirmable {
				// As many as the limit allows.
				want := min(seconds*n, int(seconds*time.Second/max(rtt, time.Second/time.Duration(n))))
				if got := len(d.nons); got < want*8/10 {
					t.Errorf("%d non-confirmable notifications in %d s, want about %d", got, seconds, want)
				}
			}
			d.b.c.Close(nil)
			d.b.clean()
		}
	})
}

// TestUpdateAmongNotifications: a request of high priority leaves at once among confirmable and
// non-confirmable notifications, over the same links.
func TestUpdateAmongNotifications(t *testing.T) {
	overDistances(t, func(t *testing.T, rtt time.Duration, loss float64, n int) {
		d := newDistance(t, rtt, loss, ConnConfig{KeepOnTimeout: true})
		all := d.observe(n)
		answered := 0
		for second := range 600 {
			for i, o := range all {
				x := note("x", (i+second)%3 != 0, nil)
				x.Replace = true
				if err := o.Notify(x); err != nil {
					t.Fatal(err)
				}
			}
			if second%100 == 50 {
				before := len(d.updates)
				began := d.b.s.Now()
				err := d.b.c.Do(&Call{Code: POST, Priority: PriorityHigh, Done: func(r Result) {
					if r.Code == Changed {
						answered++
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				if len(d.updates) != before+1 || d.updates[before] != began {
					t.Fatal("the request has to wait")
				}
			}
			d.b.sleep(time.Second)
		}
		if loss == 0 && answered != 6 {
			t.Errorf("%d of 6 answered", answered)
		}
		d.b.c.Close(nil)
		d.b.clean()
	})
}

// BenchmarkNotifications measures what observations that change each second get over simulated
// links, in ten minutes of the scheduler's time: the least share of an observation as part of an
// equal one, in percent, datagrams a second, and how long a request of high priority waits until it
// is sent.
func BenchmarkNotifications(b *testing.B) {
	for _, rtt := range []time.Duration{100 * time.Millisecond, 900 * time.Millisecond, 5 * time.Second} {
		for _, loss := range []float64{0, 0.1, 0.3} {
			for _, n := range []int{1, 10, 50} {
				for _, kind := range []Type{Confirmable, NonConfirmable} {
					b.Run(fmt.Sprintf("rtt=%v/loss=%v/observations=%d/%v", rtt, loss, n, kind), func(b *testing.B) {
						for b.Loop() {
							benchmarkNotifications(b, rtt, loss, n, kind == Confirmable)
						}
					})
				}
			}
		}
	}
}

func benchmarkNotifications(b *testing.B, rtt time.Duration, loss float64, n int, confirmable bool) {
	const seconds = 600
	d := newDistance(b, rtt, loss, ConnConfig{KeepOnTimeout: true})
	all := d.observe(n)
	var waited sched.Time
	for second := range seconds {
		for _, o := range all {
			x := note("22.5", confirmable, nil)
			x.Replace = true
			if err := o.Notify(x); err != nil {
				b.Fatal(err)
			}
		}
		if second%60 == 30 {
			began := d.b.s.Now()
			d.b.update(POST)
			if len(d.updates) > 0 {
				waited = max(waited, d.updates[len(d.updates)-1]-began)
			}
		}
		d.leap(time.Second)
	}
	least, sum := 1<<30, 0
	for _, k := range d.turns {
		least, sum = min(least, k), sum+k
	}
	if len(d.turns) < n {
		least = 0
	}
	b.ReportMetric(100*float64(least*n)/float64(sum), "least-%")
	b.ReportMetric(float64(d.sent)/seconds, "datagrams/s")
	b.ReportMetric(float64(sum)/seconds, "notifications/s")
	b.ReportMetric(max(0, time.Duration(waited).Seconds()*1000), "update-wait-ms")
	d.b.c.Close(nil)
}

// leap lets time pass on the scheduler's clock alone.
func (d *distance) leap(t time.Duration) {
	s := d.b.s
	end := s.Now().Add(t)
	for {
		s.Run()
		next, ok := s.Next()
		now := s.Now()
		if !ok || next > end {
			s.Leap(end.Sub(now))
			return
		}
		s.Leap(next.Sub(now))
	}
}
