package manage

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

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
			want, code, notified := "x", coap.Changed, 1
			if failing != nil {
				want, code, notified = "fridge", coap.InternalServerError, 0
			}
			if now := r.peers[0].text("/3303/1/5750"); got.code != code || got.body != "" || now != want ||
				stored != 1 || len(*notes) != notified {
				t.Errorf("answered %v %q, now %q, stored %d times, notified %d times", got.code, got.body, now,
					stored, len(*notes))
			}
			if n := r.peers[0].peer.requests.used; n != 0 || !r.m.Idle() {
				t.Errorf("%d requests count as waiting", n)
			}
		})
	}
}

// A change that is being stored while its server goes becomes visible, and counts as waiting until
// then.
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
				synctest.Wait() // stored, and the loop does not run
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
			if err := r.dev.things.Update(context.Background(), 1,
				func(*temperature.Instance) error { return nil }); err != nil {
				t.Errorf("the slot was not released: %v", err)
			}
		})
	}
}

// TestStoredWhileClosing closes the manager while the store works: what is stored is published, by
// the loop or, after Stop, without it.
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

// TestCloseAmidChanges closes the manager while servers write, the application updates and the
// store works, at a different moment each time: the slot is free at the end, and nothing runs any
// more.
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
		for !r.m.Idle() { // the loop still runs
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

// storing is a device whose store waits for gate and then returns err, and whose hooks, for a
// server's request, append to ran.
func storing(gate chan struct{}, err error, ran *[]string) setup {
	o := device12
	o.persist = func(context.Context, dm.Committed) error { <-gate; return err }
	o.world = func(w *world) {
		note := func(tx *temperature.Tx, hook string) {
			if tx.Origin() == dm.Server(1) {
				*ran = append(*ran, hook)
			}
		}
		w.things2 = temperature.Hooks{
			Rollback: func(_ context.Context, tx *temperature.Tx) error { note(tx, "Rollback"); return nil },
			Changed:  func(_ context.Context, tx *temperature.Tx) { note(tx, "Changed") },
		}
	}
	return o
}

// Hooks that run after the store has ended run on the loop, whatever happens to the server and the
// Manager in the meantime.
func TestHooksAfterTheStoreRunOnTheLoop(t *testing.T) {
	for name, leave := range map[string]func(r *rig){
		"the server stays":      func(*rig) {},
		"the server is away":    func(r *rig) { r.peers[0].peer.Detach() },
		"the server is removed": func(r *rig) { r.peers[0].peer.Close() },
		"the device is removed": func(r *rig) { r.self.Close() },
		"the manager is closed": func(r *rig) { r.m.Close() },
	} {
		for want, fail := range map[string]error{"Changed": nil, "Rollback": errors.New("disk full")} {
			t.Run(name+", "+want, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					gate := make(chan struct{})
					var ran []string
					r := newRig(t, storing(gate, fail, &ran))
					r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
					r.pass(time.Second)
					leave(r)
					close(gate)
					synctest.Wait() // the store has ended, and the loop does not run
					if len(ran) > 0 {
						t.Errorf("%v ran on the goroutine of the store", ran)
					}
					r.turn()
					if !slices.Equal(ran, []string{want}) {
						t.Errorf("on the loop ran %v, want %s", ran, want)
					}
					if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
						t.Error("the slot was not released")
					}
				})
			})
		}
	}
}

// After Stop, when nothing may run the loop any more, the store ends a change by itself, or Stop
// does where the store has ended before.
func TestHooksAfterStop(t *testing.T) {
	for want, fail := range map[string]error{"Changed": nil, "Rollback": errors.New("disk full")} {
		for _, stored := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				var ran []string
				r := newRig(t, storing(gate, fail, &ran))
				r.peers[0].begin(to("PUT /3303/1/5750").as(content.Text, "x"))
				r.pass(time.Second)
				if stored {
					close(gate)
					synctest.Wait()
				}
				r.m.Stop()
				if !stored {
					close(gate)
					synctest.Wait()
				}
				if !slices.Equal(ran, []string{want}) {
					t.Errorf("stored before Stop is %t: %v ran, want %s", stored, ran, want)
				}
				if _, ok := r.model.TryBegin(context.Background(), dm.Application); !ok {
					t.Error("the slot was not released")
				}
				if r.turn(); !r.m.Idle() {
					t.Error("a change is left")
				}
			})
		}
	}
}
