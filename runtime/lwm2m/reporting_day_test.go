package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// reportingDay is a day in the life of a device that measures every few seconds, sleeps two thirds
// of the time, and reports over a link that loses 30 % of the datagrams each way.
type reportingDay struct {
	*sender
	rand    *rand.Rand
	history *lwm2m.History
	next    int // the value to measure next
	// What was measured while the server could not be reached, and what the history got, each value
	// with its time.
	asleep, recorded map[string]bool

	observed string // the location of the registration that the observation belongs to
	ended    chan struct{}
	sends    sync.WaitGroup

	mu       sync.Mutex
	notified map[string]int // values with times, and how often they came
	last     string         // value without its time
	outcomes map[lwm2m.SendOutcome]int
}

// values returns the values of a report, each with its time if it has one.
func (d *reportingDay) values(a lwm2mtest.Answer) (texts []string, last string) {
	entries, err := a.Entries()
	if err != nil {
		d.t.Errorf("%v: %v", a, err)
	}
	for _, e := range entries {
		last = fmt.Sprint(e.Value)
		texts = append(texts, fmt.Sprintf("%v@%.6f", last, e.Time))
	}
	return texts, last
}

// observe observes the sensor unless the server observes it in the present registration.
func (d *reportingDay) observe() {
	location := d.dev.Registration().Location
	select {
	case <-d.ended:
	default:
		if location == d.observed {
			return
		}
	}
	d.observed = ""
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	o, a, err := d.dev.Observe(ctx, "/3303/0/5700", content.SenMLCBOR, "con=1")
	if err != nil || o == nil {
		return // lost: in the next cycle
	}
	d.observed, d.ended = location, make(chan struct{})
	_, value := d.values(a)
	d.mu.Lock()
	d.last = value
	d.mu.Unlock()
	go func(ended chan struct{}) {
		defer close(ended)
		for {
			a, err := o.Next(context.Background())
			if errors.Is(err, lwm2mtest.ErrEnded) {
				return
			}
			if err != nil || a.Code.IsError() {
				continue
			}
			texts, last := d.values(a)
			d.mu.Lock()
			for _, t := range texts {
				d.notified[t]++
			}
			d.last = last
			d.mu.Unlock()
		}
	}(d.ended)
}

// measure measures every few seconds. asleep says that the client stores what it measures.
func (d *reportingDay) measure(total time.Duration, asleep bool) {
	for end := time.Now().Add(total); time.Now().Before(end); {
		<-time.After(time.Duration(3000+d.rand.IntN(4000)) * time.Millisecond)
		d.next++
		d.measures(float64(d.next))
		text := fmt.Sprintf("%d@%.6f", d.next, float64(time.Now().UnixMicro())/1e6)
		if d.next%10 == 0 {
			d.history.Add(dm.FloatValue(float64(d.next)), time.Now())
			d.recorded[text] = true
		}
		if asleep {
			d.asleep[text] = true
		}
	}
}

// send sends the history.
func (d *reportingDay) send() {
	d.sends.Add(1)
	must(d.t, d.client.StartSend(1, historyBatch(d.history), func(r lwm2m.SendResult, _ error) {
		d.outcomes[r.Outcome]++
		d.sends.Done()
	}))
}

// registered reports whether the device is registered where the server observes it.
func (d *reportingDay) registered() bool {
	synctest.Wait()
	st, _ := d.client.Status().Server(1)
	return st.State == lwm2m.StateRegistered && d.observed != "" && st.Location == d.observed
}

func TestReportingForADay(t *testing.T) {
	if testing.Short() {
		t.Skip("a virtual day")
	}
	prepare := func(b *bench) { b.cfg.SendStored = true }
	onSender(t, prepare, func(s *sender) {
		d := &reportingDay{
			sender: s, rand: rand.New(rand.NewPCG(7, 7)), history: lwm2m.NewHistory(sensorValue, 500), next: 1000,
			asleep: map[string]bool{}, recorded: map[string]bool{}, notified: map[string]int{}, outcomes: map[lwm2m.SendOutcome]int{}, ended: make(chan struct{}),
		}
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: 40 * time.Millisecond, Loss: 0.3}))
		cycles := 0
		for day := time.Now(); time.Since(day) < 24*time.Hour; cycles++ {
			d.observe()
			d.measure(5*time.Minute, false)
			d.send()
			<-time.After(30 * time.Second)
			known := d.registered()
			d.client.Suspend()
			d.measure(10*time.Minute, known)
			d.client.Resume()
			<-time.After(time.Second)
		}
		d.settle()
		d.check(cycles)
		s.client.Shutdown()
		<-s.client.Done()
		if n := s.client.Sched().Len(); n != 0 || len(s.client.Sockets()) != 0 {
			t.Errorf("%d jobs and %d sockets are left over", n, len(s.client.Sockets()))
		}
	})
}

// settle waits, on the same link, until everything has arrived.
func (d *reportingDay) settle() {
	for range 30 {
		<-time.After(5 * time.Minute)
		d.observe()
		if d.history.Len() > 0 {
			d.send()
		}
		d.sends.Wait()
		st, _ := d.client.Status().Server(1)
		d.mu.Lock()
		last := d.last
		d.mu.Unlock()
		if st.Stored == 0 && d.history.Len() == 0 && last == fmt.Sprint(d.next) {
			return
		}
	}
}

func (d *reportingDay) check(cycles int) {
	d.t.Helper()
	st, _ := d.client.Status().Server(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != fmt.Sprint(d.next) {
		d.t.Errorf("the server has the value %s, want %d (%v)", d.last, d.next, st)
	}
	sent := map[string]bool{}
	for _, a := range d.dev.Sent() {
		texts, _ := d.values(a)
		for _, v := range texts {
			sent[v] = true
		}
	}
	missing, twice := 0, 0
	for v := range d.asleep {
		switch n := d.notified[v]; {
		case n == 0 && !sent[v]:
			missing++
		case n > 1:
			twice++
		}
	}
	if uint64(missing) > st.Dropped || st.Stored != 0 {
		d.t.Errorf("%d of %d values that were stored have not arrived, %d are counted as dropped, %d are still stored",
			missing, len(d.asleep), st.Dropped, st.Stored)
	}
	lost := 0
	for v := range d.recorded {
		if !sent[v] {
			lost++
		}
	}
	if uint64(lost) > d.history.Dropped() {
		d.t.Errorf("%d of %d values of the history have not arrived, %d are counted as dropped", lost, len(d.recorded), d.history.Dropped())
	}
	if got := len(d.outcomes); got == 0 || d.history.Len() > 0 {
		d.t.Errorf("%d values are left in the history; Sends: %v", d.history.Len(), d.outcomes)
	}
	registrations := 0
	for _, e := range d.server.Events() {
		if e.Kind == lwm2mtest.Registered {
			registrations++
		}
	}
	d.t.Logf("%d cycles, %d registrations; %d values stored, %d missing, %d came twice, %d dropped; Sends: %v", cycles,
		registrations, len(d.asleep), missing, twice, st.Dropped, d.outcomes)
}
