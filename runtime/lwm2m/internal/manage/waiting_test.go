package manage

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// busy holds the writer slot until the test is done with it, as an Update of the application's would.
func (r *rig) busy() (release func()) {
	r.t.Helper()
	t, err := r.model.Begin(context.Background(), dm.Application)
	r.must(err)
	return t.Rollback
}

func TestBusySlotDefersOnlyChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		release := r.busy()
		first, done1 := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "one"))
		second, done2 := r.peers[1].begin(to("PUT /3303/1/5750").as(content.Text, "two"))
		r.pass(5 * time.Second)
		if *done1 || *done2 {
			t.Fatal("a write was answered while the slot was taken")
		}
		start := r.s.Now()
		for _, p := range r.peers {
			if got := p.text("/3303/1/5750"); got != "fridge" {
				t.Errorf("meanwhile %q is read", got)
			}
			if got := p.do(to("POST /3/0/4")); got.code != coap.Changed {
				t.Errorf("meanwhile Execute is %v", got.code)
			}
			if got := p.do(to("PUT /3/0?pmin=1")); got.code != coap.Changed {
				t.Errorf("meanwhile Write-Attributes is %v", got.code)
			}
		}
		if r.s.Now() != start {
			t.Errorf("others waited %v", r.s.Now().Sub(start))
		}
		release()
		r.until(func() bool { return *done1 && *done2 })
		if first.code != coap.Changed || second.code != coap.Changed {
			t.Errorf("answered %v and %v", first.code, second.code)
		}
		if got := r.peers[0].text("/3303/1/5750"); got != "two" {
			t.Errorf("at the end %q: not in the order of arrival", got)
		}
		if !r.m.Idle() {
			t.Error("something is left")
		}
	})
}

func TestBusySlotHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Pending = 3; c.Limits.Patience = 10 * time.Second }
		r := newRig(t, o)
		release := r.busy()
		var got []*reply
		var done []*bool
		for range 4 {
			a, d := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
			got, done = append(got, a), append(done, d)
		}
		r.pass(9 * time.Second)
		if !*done[3] || got[3].code != coap.ServiceUnavailable || *done[0] {
			t.Errorf("the one too many: %v %v", *done[3], got[3].code)
		}
		r.pass(2 * time.Second)
		for i := range 3 {
			if !*done[i] || got[i].code != coap.ServiceUnavailable {
				t.Errorf("request %d is not given up: %v %v", i, *done[i], got[i].code)
			}
		}
		if !r.m.Idle() {
			t.Error("what is given up still counts")
		}
		release()
		r.pass(time.Minute)
		if v := r.peers[0].text("/3303/1/5750"); v != "fridge" {
			t.Errorf("a request that was refused was carried out: %q", v)
		}
	})
}

func TestWaitingRequestsEndWithTheirServer(t *testing.T) {
	for _, how := range []string{"detached", "removed", "closed"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, device12)
				release := r.busy()
				_, done := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
				r.pass(time.Second)
				switch how {
				case "detached":
					r.peers[0].peer.Detach()
				case "removed":
					r.peers[0].peer.Close()
				case "closed":
					r.m.Close()
				}
				release()
				r.pass(time.Minute)
				if *done {
					t.Error("the request was answered")
				}
				// The slot is free, and nothing was written.
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if err := r.dev.things.Update(ctx, 1, func(i *temperature.Instance) error {
					if v, _ := i.ApplicationType.Get(); v != "fridge" {
						t.Errorf("now %q", v)
					}
					return nil
				}); err != nil {
					t.Errorf("the slot was not given back: %v", err)
				}
			})
		})
	}
}

// TestGrantedToNobody closes the manager between a turn's coming and the loop's taking it.
func TestGrantedToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		release := r.busy()
		r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Second)
		release() // posts, and nobody runs the scheduler
		r.m.Close()
		if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
			t.Error("the slot was not given back")
		}
	})
}

func TestSlowFunctionsHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		slow, doneSlow := r.peers[0].begin(to("GET /3303/0/5601").accepting(content.Text))
		exec, doneExec := r.peers[0].begin(to("POST /3303/0/5605"))
		object, doneObject := r.peers[0].begin(to("GET /3303").accepting(content.SenMLJSON))
		r.pass(10 * time.Second)
		start := r.s.Now()
		for _, p := range r.peers {
			if got := p.text("/3/0/0"); got != "Acme" {
				t.Errorf("meanwhile %q is read", got)
			}
			if got := p.do(to("PUT /3303/1/5750").as(content.Text, "x")); got.code != coap.Changed {
				t.Errorf("meanwhile a write is %v", got.code)
			}
		}
		if r.s.Now() != start {
			t.Error("others waited")
		}
		if *doneSlow || *doneExec || *doneObject {
			t.Fatal("answered before the functions returned")
		}
		if r.m.Idle() {
			t.Error("idle, while functions run")
		}
		if n := r.peers[0].conn.Stats().Retransmissions; n != 0 {
			t.Errorf("the requests were not acknowledged: %d retransmissions", n)
		}
		close(r.dev.release)
		r.until(func() bool { return *doneSlow && *doneExec && *doneObject })
		if slow.body != "-3.5" || exec.code != coap.Changed || !strings.Contains(object.body, `"n":"5750","vs":"fridge"`) {
			t.Errorf("answered %q, %v and %q; the object must be as it was when it was asked for", slow.body, exec.code, object.body)
		}
		if !r.m.Idle() {
			t.Error("something is left")
		}
	})
}

// A server need not wait for the acknowledgement of what will take long.
func TestSlowRequestsAreAcknowledgedAtOnce(t *testing.T) {
	for _, line := range []string{"GET /3303/0/5601", "POST /3303/0/5605"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			_, done := r.peers[0].begin(to(line))
			r.pass(0)
			if n := r.peers[0].end.Stats().MessagesSent; n != 1 || *done {
				t.Errorf("%s: %d messages at once, answered %v", line, n, *done)
			}
			close(r.dev.release)
			r.until(func() bool { return *done })
		})
	}
}

func TestSlowRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Pending = 1 }
		r := newRig(t, o)
		_, done := r.peers[0].begin(to("GET /3303/0/5601"))
		r.pass(time.Second)
		if got := r.peers[0].do(to("GET /3303/0/5601")); got.code != coap.ServiceUnavailable {
			t.Errorf("a further Read is %v", got.code)
		}
		if got := r.peers[0].do(to("POST /3303/0/5605")); got.code != coap.ServiceUnavailable {
			t.Errorf("a further Execute is %v", got.code)
		}
		close(r.dev.release)
		r.until(func() bool { return *done })
	})
}

func TestStoreRunsOnAWorker(t *testing.T) {
	for _, failing := range []error{nil, errors.New("disk full, hunter2")} {
		synctest.Test(t, func(t *testing.T) {
			gate, stored := make(chan struct{}), 0
			o := device12
			o.servers = 2
			o.persist = func(ctx context.Context, c dm.Committed) error {
				if dm.OriginFrom(ctx) != dm.Server(1) {
					return nil
				}
				<-gate
				stored++
				return failing
			}
			r := newRig(t, o)
			got, done := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
			_, notes, _ := r.peers[1].watch(to("GET /3303/1/5750").accepting(content.Text))
			r.pass(5 * time.Second)
			if *done || r.peers[1].text("/3303/1/5750") != "fridge" {
				t.Fatal("it is seen or answered before it is stored")
			}
			if r.m.Idle() {
				t.Error("idle, while it is being stored")
			}
			close(gate)
			r.until(func() bool { return *done })
			r.pass(time.Second)
			want, code, told := "x", coap.Changed, 1
			if failing != nil {
				want, code, told = "fridge", coap.InternalServerError, 0
			}
			if now := r.peers[0].text("/3303/1/5750"); got.code != code || got.body != "" || now != want || stored != 1 || len(*notes) != told {
				t.Errorf("answered %v %q, now %q, stored %d times, told %d times", got.code, got.body, now, stored, len(*notes))
			}
			if n := r.peers[0].peer.requests.used; n != 0 || !r.m.Idle() {
				t.Errorf("%d requests are taken for waiting", n)
			}
		})
	}
}

// TestStoredWhileClosing closes the manager while the store works: what is stored is published, by the
// loop or, after Stop, without it.
func TestStoredWhileClosing(t *testing.T) {
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			o := device12
			o.persist = func(context.Context, dm.Committed) error { <-gate; return nil }
			r := newRig(t, o)
			r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
			r.pass(time.Second)
			r.m.Close()
			if stop {
				r.m.Stop()
			}
			close(gate)
			synctest.Wait()
			if !stop {
				r.s.Run()
			}
			if i, _ := r.dev.things.Get(1); i.ApplicationType.Or("") != "x" {
				t.Errorf("it is stored, but %q is published", i.ApplicationType.Or(""))
			}
			r.s.Run()
			if !r.m.Idle() {
				t.Error("a change is left")
			}
			if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
				t.Error("the slot was not released")
			}
		})
	}
}

// TestCloseAmidChanges closes the manager while servers write, the application updates and the store
// works, at a different moment each time: the slot is free at the end, and nothing runs any more.
func TestCloseAmidChanges(t *testing.T) {
	for moment := range 40 {
		for _, stop := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) { closeAmidChanges(t, moment, stop) })
		}
	}
}

func closeAmidChanges(t *testing.T, moment int, stop bool) {
	o := device12
	o.servers = 2
	o.persist = func(context.Context, dm.Committed) error { runtime.Gosched(); return nil }
	r := newRig(t, o)
	var updates sync.WaitGroup
	for range 2 {
		updates.Go(func() {
			for i := range 20 {
				err := r.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error {
					i.SensorValue.Set(4)
					return nil
				})
				if err != nil {
					t.Errorf("update %d: %v", i, err)
				}
			}
		})
	}
	for range 10 {
		for _, p := range r.peers {
			p.begin(to("PUT /3303/1/5750").as(content.Text, "x"))
		}
	}
	for range moment {
		r.turn()
	}
	if stop {
		r.m.Stop()
	} else {
		r.m.Close()
		for !r.m.Idle() { // the loop goes on
			synctest.Wait()
			r.s.Run()
		}
	}
	updates.Wait()
	synctest.Wait()
	r.s.Run()
	if !r.m.Idle() {
		t.Error("a change is left")
	}
	if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
		t.Error("the slot was not released")
	}
}
