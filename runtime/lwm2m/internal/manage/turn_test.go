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

// A request that is one too many is refused for good: it is not carried out when its turn would have come.
func TestOneTooManyIsNotCarriedOut(t *testing.T) {
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

// A change that waits for its turn and then for its store is made once.
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
			t.Error("something is left")
		}
		if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
			t.Error("the slot was not given back")
		}
	})
}

// A server that goes takes its own requests with it, and nobody else's.
func TestOtherServersGoOnWaiting(t *testing.T) {
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
		if one, two := r.peers[1].text("/3303/1/5750"), r.peers[1].text("/3303/0/5750"); *gone || !*done || got.code != coap.Changed || one != "fridge" || two != "there" {
			t.Errorf("answered %v and %v (%v), now %q and %q", *gone, *done, got.code, one, two)
		}
		if !r.m.Idle() {
			t.Error("something is left")
		}
	})
}

// TestTurnOfAServerThatIsGone detaches a server between the coming of its turn and the loop's taking it.
func TestTurnOfAServerThatIsGone(t *testing.T) {
	for _, a := range []ask{to("PUT /3303/1/5750").as(content.Text, "x"), to("PUT /5/0/0").as(content.Opaque, firmware(4000))} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			release := r.busy()
			_, done := r.peers[0].begin(a)
			r.pass(20 * time.Second)
			release() // posts, and nobody runs the scheduler
			r.peers[0].peer.Detach()
			if !r.m.Idle() {
				t.Error("it is taken for waiting")
			}
			tx, ok := r.model.TryBegin(context.Background(), dm.Application)
			if !ok {
				t.Fatal("the slot was not given back")
			}
			tx.Rollback()
			if n := r.dev.aborted; n != 0 != (a.format == content.Opaque) {
				t.Errorf("aborted %d times", n)
			}
			r.pass(time.Minute)
			if i, _ := r.dev.things.Get(1); *done || i.ApplicationType.Or("") != "fridge" || r.dev.committed != 0 || !r.m.Idle() {
				t.Errorf("answered %v, now %q, committed %d times", *done, i.ApplicationType.Or(""), r.dev.committed)
			}
		})
	}
}

// What is being stored while its server goes becomes visible, and counts until then.
func TestStoredWhileItsServerGoes(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			o := device12
			o.persist = func(context.Context, dm.Committed) error { <-gate; return nil }
			r := newRig(t, o)
			r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
			r.pass(time.Second)
			if late {
				close(gate)
				synctest.Wait() // stored, and nobody runs the scheduler
			}
			r.peers[0].peer.Detach()
			if r.m.Idle() != late {
				t.Errorf("idle is %v", !late)
			}
			if !late {
				close(gate)
			}
			r.pass(time.Second)
			if i, _ := r.dev.things.Get(1); i.ApplicationType.Or("") != "x" || !r.m.Idle() {
				t.Errorf("now %q, idle %v", i.ApplicationType.Or(""), r.m.Idle())
			}
			if err := r.dev.things.Update(context.Background(), 1, func(*temperature.Instance) error { return nil }); err != nil {
				t.Errorf("the slot was not given back: %v", err)
			}
		})
	}
}

// An upload whose server has lost its right to write meanwhile is refused, and leaves room for the next.
func TestUploadLosesAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{}
		r := newRig(t, guarded(g))
		got, done := r.peers[0].begin(to("PUT /5/0/0").as(content.Opaque, firmware(20_000)))
		r.until(func() bool { return r.peers[0].end.Stats().MessagesReceived > 5 })
		g.refuse = func(Operation, dm.Path) bool { return true }
		r.until(func() bool { return *done })
		if got.code != coap.Unauthorized || r.dev.committed != 0 || r.dev.aborted != 1 {
			t.Errorf("answered %v, committed %d, aborted %d times", got.code, r.dev.committed, r.dev.aborted)
		}
		g.refuse = nil
		if got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, "next")); got.code != coap.Changed {
			t.Errorf("the next one is %v", got.code)
		}
	})
}

// A server that is gone is told so by the first block, not by the last.
func TestHeadOfAServerThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].peer.Close()
		got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, firmware(20_000)))
		if n := r.peers[0].end.Stats().MessagesReceived; got.code != coap.ServiceUnavailable || n > 1 {
			t.Errorf("answered %v after %d messages", got.code, n)
		}
	})
}
