package manage

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// notifying returns a function that changes a live value and lets one notification of it arrive,
// both ends' CoAP and the in-memory network included.
func notifying(tb testing.TB, query string) func() {
	tb.Helper()
	fast := coap.Params{AckTimeout: 1e6, MaxLatency: 1e3, MaxRetransmit: 1, NStart: 64}
	o := device12
	o.conn = func(c *coap.ConnConfig) { c.Params = fast }
	r := newRig(tb, o)
	p := r.peers[0]
	r.must(p.conn.SetParams(fast))
	arrived := 0
	call := to("GET /3303/0/5700" + query).accepting(content.Text).call()
	call.Done, call.Observe = func(coap.Result) {}, func(coap.Result) { arrived++ }
	r.must(p.conn.Do(call))
	for range 10 {
		r.turn()
	}
	path := dm.ResourcePath(3303, 0, 5700)
	state := r.model.Snapshot()
	return func() {
		r.dev.celsius++
		r.self.markChanged(state, path, nil)
		for before := arrived; arrived == before; {
			r.turn()
		}
	}
}

// A notification of one resource allocates nothing, at the server's end neither.
func TestNotificationAllocations(t *testing.T) {
	for _, query := range []string{"?con=1", "?con=1&st=0.5"} {
		once := notifying(t, query)
		for range 30 { // the first ones are kept for repetitions
			once()
		}
		if n := testing.AllocsPerRun(30, once); n > 0 {
			t.Errorf("%q: %v allocations", query, n)
		}
	}
}

// BenchmarkNotification is a notification of one resource; the pace of notifications bounds its
// time.
func BenchmarkNotification(b *testing.B) {
	for _, query := range []string{"", "?st=0.5"} {
		b.Run("Attributes"+query, func(b *testing.B) {
			once := notifying(b, query)
			b.ReportAllocs()
			for b.Loop() {
				once()
			}
		})
	}
}

// observers is a device of 1,000 stored resources with observations spread over them, on which no
// notification is sent: the conditions are not met.
func observers(tb testing.TB, observations int) *rig {
	tb.Helper()
	o := device12
	o.config = func(c *Config) { c.Limits.Observations, c.Limits.Attributes = 1<<20, 1<<20 }
	o.conn = func(c *coap.ConnConfig) { c.MaxObservations, c.MaxQueue = 1<<20, 1<<20 }
	r := newRig(tb, o)
	for i := range 1000 {
		r.must(r.dev.things.Add(dm.InstanceID(i+10), temperature.Instance{SensorValue: dm.Float(float64(i))}))
	}
	r.turn()
	r.observe(observations)
	return r
}

// observe begins observations with attributes, of which the server keeps nothing.
func (r *rig) observe(observations int) {
	p := r.peers[0]
	for i := range observations {
		call := to(fmt.Sprintf("GET /3303/%d/5700?pmin=1&gt=1e6&st=1e6", i%1000+10)).accepting(content.Text).call()
		call.Observe, call.Done = func(coap.Result) {}, func(coap.Result) {}
		r.must(p.conn.Do(call))
		for p.peer.Observations() == i {
			_, err := p.end.Receive(1)
			r.must(err)
			r.s.Run()
		}
		call.Cancel()
		_, _ = p.conn.Receive(10)
	}
}

// BenchmarkChange is a change of one of 1,000 resources that are observed 100, 1,000 or 10,000
// times: its cost depends on the observations of that resource alone.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n, "Observations"), func(b *testing.B) {
			r := observers(b, n)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				r.must(r.dev.things.Update(context.Background(), dm.InstanceID(i%100+10), func(x *temperature.Instance) error {
					x.SensorValue.Set(float64(i))
					return nil
				}))
				r.s.Run()
			}
		})
	}
}

// BenchmarkObservationMemory reports what an observation with attributes costs in memory, that of
// package coap included: what is released when all of them end. The responses to the requests that
// began them are kept for repetitions, and are not counted.
func BenchmarkObservationMemory(b *testing.B) {
	const n = 10_000
	heap := func() uint64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for b.Loop() {
		r := observers(b, 0)
		r.observe(n)
		with := heap()
		r.peers[0].peer.Reset()
		if left := r.peers[0].peer.Observations(); left != 0 {
			b.Fatalf("%d observations are left", left)
		}
		b.ReportMetric(float64(with-heap())/n, "B/observation")
		runtime.KeepAlive(r)
	}
}
