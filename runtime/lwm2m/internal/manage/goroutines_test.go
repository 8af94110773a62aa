package manage

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

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

// After Stop, when nothing may run the loop any more, the store ends a change by itself, or Stop does
// where the store has ended before.
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

// A read that covers a slow function calls the other functions on the worker, too.
func TestFunctionsBesideSlowOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		_, done := r.peers[0].begin(to("GET /3303/0").accepting(content.SenMLJSON))
		r.pass(time.Second)
		if r.dev.looks != 0 {
			t.Errorf("the function was called %d times on the loop", r.dev.looks)
		}
		close(r.dev.release)
		synctest.Wait() // the worker has ended, and the loop does not run
		if r.dev.looks != 1 {
			t.Errorf("the function was called %d times on the worker", r.dev.looks)
		}
		r.until(func() bool { return *done })
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
			c.cancel = func() bool { return false } // it is too late, and the transaction not there yet
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
