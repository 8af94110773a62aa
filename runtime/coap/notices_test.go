package coap

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// TestWaitingNotificationsAreAccountedFor: what waits counts against the memory budget, and nothing
// is left when it is sent, replaced or cancelled.
func TestWaitingNotificationsAreAccountedFor(t *testing.T) {
	b := newBench(t, ConnConfig{MaxQueue: 10000})
	ends := &cancels{}
	o, p := b.observe(1, "o", ends), b.observe(2, "p", ends)
	before := b.e.Memory()
	outcomes := map[error]int{}
	busy := 0
	for i := range 1000 {
		n := note(string(pattern(100000)), true, func(err error) { outcomes[err]++ })
		if err := []*Observation{o, p}[i%2].Notify(n); err != nil {
			wantErr(t, err, ErrBusy)
			busy++
		}
	}
	if used := b.e.Memory(); used > defaultMaxMemory || busy < 100 {
		t.Errorf("%d bytes in use, %d refused", used, busy)
	}
	sources := 0
	for range 3 {
		src := newSource(pattern(10))
		n := &Notification{Replace: true, Done: func(err error) { outcomes[err]++; sources += src.closed }}
		n.Code, n.Source, n.SourceSize = Content, src, 10
		if err := p.Notify(n); err != nil {
			t.Fatal(err)
		}
	}
	if p.deliveries.n != 1 {
		t.Errorf("%d notifications wait after Replace", p.deliveries.n)
	}
	o.Cancel()
	p.Cancel()
	if sources != 3 || outcomes[ErrSuperseded]+outcomes[ErrCancelled]+outcomes[nil] != 1003-busy {
		t.Errorf("%d sources closed, outcomes %v, %d refused", sources, outcomes, busy)
	}
	b.c.Close(nil)
	if b.e.Memory() != 0 || before == 0 {
		t.Errorf("%d bytes are still accounted for", b.e.Memory())
	}
}

// TestNotificationsOverStreamWait: while the peer does not read, the newest value waits and not all
// of them.
func TestNotificationsOverStreamWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newStreamBench(t, ConnConfig{}, csmBlockWise, "")
		var o *Observation
		b.h.serve = func(r *Request) { o, _ = r.RespondObserve(&Response{Code: Content}, &cancels{}) }
		b.put(Message{Code: GET, Token: []byte("tk"), Options: options(OptionObserve, "")})
		b.expect(Message{Code: Content})
		b.w.err = socket.ErrBusy
		var results []error
		for i := range 100 {
			n := note(fmt.Sprint(i), false, func(err error) { results = append(results, err) })
			n.Replace = true
			if err := o.Notify(n); err != nil {
				t.Fatal(err)
			}
		}
		b.w.err = nil
		b.sleep(time.Second)
		b.expect(Message{Code: Content, Payload: []byte("0")}) // the stream had accepted it
		b.expect(Message{Code: Content, Payload: []byte("99")})
		b.silent()
		if len(results) != 100 {
			t.Errorf("%d outcomes", len(results))
		}
	})
}

// TestMessageIDsLast: 500 observations that change each second, over a fast link, never use up the
// message IDs: notifications slow down before, and an Update and a De-register leave at once.
func TestMessageIDsLast(t *testing.T) {
	for _, confirmable := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var slow []bool
			d := newDistance(t, 0, 0, ConnConfig{MaxObservations: 500, OnSlowdown: func(s bool) { slow = append(slow, s) }})
			all := d.observe(500)
			lowest := 1 << 16
			for second := range 300 {
				for i, o := range all {
					n := note("x", confirmable, nil)
					n.Replace = true
					if err := o.Notify(n); err != nil {
						t.Fatal(err)
					}
					if i%100 == 0 {
						d.b.s.Run()
					}
				}
				if second%20 == 0 {
					before := len(d.updates)
					d.b.update(POST)
					if len(d.updates) != before+1 {
						t.Fatalf("second %d: the Update has to wait", second)
					}
				}
				d.b.sleep(time.Second)
				lowest = min(lowest, d.b.c.MessageIDs())
			}
			if lowest < 1 {
				t.Errorf("confirmable %v: %d message IDs were left", confirmable, lowest)
			}
			if len(slow) == 0 || !slow[0] {
				t.Errorf("confirmable %v: the slowdown is reported as %v", confirmable, slow)
			}
			if w := d.b.c.Stats().MessageIDWaits; w == 0 {
				t.Error("no wait is counted")
			}
			least, most := 1<<30, 0
			for _, k := range d.turns {
				least, most = min(least, k), max(most, k)
			}
			if least*10 < most*8 {
				t.Errorf("confirmable %v: from %d to %d notifications for an observation", confirmable, least, most)
			}
			d.b.c.Close(nil)
		})
	}
}

// TestNotifyInCallbacks: outcomes may begin further notifications, also while the connection
// closes, and each has one outcome or one error.
func TestNotifyInCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, failing := range []bool{false, true} {
			b := newBench(t, ConnConfig{KeepOnTimeout: true})
			o, p := b.observe(1, "o", &cancels{}), b.observe(2, "p", &cancels{})
			began, ended, depth := 0, 0, 0
			var notify func(o *Observation)
			notify = func(o *Observation) {
				if depth == 50 {
					return
				}
				depth++
				n := note("x", depth%3 == 0, nil)
				n.Replace = depth%2 == 0
				done := false
				n.Done = func(error) {
					if done {
						t.Error("a second outcome")
					}
					done = true
					ended++
					notify(p)
					notify(o)
				}
				began++
				if err := o.Notify(n); err != nil {
					if done {
						t.Error("an outcome and an error")
					}
					done = true
					ended++
				}
			}
			if failing {
				b.w.err = socket.ErrReset
			}
			notify(o)
			b.sleep(time.Second)
			depth = 0
			notify(p)
			b.sleep(10 * time.Second)
			depth = 0
			b.c.Close(nil)
			if began != ended || began < 3 {
				t.Errorf("%d began, %d ended", began, ended)
			}
			b.clean()
		}
	})
}

func TestPushBefore(t *testing.T) {
	var l list[int]
	var nodes [8]node[int]
	for i, v := range []int{5, 3, 9, 1, 9, 4, 5, 0} {
		l.pushBefore(&nodes[i], v, func(other int) bool { return other > v })
	}
	var forward, back []int
	for n := l.head; n != nil; n = n.next {
		forward = append(forward, n.value)
	}
	for n := l.tail; n != nil; n = n.prev {
		back = append(back, n.value)
	}
	if fmt.Sprint(forward) != "[0 1 3 4 5 5 9 9]" || fmt.Sprint(back) != "[9 9 5 5 4 3 1 0]" || l.n != 8 {
		t.Errorf("%v, %v", forward, back)
	}
}

func TestPace(t *testing.T) {
	p := newPace()
	second := sched.Time(time.Second)
	p.measure(10*second, 3) // cannot be assigned to a transmission
	if p.known {
		t.Error("a message that was transmitted four times was measured")
	}
	p.measure(4*second, 1)
	p.measure(2*second, 0)
	if p.rtt != 3*second {
		t.Errorf("%v", time.Duration(p.rtt))
	}
	p.measure(7*second, 2)
	if p.rtt != 4*second || p.interval() != 4*second {
		t.Errorf("%v", time.Duration(p.rtt))
	}
	for range measureSlowAfter {
		if p.mustMeasure() {
			t.Error("measured too early")
		}
		p.onSent(0, false)
	}
	if !p.mustMeasure() {
		t.Error("a long round-trip time must be measured again soon")
	}
}
