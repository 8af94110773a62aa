package provision

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// free checks that the writer slot of the model is free.
func (r *rig) free() {
	r.t.Helper()
	t, ok := r.model.TryBegin(context.Background(), dm.Application)
	if !ok {
		r.t.Error("the writer slot is taken")
		return
	}
	t.Rollback()
}

// Abort leaves the device as it was at whatever moment it comes, and nothing is called after it.
func TestAbort(t *testing.T) {
	prepare := func(r *rig) {
		r.want(coap.Changed, put("/0/5", newBoss))
		r.want(coap.Changed, to("PUT /3303/0/5750").as(content.Text, "oven"))
		r.want(coap.Deleted, to("DELETE /16"))
	}
	for name, run := range map[string]func(t *testing.T, r *rig){
		"at once":          func(_ *testing.T, r *rig) { r.seq.Abort() },
		"between requests": func(_ *testing.T, r *rig) { prepare(r); r.seq.Abort() },
		"after a 4.06":     func(_ *testing.T, r *rig) { r.want(coap.Deleted, to("DELETE /1")); r.do(to("POST /bs")); r.seq.Abort() },
		"twice":            func(_ *testing.T, r *rig) { prepare(r); r.seq.Abort(); r.seq.Abort(); r.seq.Stop() },
		"from OnRequest": func(_ *testing.T, r *rig) {
			prepare(r)
			r.seq.cfg.OnRequest = r.seq.Abort
			r.do(put("/0/2", security2))
		},
		"at the shutdown":          func(_ *testing.T, r *rig) { prepare(r); r.seq.Stop() },
		"waiting for a slot":       func(t *testing.T, r *rig) { abortWaiting(t, r, false, r.seq.Abort) },
		"resuming":                 func(t *testing.T, r *rig) { prepare(r); abortWaiting(t, r, false, r.seq.Abort) },
		"a slot granted":           func(t *testing.T, r *rig) { abortWaiting(t, r, true, r.seq.Abort) },
		"resumed":                  func(t *testing.T, r *rig) { prepare(r); abortWaiting(t, r, true, r.seq.Abort) },
		"waiting at the shutdown":  func(t *testing.T, r *rig) { abortWaiting(t, r, false, r.seq.Stop); r.free() },
		"resuming at the shutdown": func(t *testing.T, r *rig) { prepare(r); abortWaiting(t, r, false, r.seq.Stop); r.free() },
		"granted at the shutdown":  func(t *testing.T, r *rig) { abortWaiting(t, r, true, r.seq.Stop); r.free() },
		"resumed at the shutdown":  func(t *testing.T, r *rig) { prepare(r); abortWaiting(t, r, true, r.seq.Stop); r.free() },
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, setup{}, func(t *testing.T, r *rig) {
				before := r.dump()
				run(t, r)
				requests := r.requests
				r.settle()
				if got := r.dump(); got != before {
					t.Errorf("it leaves\n%s, want\n%s", got, before)
				}
				if r.finished > 0 || r.failed != nil || r.requests != requests || len(r.persisted) > 0 {
					t.Errorf("finished %d, failed %v, %d requests, persisted %q", r.finished, r.failed, r.requests-requests, r.persisted)
				}
				r.free()
				if got := r.do(links("/")); got.code != coap.BadRequest {
					t.Errorf("a request after it: %v", got)
				}
				r.free()
			})
		})
	}
}

// abortWaiting ends a sequence that waits for the writer slot: before or after it is granted.
func abortWaiting(t *testing.T, r *rig, granted bool, end func()) {
	t.Helper()
	tx, ok := r.model.TryBegin(context.Background(), dm.Application)
	if !ok {
		t.Fatal("the slot is taken")
	}
	r.begin(put("/0/2", security2))
	r.begin(put("/1/2", server2))
	r.settle()
	if r.seq.current == nil || len(r.seq.waiting) != 1 {
		t.Fatalf("serving %v, %d wait", r.seq.current, len(r.seq.waiting))
	}
	if granted {
		tx.Rollback() // the loop does not run before Abort
	}
	end()
	tx.Rollback()
}

// Abort while the sequence is being stored lets the store decide, because the record may be in the
// store already.
func TestAbortWhileStoring(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		stop  bool
		early bool
	}{
		"stored": {}, "not stored": {err: dm.Conflict}, "stored after Stop": {stop: true},
		"not stored after Stop": {err: dm.Conflict, stop: true}, "stored before Stop": {stop: true, early: true},
		"stored before Abort": {early: true},
	} {
		t.Run(name, func(t *testing.T) {
			storing, release := make(chan bool, 1), make(chan bool)
			var rolledBack, changed atomic.Int32
			o := setup{
				persist: func(context.Context, dm.Committed) error { storing <- true; <-release; return c.err },
				hooks: temperature.Hooks{
					Rollback: func(context.Context, *temperature.Tx) error { rolledBack.Add(1); return nil },
					Changed:  func(context.Context, *temperature.Tx) { changed.Add(1) },
				},
			}
			inRig(t, o, func(t *testing.T, r *rig) {
				storing, release = make(chan bool, 1), make(chan bool)
				rolledBack.Store(0)
				changed.Store(0)
				before := r.dump()
				r.want(coap.Changed, to("PUT /3303/0/5750").as(content.Text, "oven"))
				finish := r.begin(to("POST /bs"))
				r.until(func() bool { return len(storing) > 0 })
				if c.early {
					close(release)
					synctest.Wait()
				}
				if c.stop {
					r.seq.Stop()
				} else {
					r.seq.Abort()
				}
				if !c.early {
					close(release)
				}
				synctest.Wait()
				if !c.stop {
					r.settle()
				}
				want := c.err == nil
				if got := r.dump() != before; got != want || (changed.Load() == 1) != want || (rolledBack.Load() == 1) == want {
					t.Errorf("changed %v, %d Changed and %d Rollback hooks", got, changed.Load(), rolledBack.Load())
				}
				if r.finished > 0 || r.failed != nil || finish.done {
					t.Errorf("finished %d, failed %v, answered %v", r.finished, r.failed, finish)
				}
				r.free()
			})
		})
	}
}

// A request waits for the writer slot, without holding up the application, and not for ever.
func TestPatience(t *testing.T) {
	inRig(t, setup{config: func(c *Config) { c.Limits.Pending = 2 }}, func(t *testing.T, r *rig) {
		tx, _ := r.model.TryBegin(context.Background(), dm.Application)
		start := r.s.Now()
		first, second, third := r.begin(put("/0/2", security2)), r.begin(links("/0")), r.begin(to("GET /1"))
		fourth := r.begin(put("/1/2", server2))
		r.until(func() bool { return fourth.done })
		if fourth.String() != "5.03 too many requests wait" {
			t.Errorf("a request too many: %v", fourth)
		}
		r.until(func() bool { return first.done && second.done && third.done })
		if first.String() != "5.03 another change takes too long" || second.code != coap.Content || third.code != coap.Content {
			t.Errorf("the answers are %v, %v, %v", first, second, third)
		}
		if took := r.s.Now().Sub(start); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("it took %v", took)
		}
		tx.Rollback()
		r.want(coap.Changed, put("/0/2", security2))
		tx, _ = r.model.TryBegin(context.Background(), dm.Application)
		if got := r.do(put("/1/2", server2)); got.code != coap.ServiceUnavailable {
			t.Errorf("the next Write: %v", got)
		}
		tx.Rollback()
		r.want(coap.Changed, put("/1/2", server2))
		r.want(coap.Changed, to("POST /bs"))
		r.free()
	})
}

// The application goes on changing its objects during a sequence, and both changes meet at the end.
func TestApplicationMeanwhile(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		label := func(text string) {
			t.Helper()
			r.must(r.things.Update(t.Context(), 0, func(i *temperature.Instance) error { i.ApplicationType.Set(text); return nil }))
		}
		r.want(coap.Changed, put("/0/2", security2))
		r.want(coap.Changed, put("/1/2", server2))
		r.want(coap.Changed, to("PUT /1/0/1").as(content.Text, "77"))
		label("first")
		r.must(r.servers.Update(t.Context(), 0, func(i *server.Instance) error {
			i.Lifetime.Set(99)
			i.Binding.Set("T")
			return nil
		}))
		if strings.Join(r.persisted, " ") != "application application" {
			t.Errorf("persisted %q", r.persisted)
		}
		label("second")
		r.want(coap.Changed, to("POST /bs"))
		got := r.dump()
		for _, line := range []string{"/1/0/1 77\n", "/1/0/7 T\n", "/1/2/1 300\n", "/3303/0/5750 second\n"} {
			if !strings.Contains(got, line) {
				t.Errorf("%q is not in\n%s", line, got)
			}
		}
	})
	// An account that the application deletes meanwhile is missing at the end.
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, to("PUT /1/0/1").as(content.Text, "77"))
		r.must(r.security.Remove(t.Context(), 1))
		if got := r.do(to("POST /bs")); got.String() != "4.06 /1/0/0: no Security instance has the Short Server ID 1" {
			t.Errorf("Finish: %v", got)
		}
	})
}

// User code that panics, or ends its goroutine, costs one request. The sequence goes on after it.
func TestPanics(t *testing.T) {
	where := ""
	var how func()
	at := func(name string) {
		if where == name {
			how()
		}
	}
	hook := func(name string) func(context.Context, *temperature.Tx) error {
		return func(context.Context, *temperature.Tx) error { at(name); return nil }
	}
	hooks := temperature.Hooks{
		Begin: hook("Begin"), Validate: hook("Validate"), Commit: hook("Commit"),
		Rollback: func(context.Context, *temperature.Tx) error { return nil },
		Create:   func(context.Context, dm.InstanceID, *temperature.Instance) error { at("Create"); return nil },
		Delete:   func(context.Context, dm.InstanceID) error { at("Delete"); return nil },
	}
	make3303 := put("/3303/4", `[{"bn":"/3303/4/","n":"5700","v":1}]`)
	for name, a := range map[string]ask{
		"Create": make3303, "Delete": to("DELETE /3303/0"), "open": to("PUT /5/0/0").as(content.Opaque, "x"),
		"write": to("PUT /5/0/0").as(content.Opaque, "x"), "Begin": to("POST /bs"), "Validate": to("POST /bs"),
		"Commit": to("POST /bs"), "Persist": to("POST /bs"), "BeforeFinish": to("POST /bs"), "Usable": to("POST /bs"),
	} {
		for kind, fn := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
			for _, recovering := range []bool{true, false} {
				if kind == "Goexit" && name != "Persist" && recovering {
					continue // it ends the goroutine of the loop in any case
				}
				o := setup{hooks: hooks, fault: at, config: func(c *Config) {
					c.RecoverPanics = recovering
					c.Usable = func(dm.Snapshot, dm.InstanceID) error { at("Usable"); return nil }
					c.BeforeFinish = func(_ context.Context, _ dm.Snapshot, done func(error)) { at("BeforeFinish"); done(nil) }
				}}
				where = ""
				inRig(t, o, func(t *testing.T, r *rig) {
					r.want(coap.Changed, to("PUT /3303/0/5750").as(content.Text, "oven"))
					before := r.dump()
					where, how = name, fn
					got := r.begin(a)
					for range 20 {
						done := make(chan any, 1)
						go func() { // which the panic or Goexit ends
							defer func() { done <- recover() }()
							r.settle()
						}()
						<-done
						if got.done {
							break
						}
					}
					where = ""
					if got.code != coap.InternalServerError {
						t.Errorf("%s, %s: %v", name, kind, got)
					}
					if r.dump() != before {
						t.Errorf("%s, %s changed\n%s", name, kind, r.dump())
					}
					r.want(coap.Changed, put("/0/2", security2))
					r.want(coap.Changed, put("/1/2", server2))
					r.want(coap.Changed, to("POST /bs"))
					if !strings.Contains(r.dump(), "/3303/0/5750 oven\n") && name != "Delete" {
						t.Errorf("%s, %s: what was written before is lost", name, kind)
					}
					r.free()
				})
			}
		}
	}
}
