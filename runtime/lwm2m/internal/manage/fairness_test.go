package manage

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/binaryappdatacontainer"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// crowd is a device of two servers, with many instances of an object that the first one observes
// often.
func crowd(tb testing.TB, instances, observations int, live bool) *rig {
	tb.Helper()
	o := device12
	o.servers = 2
	o.config = func(c *Config) { c.Limits.ObservedValues = 1 << 30 }
	r := newRig(tb, o)
	close(r.dev.release)
	t, err := r.model.Begin(context.Background(), dm.Application)
	r.must(err)
	r.must(t.Delete(dm.InstancePath(3303, 0))) // it has a slow function
	r.must(t.Commit())
	for i := range instances {
		value := dm.Float(float64(i))
		if live {
			value = dm.Func(func(context.Context) (float64, error) { r.dev.samples++; return float64(r.dev.samples), nil })
		}
		r.must(r.dev.things.Add(dm.InstanceID(i+10), temperature.Instance{SensorValue: value, ApplicationType: dm.Str("a")}))
	}
	r.observeOften("/3303", observations)
	return r
}

// observeOften begins so many observations of a node by the first server.
func (r *rig) observeOften(path string, observations int) {
	r.t.Helper()
	p := r.peers[0]
	// The server takes no more than the first block of each answer.
	for range observations {
		call := to("GET " + path).accepting(content.SenMLCBOR).call()
		call.Observe, call.Done = func(coap.Result) {}, func(coap.Result) {}
		r.must(p.conn.Do(call))
		// The scheduler runs only where it must: it would sample the observations that there are.
		for before := p.peer.Observations(); ; r.s.Run() {
			if _, err := p.end.Receive(1); err != nil {
				r.t.Fatal(err)
			}
			if p.peer.Observations() > before {
				break
			}
		}
		call.Cancel()
	}
	if n := p.peer.Observations(); n != observations {
		r.t.Fatalf("%d observations", n)
	}
	r.turn()
}

// Many observations of one server are sampled in slices, between which another server is served.
func TestSamplesAreDoneInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := crowd(t, 300, 40, true)
		before := r.dev.samples
		_ = r.s.Sleep(context.Background(), time.Second)
		r.s.Run() // the timers
		most := 0
		for n := before; ; n = r.dev.samples {
			r.s.Run()
			if most = max(most, r.dev.samples-n); r.dev.samples == n {
				break
			}
		}
		if all := r.dev.samples - before; most > 2*sliceValues || all < 300 || all > 40*300 {
			t.Errorf("%d of %d values in one round", most, all)
		}
	})
}

// Limits count what observations cost, and not their number alone.
func TestLimitOfObservedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.ObservedValues = 5 }
		r := newRig(t, o)
		p := r.peers[0]
		observe := func(path string, want int) {
			t.Helper()
			first, _, _ := p.watch(to("GET " + path).accepting(content.SenMLJSON))
			if n := p.peer.Observations(); first.code != coap.Content || n != want {
				t.Errorf("Observe of %s: %v, then %d observations, want %d", path, first.code, n, want)
			}
		}
		observe("/3303/1", 1) // 2 values
		observe("/3303/1", 2)
		observe("/3303/1", 2) // the limit is reached
		observe("/3303/1/5750", 3)
		p.peer.Reset()
		observe("/3303/1", 1)
	})
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.ObservedValues = 1 }
		r := newRig(t, o)
		if r.peers[0].watch(to("GET /3/0").accepting(content.SenMLJSON)); r.peers[0].peer.Observations() != 1 {
			t.Error("the first observation is refused")
		}
		if r.peers[0].peer.Close(); r.peers[0].peer.values.used != 0 {
			t.Errorf("%d values are left", r.peers[0].peer.values.used)
		}
	})
}

// One reading serves equal observations.
func TestEqualObservationsShareAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		for range 10 {
			r.peers[0].watch(to("GET /3303/0/5700").accepting(content.Text))
		}
		before := r.dev.samples
		r.dev.celsius = 40
		_ = r.s.Sleep(context.Background(), time.Second)
		for range 10 {
			r.s.Run()
		}
		if n := r.dev.samples - before; n != 1 {
			t.Errorf("%d calls for 10 equal observations", n)
		}
		// Another format is another reading.
		r.peers[0].watch(to("GET /3303/0/5700").accepting(content.SenMLJSON))
		before = r.dev.samples
		_ = r.s.Sleep(context.Background(), 2*time.Second)
		for range 10 {
			r.s.Run()
		}
		if n := r.dev.samples - before; n != 2 {
			t.Errorf("%d calls for two formats", n)
		}
	})
}

// BenchmarkOtherServersRead is the time of a Read of one server while another has 1,000
// observations of a large node that changes all the time, without the network.
func BenchmarkOtherServersRead(b *testing.B) {
	for _, live := range []bool{false, true} {
		b.Run(fmt.Sprint("live=", live), func(b *testing.B) {
			r := crowd(b, 2500, 1000, live)
			r.benchmarkOtherServer(b, func(n int) {
				r.must(r.dev.things.Update(context.Background(), 10+dm.InstanceID(n%2500), func(i *temperature.Instance) error {
					i.ApplicationType.Set(fmt.Sprint(n))
					return nil
				}))
			})
		})
	}
	// One reading of the node is not divided.
	b.Run("resource instances", func(b *testing.B) {
		const instances = 16_000
		o, data := device12, dm.EmptyMulti[[]byte]()
		for n := range dm.ResourceInstanceID(instances) {
			data.Set(n, []byte("data"))
		}
		o.servers = 2
		o.config = func(c *Config) { c.Limits.ObservedValues = 1 << 30 }
		container, err := binaryappdatacontainer.New(binaryappdatacontainer.Config{})
		if err == nil {
			err = container.Add(0, binaryappdatacontainer.Instance{Data: data})
		}
		if err != nil {
			b.Fatal(err)
		}
		o.world = func(w *world) { w.more = append(w.more, container) }
		r := newRig(b, o)
		r.observeOften("/19/0/0", 1000)
		r.benchmarkOtherServer(b, func(n int) {
			r.must(container.Update(context.Background(), 0, func(i *binaryappdatacontainer.Instance) error {
				i.Data.Set(dm.ResourceInstanceID(n%instances), fmt.Append(nil, n))
				return nil
			}))
		})
	})
}

// benchmarkOtherServer measures Reads of the second server; before each, change changes what the
// first server observes.
func (r *rig) benchmarkOtherServer(b *testing.B, change func(n int)) {
	p := r.peers[1]
	var took []time.Duration
	for n := 1; b.Loop(); n++ {
		b.StopTimer()
		change(n)
		b.StartTimer()
		start := time.Now()
		got, done := p.begin(to("GET /3/0/0").accepting(content.Text))
		for !*done {
			for _, c := range []*coap.Conn{r.peers[0].end, p.end, p.conn} {
				if _, err := c.Receive(1); err != nil {
					b.Fatal(err)
				}
			}
			r.s.Run()
		}
		took = append(took, time.Since(start))
		if got.body != "Acme" {
			b.Fatal(got.body)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1])/1e6, "max-ms")
}
