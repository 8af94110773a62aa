package provision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

const newBoss = `[{"bn":"/0/5/","n":"0","vs":"coaps://other"},{"n":"1","vb":true},{"n":"2","v":3}]`

// Each inconsistency is 4.06 with the path and the fault, leaves the device as it was, and the
// sequence goes on after it (Core 1.2.2 §6.1.6).
func TestFinishRefused(t *testing.T) {
	const none = "4.06 /1: there is no account of a management server: a Security instance and a Server instance with the same Short Server ID"
	for _, c := range []struct {
		name string
		asks []ask
		want string
	}{
		{"no account", []ask{to("DELETE /")}, none},
		{"only a Security instance", []ask{to("DELETE /1")}, "4.06 /0/1/10: no Server instance has the Short Server ID 1"},
		{"only a Server instance", []ask{to("DELETE /0")}, "4.06 /1/0/0: no Security instance has the Short Server ID 1"},
		{"Short Server IDs that do not match", []ask{put("/0/2", security2)}, "4.06 /0/2/10: no Server instance has the Short Server ID 2"},
		{"two Security instances with one Short Server ID", []ask{put("/0/2", security2), put("/1/2", server2),
			to("PUT /0/2/10").as(content.Text, "1")}, "4.06 /0/2/10: instance 1 has the Short Server ID 1 already, with the same transport"},
		{"two Server instances with one Short Server ID", []ask{put("/1/2", strings.Replace(server2, `"v":2}`, `"v":1}`, 1))},
			"4.06 /1/2/0: instance 0 has the Short Server ID 1 already"},
		{"no Short Server ID", []ask{put("/0/2", strings.Replace(security2, `,{"n":"10","v":2}`, "", 1))},
			"4.06 /0/2/10: the Short Server ID is missing or not from 1 to 65534"},
		{"a mandatory resource is missing", []ask{put("/1/0", `[{"bn":"/1/0/","n":"0","v":1},{"n":"1","v":300}]`)},
			"4.06 /1/0: mandatory resources are missing: Notification Storing When Disabled or Offline (6), Binding (7)"},
		{"two new bootstrap accounts", []ask{put("/0/5", newBoss), put("/0/6", strings.Replace(newBoss, "/0/5", "/0/6", 1))},
			"4.06 /0/5: instance 0 is the account of a bootstrap server already"},
		{"a Validate hook refuses", []ask{to("PUT /0/1/2").as(content.Text, "0"), to("PUT /0/1/3").as(content.Opaque, "")},
			"4.06 /0/1/2: the device refuses the configuration"},
		{"an account cannot be used", []ask{to("PUT /0/1/0").as(content.Text, "mqtt://x")}, "4.06 /0/1/0: no dialer for mqtt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			usable := func(s dm.Snapshot, id dm.InstanceID) error {
				p := dm.ResourcePath(0, id, 0)
				if v, _ := s.Value(context.Background(), dm.Application, p); strings.HasPrefix(v.Text(), "mqtt:") {
					return Faultf(p, "no dialer for mqtt")
				}
				return nil
			}
			inRig(t, setup{config: func(c *Config) { c.Usable = usable }}, func(t *testing.T, r *rig) {
				before := r.dump()
				for _, a := range c.asks {
					if got := r.do(a); got.code != coap.Changed && got.code != coap.Deleted {
						t.Fatalf("%s: %v", a.line, got)
					}
				}
				staged := dump(t, r.seq.snapshot())
				for range 2 { // a Finish that is repeated finds the same
					if got := r.do(to("POST /bs")); got.String() != c.want {
						t.Errorf("Finish: %v, want %s", got, c.want)
					}
					if got := dump(t, r.seq.snapshot()); got != staged {
						t.Errorf("the refused Finish left\n%s, want\n%s", got, staged)
					}
				}
				if r.dump() != before || r.finished > 0 || r.failed != nil || len(r.persisted) > 0 {
					t.Errorf("a refused Finish: finished %d, failed %v, persisted %q\n%s", r.finished, r.failed, r.persisted, r.dump())
				}
				for _, a := range []ask{to("DELETE /0/5"), to("DELETE /0/6"), to("DELETE /"), put("/0/2", security2), put("/1/2", server2)} {
					r.do(a)
				}
				r.want(coap.Changed, to("POST /bs"))
				if r.finished != 1 {
					t.Errorf("after the correction: finished %d", r.finished)
				}
			})
		})
	}
}

// What a hook says stays on the device.
func TestFinishKeepsWordsOfHooks(t *testing.T) {
	words := errors.New("secret words")
	refuse := func(_ context.Context, x *temperature.Tx) error {
		if x.Origin() == dm.Bootstrap {
			return words
		}
		return nil
	}
	for name, o := range map[string]setup{
		"Validate": {hooks: temperature.Hooks{Validate: refuse}},
		"Usable":   {config: func(c *Config) { c.Usable = func(dm.Snapshot, dm.InstanceID) error { return words } }},
		"BeforeFinish": {config: func(c *Config) {
			c.BeforeFinish = func(_ context.Context, _ dm.Snapshot, done func(error)) { done(words) }
		}},
		"Persist": {persist: func(context.Context, dm.Committed) error { return words }},
	} {
		want := map[string]string{
			"Validate": "4.06 /3303: the device refuses the configuration", "Usable": "4.06 /0/0: the device refuses the configuration",
			"BeforeFinish": "4.06 the device refuses the configuration", "Persist": "4.06 the device could not store the configuration",
		}[name]
		inRig(t, o, func(t *testing.T, r *rig) {
			r.want(coap.Changed, to("PUT /3303/0/5750").as(content.Text, "oven"))
			if got := r.do(to("POST /bs")); got.String() != want {
				t.Errorf("%s: %v, want %s", name, got, want)
			}
		})
	}
}

// A new bootstrap account under another instance replaces the old one, which the server cannot
// delete itself (Core 1.2.2 §6.1.3).
func TestFinishReplacesBootstrapAccount(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/0/5", newBoss))
		r.want(coap.Changed, to("POST /bs"))
		if got := keys(r.dump(), "/0", "/21"); got != "/0/1 /0/5 /21/1" {
			t.Errorf("afterwards there are %s", got)
		}
	})
	// Its OSCORE instance stays where the new account uses it.
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.must(r.security.Update(t.Context(), 1, func(i *security.Instance) error {
			i.OSCORESecurityMode = dm.Link(dm.ObjectLink{Object: 21, Instance: 0})
			return nil
		}))
		r.want(coap.Changed, put("/0/5", newBoss))
		r.want(coap.Changed, to("POST /bs"))
		if got := keys(r.dump(), "/0", "/21"); got != "/0/1 /0/5 /21/0 /21/1" {
			t.Errorf("afterwards there are %s", got)
		}
	})
	// The account in force may also be rewritten in place, or become that of a management server.
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/0/5", newBoss))
		r.want(coap.Changed, put("/0/0", strings.Replace(security2, "/0/2", "/0/0", 1)))
		r.want(coap.Changed, put("/1/2", server2))
		r.want(coap.Changed, to("POST /bs"))
		if got := keys(r.dump(), "/0"); got != "/0/0 /0/1 /0/5" {
			t.Errorf("afterwards there are %s", got)
		}
	})
	// A Delete hook that keeps the old account keeps the sequence open.
	keep := func(context.Context, dm.InstanceID) error { return errors.New("the key is burnt in") }
	inRig(t, setup{removal: keep}, func(t *testing.T, r *rig) {
		before := r.dump()
		r.want(coap.Changed, put("/0/5", newBoss))
		if got := r.do(to("POST /bs")); got.String() != "4.06 /0/0: the replaced account of the bootstrap server cannot be deleted" {
			t.Errorf("Finish: %v", got)
		}
		if r.dump() != before {
			t.Errorf("the refused Finish changed\n%s", r.dump())
		}
	})
}

// keys returns the instances in a dump of some objects.
func keys(dump string, objects ...string) string {
	var found []string
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		for _, o := range objects {
			if strings.HasPrefix(line, o+"/") && strings.Count(line, "/") == 2 && !strings.Contains(line, " ") {
				found = append(found, line)
			}
		}
	}
	return strings.Join(found, " ")
}

// A store that fails leaves the sequence open, and its next Finish stores.
func TestFinishAfterFailedStore(t *testing.T) {
	full := true
	o := setup{persist: func(context.Context, dm.Committed) error {
		if full {
			return errors.New("disk full")
		}
		return nil
	}}
	inRig(t, o, func(t *testing.T, r *rig) {
		full = true
		before := r.dump()
		r.want(coap.Changed, put("/0/5", newBoss))
		if got := r.do(to("POST /bs")); got.String() != "4.06 the device could not store the configuration" {
			t.Errorf("Finish: %v", got)
		}
		if r.dump() != before {
			t.Errorf("the failed store changed\n%s", r.dump())
		}
		if got := r.do(links("/0")); !strings.Contains(got.body, "</0/0>") || !strings.Contains(got.body, "</0/5>") {
			t.Errorf("after it the sequence has %v", got)
		}
		full = false
		r.want(coap.Changed, put("/0/2", security2))
		r.want(coap.Changed, put("/1/2", server2))
		r.want(coap.Changed, to("POST /bs"))
		if got := keys(r.dump(), "/0"); got != "/0/1 /0/2 /0/5" {
			t.Errorf("afterwards there are %s", got)
		}
	})
}

// Finish is answered after the result is visible, and before OnFinished is called.
func TestFinishOrder(t *testing.T) {
	var r *rig
	var steps []string
	hooks := temperature.Hooks{Changed: func(context.Context, *temperature.Tx) { steps = append(steps, "Changed") }}
	o := setup{hooks: hooks,
		persist: func(context.Context, dm.Committed) error { steps = append(steps, "Persist"); return nil },
		config: func(c *Config) {
			c.BeforeFinish = func(_ context.Context, s dm.Snapshot, done func(error)) {
				if v, _ := s.Value(context.Background(), dm.Application, dm.ResourcePath(3303, 0, 5750)); v.Text() != "oven" {
					t.Errorf("BeforeFinish sees %v", v)
				}
				steps = append(steps, "BeforeFinish")
				done(nil)
			}
			c.OnFinished = func() { steps = append(steps, "OnFinished") }
		}}
	inRig(t, o, func(t *testing.T, rr *rig) {
		r = rr
		steps = nil
		r.want(coap.Changed, to("PUT /3303/0/5750").as(content.Text, "oven"))
		got := r.begin(to("POST /bs"))
		r.until(func() bool { return got.done })
		if want := "BeforeFinish Persist Changed OnFinished"; strings.Join(steps, " ") != want || got.code != coap.Changed {
			t.Errorf("%v after %q", got, steps)
		}
	})
}

// BeforeFinish runs without the writer slot, and what it reports decides.
func TestBeforeFinish(t *testing.T) {
	var release func(error)
	var ended context.Context
	o := setup{config: func(c *Config) {
		c.BeforeFinish = func(ctx context.Context, _ dm.Snapshot, done func(error)) { ended, release = ctx, done }
	}}
	inRig(t, o, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/0/2", security2))
		r.want(coap.Changed, put("/1/2", server2))
		got := r.begin(to("POST /bs"))
		r.until(func() bool { return release != nil })
		r.must(r.servers.Update(t.Context(), 0, func(i *server.Instance) error { i.Lifetime.Set(99); return nil }))
		if got.done {
			t.Errorf("answered during the step: %v", got)
		}
		release(Faultf(dm.InstancePath(0, 2), "the certificate could not be enrolled"))
		r.until(func() bool { return got.done })
		if got.String() != "4.06 /0/2: the certificate could not be enrolled" {
			t.Errorf("Finish: %v", got)
		}
		release(nil) // too late
		release = nil
		got = r.begin(to("POST /bs"))
		r.until(func() bool { return release != nil })
		go release(nil)
		r.until(func() bool { return got.done })
		if got.code != coap.Changed || r.finished != 1 {
			t.Errorf("Finish: %v, finished %d", got, r.finished)
		}
		if !strings.Contains(r.dump(), "/1/0/1 99\n") {
			t.Error("the application's change during the step is lost")
		}
		if ended.Err() == nil {
			t.Error("the context of the step does not end with the sequence")
		}
	})
	inRig(t, o, func(t *testing.T, r *rig) {
		before := r.dump()
		release = nil
		r.want(coap.Changed, put("/0/5", newBoss))
		r.begin(to("POST /bs"))
		r.until(func() bool { return release != nil })
		r.seq.Abort()
		if ended.Err() == nil {
			t.Error("the context of the step does not end with Abort")
		}
		release(nil)
		r.settle()
		if r.dump() != before || r.finished > 0 {
			t.Errorf("after Abort: finished %d\n%s", r.finished, r.dump())
		}
	})
}

// A Sink that was told to commit cannot be corrected: the sequence fails.
func TestFinishFailsForGood(t *testing.T) {
	broken := false
	o := setup{fault: func(where string) {
		if where == "Persist" && broken {
			panic("boom")
		}
	}, config: func(c *Config) { c.RecoverPanics = true }}
	inRig(t, o, func(t *testing.T, r *rig) {
		broken = true
		before := r.dump()
		r.want(coap.Changed, to("PUT /5/0/0").as(content.Opaque, "image"))
		r.want(coap.Changed, put("/0/5", newBoss))
		if got := r.do(to("POST /bs")); got.code != coap.InternalServerError {
			t.Errorf("Finish: %v", got)
		}
		r.settle()
		if r.failed == nil || r.finished > 0 || r.aborted != 1 || r.dump() != before {
			t.Errorf("failed %v, finished %d, %d Sinks aborted\n%s", r.failed, r.finished, r.aborted, r.dump())
		}
		r.want(coap.BadRequest, to("POST /bs"))
	})
}

// Finish notes the time in the accounts that the server has changed (/1/x/12), and in no others.
func TestFinishSetsLastBootstrapped(t *testing.T) {
	value := func(r *rig, id dm.InstanceID) string {
		v, err := r.model.Snapshot().Value(t.Context(), dm.Application, dm.ResourcePath(1, id, 12))
		if err != nil {
			return dm.CodeOf(err).String()
		}
		return fmt.Sprint(v.Seconds() - time.Now().Unix())
	}
	for _, c := range []struct {
		asks     []ask
		old, new string
	}{
		{[]ask{put("/0/2", security2), put("/1/2", server2)}, "4.04", "0"},
		{[]ask{to("PUT /0/1/0").as(content.Text, "coaps://moved")}, "0", "4.04"},
		{[]ask{to("PUT /1/0/1").as(content.Text, "77")}, "0", "4.04"},
		{[]ask{put("/0/5", newBoss)}, "4.04", "4.04"},
	} {
		inRig(t, setup{}, func(t *testing.T, r *rig) {
			for _, a := range c.asks {
				r.want(coap.Changed, a)
			}
			r.want(coap.Changed, to("POST /bs"))
			if before, after := value(r, 0), value(r, 2); before != c.old || after != c.new {
				t.Errorf("%s: /1/0/12 is %s, /1/2/12 %s, want %s, %s", c.asks[0].line, before, after, c.old, c.new)
			}
		})
	}
}

// An account may have a Security instance for each transport.
func TestFinishWithTwoTransports(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		second := strings.NewReplacer("coaps://server2", "coaps+tcp://server", `"n":"10","v":2`, `"n":"10","v":1`).Replace(security2)
		if got := r.do(put("/0/2", second)); got.code != coap.Changed {
			t.Fatal(got)
		}
		if got := r.do(to("POST /bs")); got.code != coap.Changed {
			t.Error(got)
		}
	})
}
