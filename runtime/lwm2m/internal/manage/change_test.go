package manage

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// busy holds the writer slot until release is called, as an Update of the application would.
func (r *rig) busy() (release func()) {
	r.t.Helper()
	t, err := r.model.Begin(context.Background(), dm.Application)
	r.must(err)
	return t.Rollback
}

func TestTakenSlotDelaysOnlyChanges(t *testing.T) {
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
				t.Errorf("while the others wait, %q is read", got)
			}
			if got := p.do(to("POST /3/0/4")); got.code != coap.Changed {
				t.Errorf("Execute is answered %v", got.code)
			}
			if got := p.do(to("PUT /3/0?pmin=1")); got.code != coap.Changed {
				t.Errorf("Write-Attributes is answered %v", got.code)
			}
		}
		if r.s.Now() != start {
			t.Errorf("other requests waited %v", r.s.Now().Sub(start))
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
			t.Error("a change is left")
		}
	})
}

func TestWaitForTheSlotIsBounded(t *testing.T) {
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
			t.Errorf("the request over the limit: answered is %v, %v", *done[3], got[3].code)
		}
		r.pass(2 * time.Second)
		for i := range 3 {
			if !*done[i] || got[i].code != coap.ServiceUnavailable {
				t.Errorf("request %d is not refused: answered is %v, %v", i, *done[i], got[i].code)
			}
		}
		if !r.m.Idle() {
			t.Error("a refused request still counts as waiting")
		}
		release()
		r.pass(time.Minute)
		if v := r.peers[0].text("/3303/1/5750"); v != "fridge" {
			t.Errorf("a refused request was made: %q", v)
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
					t.Errorf("the slot was not released: %v", err)
				}
			})
		})
	}
}

// The manager is closed after the slot was granted, before the loop continues.
func TestSlotGrantedWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		release := r.busy()
		r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Second)
		release() // posts, and the loop does not run
		r.m.Close()
		if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
			t.Error("the slot was not released")
		}
	})
}

// A change whose server goes while the writer slot is being granted is not made.
func TestDroppedWhileGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		release := r.busy()
		r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Second)
		for c := range r.m.changer.inProgress {
			// It is too late, and the transaction not there yet.
			c.cancel = func() bool { return false }
		}
		r.peers[0].peer.Detach()
		if r.m.Idle() {
			t.Error("idle, while the slot is being granted")
		}
		release()
		r.pass(time.Second)
		if i, _ := r.dev.things.Get(1); i.ApplicationType.Or("") != "fridge" || !r.m.Idle() {
			t.Errorf("now %q, idle %v", i.ApplicationType.Or(""), r.m.Idle())
		}
		if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
			t.Error("the slot was not released")
		}
	})
}

// A request over the limit is refused for good: it is not made when the slot is free.
func TestRequestOverTheLimitIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Pending = 1 }
		r := newRig(t, o)
		release := r.busy()
		first, done := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "first"))
		r.pass(time.Second)
		if got := r.peers[0].do(to("PUT /3303/1/5750").as(content.Text, "second")); got.code != coap.ServiceUnavailable {
			t.Errorf("the second is %v", got.code)
		}
		release()
		r.until(func() bool { return *done })
		r.pass(time.Second)
		if now := r.peers[0].text("/3303/1/5750"); first.code != coap.Changed || now != "first" {
			t.Errorf("the first is %v, now %q", first.code, now)
		}
	})
}

// A change that waits for the slot and then for the store is made once.
func TestWaitingChangeIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored := 0
		o := device12
		o.persist = func(ctx context.Context, _ dm.Committed) error {
			if dm.OriginFrom(ctx) == dm.Server(1) {
				stored++
			}
			return nil
		}
		r := newRig(t, o)
		release := r.busy()
		got, done := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Second)
		var waiting *change
		for waiting = range r.m.changer.inProgress {
		}
		release()
		r.until(func() bool { return *done })
		r.pass(time.Second)
		if now := r.peers[0].text("/3303/1/5750"); got.code != coap.Changed || now != "x" || stored != 1 {
			t.Errorf("answered %v, now %q, stored %d times", got.code, now, stored)
		}
		if !r.m.Idle() || waiting.patience.Pending() {
			t.Error("a change is left")
		}
		if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
			t.Error("the slot was not released")
		}
	})
}

// When a server goes, its own waiting requests are dropped, and those of others are not.
func TestOtherServersKeepWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		release := r.busy()
		_, gone := r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "gone"))
		got, done := r.peers[1].begin(to("PUT /3303/0/5750").as(content.Text, "there"))
		r.pass(time.Second)
		r.peers[0].peer.Detach()
		if n := r.peers[0].peer.requests.used; n != 0 || len(r.m.changer.inProgress) != 1 {
			t.Errorf("%d of its requests wait, %d of all", n, len(r.m.changer.inProgress))
		}
		release()
		r.pass(time.Second)
		if one, two := r.peers[1].text("/3303/1/5750"), r.peers[1].text("/3303/0/5750"); *gone || !*done ||
			got.code != coap.Changed || one != "fridge" || two != "there" {
			t.Errorf("answered %v and %v (%v), now %q and %q", *gone, *done, got.code, one, two)
		}
		if !r.m.Idle() {
			t.Error("a change is left")
		}
	})
}

// A server is detached after the slot was granted to its request, before the loop continues.
func TestServerGoesAfterTheGrant(t *testing.T) {
	for _, a := range []ask{to("PUT /3303/1/5750").as(content.Text, "x"),
		to("PUT /5/0/0").as(content.Opaque, firmware(4000))} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			release := r.busy()
			_, done := r.peers[0].begin(a)
			r.pass(20 * time.Second)
			release() // posts, and the loop does not run
			r.peers[0].peer.Detach()
			if !r.m.Idle() {
				t.Error("it still counts as waiting")
			}
			tx, ok := r.model.TryBegin(context.Background(), dm.Application)
			if !ok {
				t.Fatal("the slot was not released")
			}
			tx.Rollback()
			if n := r.dev.aborted; n != 0 != (a.format == content.Opaque) {
				t.Errorf("aborted %d times", n)
			}
			r.pass(time.Minute)
			if i, _ := r.dev.things.Get(1); *done || i.ApplicationType.Or("") != "fridge" ||
				r.dev.committed != 0 || !r.m.Idle() {
				t.Errorf("answered %v, now %q, committed %d times", *done, i.ApplicationType.Or(""), r.dev.committed)
			}
		})
	}
}
