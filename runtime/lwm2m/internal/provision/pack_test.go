package provision

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// account2 is a pack with an account of server 2.
var account2 = strings.TrimSuffix(security2, "]") + "," + strings.TrimPrefix(server2, "[")

// pack applies a pack and returns its outcome.
func (r *rig) pack(f content.Format, payload string) error {
	r.t.Helper()
	done, err := false, error(nil)
	r.seq.ApplyPack(f, []byte(payload), func(e error) { done, err = true, e })
	if done {
		r.t.Error("done was called during ApplyPack")
	}
	r.until(func() bool { return done })
	return err
}

// A pack replaces the instances of the objects that it names, in each of its formats, and leaves
// the others alone (Core 1.2.2 §6.1.7.7).
func TestPack(t *testing.T) {
	for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR} {
		inRig(t, setup{}, func(t *testing.T, r *rig) {
			before := r.dump()
			if err := r.pack(f, encodeAs(t, r, f, dm.Path{}, account2)); err != nil {
				t.Fatal(err)
			}
			got := r.dump()
			if k := keys(got, "/0", "/1", "/16", "/21", "/3303"); k != "/0/0 /0/2 /1/2 /16/0 /21/0 /21/1 /3303/0" {
				t.Errorf("%v: afterwards there are %s", f, k)
			}
			if !strings.Contains(got, `/0/0/5 "`+bootKey+`"`) || !strings.Contains(got, "/0/2/0 coaps://server2") || strings.Contains(got, "/0/1/") {
				t.Errorf("%v: from\n%s to\n%s", f, before, got)
			}
			if r.finished > 0 || len(r.persisted) != 1 || r.requests > 0 {
				t.Errorf("finished %d, persisted %q, %d requests", r.finished, r.persisted, r.requests)
			}
			r.free()
			r.want(coap.BadRequest, to("POST /bs"))
		})
	}
}

func TestPackContents(t *testing.T) {
	for name, c := range map[string]struct {
		pack, objects, want string
	}{
		"a new bootstrap account": {join(account2, newBoss), "/0 /21", "/0/2 /0/5 /21/1"},
		"the account in force rewritten": {join(account2, `[{"bn":"/0/0/","n":"0","vs":"coaps://same"},{"n":"1","vb":true},{"n":"2","v":3}]`),
			"/0", "/0/0 /0/2"},
		"the Device":     {join(account2, `[{"bn":"/3/0/15","vs":"UTC"}]`), "/3", "/3/0"},
		"the firmware":   {join(account2, `[{"bn":"/5/0/1","vs":""}]`), "/5", "/5/0"},
		"other objects":  {join(account2, `[{"bn":"/16/3/0/","n":"0","vs":"x"}]`), "/16", "/16/3"},
		"unknown values": {join(account2, `[{"bn":"/1/2/999","vs":"x"}]`), "/1", "/1/2"},
		"access rights":  {join(account2, `[{"bn":"/2/0/","n":"0","v":1},{"n":"1","v":2},{"n":"2/2","v":3},{"n":"3","v":2}]`), "/2", "/2/0"},
	} {
		t.Run(name, func(t *testing.T) {
			inRig(t, setup{}, func(t *testing.T, r *rig) {
				if err := r.pack(content.SenMLJSON, c.pack); err != nil {
					t.Fatal(err)
				}
				if got := keys(r.dump(), strings.Fields(c.objects)...); got != c.want {
					t.Errorf("afterwards there are %s, want %s", got, c.want)
				}
			})
		})
	}
}

// join joins packs in SenML JSON.
func join(packs ...string) string {
	for i := range packs {
		packs[i] = strings.Trim(packs[i], "[]")
	}
	return "[" + strings.Join(packs, ",") + "]"
}

// A pack that cannot be applied changes nothing, and the sequence goes on with requests.
func TestPackRefused(t *testing.T) {
	for name, c := range map[string]struct {
		format content.Format
		pack   string
		code   dm.Code
		text   string
	}{
		"format":            {content.TLV, "x", dm.NotAcceptable, ""},
		"garbage":           {content.SenMLCBOR, "garbage", dm.BadRequest, ""},
		"cut off":           {content.SenMLJSON, account2[:len(account2)-4], dm.BadRequest, ""},
		"unknown object":    {content.SenMLJSON, join(account2, `[{"bn":"/7/0/0","v":1}]`), dm.BadRequest, "/7: the device has no such object"},
		"wrong type":        {content.SenMLJSON, join(account2, `[{"bn":"/2/0/0","vs":"x"}]`), dm.BadRequest, "/2/0/0"},
		"no account":        {content.SenMLJSON, security2, dm.NotAcceptable, "/0/2/10"},
		"mandatory missing": {content.SenMLJSON, join(security2, `[{"bn":"/1/2/0","v":2}]`), dm.NotAcceptable, "/1/2: mandatory"},
		"too large":         {content.SenMLJSON, "[" + strings.Repeat(" ", 70000) + "]", dm.RequestEntityTooLarge, ""},
		"too much": {content.SenMLJSON, join(account2, `[`+strings.Repeat(`{"bn":"/16/1/0/","n":"7","vs":""},`, 2000)+`{"n":"8","vs":""}]`),
			dm.RequestEntityTooLarge, ""},
		"store": {content.SenMLJSON, account2, dm.InternalServerError, "disk full"},
		"empty": {content.SenMLJSON, "[]", dm.NotAcceptable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			broken := name == "store"
			o := setup{
				config: func(c *Config) { c.Limits.Staged = 100_000 },
				persist: func(_ context.Context, c dm.Committed) error {
					if broken && c.Origin == dm.Bootstrap {
						return errors.New("disk full")
					}
					return nil
				},
			}
			inRig(t, o, func(t *testing.T, r *rig) {
				before := r.dump()
				if name == "no account" || name == "empty" {
					r.must(r.servers.Remove(t.Context(), 0))
					r.must(r.security.Remove(t.Context(), 1))
					before = r.dump()
				}
				err := r.pack(c.format, c.pack)
				if dm.CodeOf(err) != c.code && !strings.Contains(err.Error(), c.text) || err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("the outcome is %v (%v), want %v %s", err, dm.CodeOf(err), c.code, c.text)
				}
				if r.dump() != before || dump(t, r.seq.snapshot()) != before || r.failed != nil {
					t.Errorf("it leaves\n%s", r.dump())
				}
				r.free()
				broken = false
				r.want(coap.Changed, put("/0/2", security2))
				r.want(coap.Changed, put("/1/2", server2))
				r.want(coap.Changed, to("POST /bs"))
			})
		})
	}
}

func TestPackMoments(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/0/2", security2))
		if err := r.pack(content.SenMLJSON, account2); !errors.Is(err, errBegun) {
			t.Errorf("a pack after a Write: %v", err)
		}
		r.seq.Abort()
		if err := r.pack(content.SenMLJSON, account2); !errors.Is(err, errOver) {
			t.Errorf("a pack after Abort: %v", err)
		}
	})
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		tx, _ := r.model.TryBegin(context.Background(), dm.Application)
		if err := r.pack(content.SenMLJSON, account2); !errors.Is(err, serve.ErrPatience) {
			t.Errorf("a pack while the slot is taken: %v", err)
		}
		r.seq.ApplyPack(content.SenMLJSON, []byte(account2), func(err error) { t.Errorf("called after Abort: %v", err) })
		r.settle()
		r.seq.Abort()
		tx.Rollback()
		r.settle()
		r.free()
	})
	// The step before the end is part of a pack, too.
	var seen string
	o := setup{config: func(c *Config) {
		c.BeforeFinish = func(_ context.Context, s dm.Snapshot, done func(error)) {
			v, _ := s.Value(context.Background(), dm.Application, dm.ResourcePath(0, 2, 0))
			seen = v.Text()
			done(Faultf(dm.InstancePath(0, 2), "no certificate"))
		}
	}}
	inRig(t, o, func(t *testing.T, r *rig) {
		before := r.dump()
		if err := r.pack(content.SenMLJSON, account2); err == nil || err.Error() != "/0/2: no certificate" || seen != "coaps://server2" {
			t.Errorf("the outcome is %v, the step has seen %q", err, seen)
		}
		if r.dump() != before {
			t.Errorf("it leaves\n%s", r.dump())
		}
		r.free()
	})
}

// A program applies entries to a transaction of its own.
func TestApplyEntries(t *testing.T) {
	inRig(t, setup{pinned: true}, func(t *testing.T, r *rig) {
		tx, err := r.model.Begin(t.Context(), dm.Bootstrap)
		r.must(err)
		defer tx.Rollback()
		text := join(account2, `[{"bn":"/16/0/0/","n":"0","vs":"x"}]`)
		entries, err := DecodePack(content.SenMLJSON, []byte(text), r.model.Snapshot())
		r.must(err)
		r.must(ApplyEntries(tx, entries))
		n, err := CheckAccounts(tx.Snapshot(), nil)
		if n != 1 || err != nil {
			t.Errorf("%d servers, %v", n, err)
		}
		r.must(tx.Commit())
		// No server could make the instance of the Portfolio object again.
		if got := keys(r.dump(), "/0", "/1", "/16"); got != "/0/0 /0/2 /1/2 /16/0" {
			t.Errorf("afterwards there are %s", got)
		}
		boom := errors.New("boom")
		if _, err := CheckAccounts(r.model.Snapshot(), func(dm.Snapshot, dm.InstanceID) error { return boom }); !errors.Is(err, boom) ||
			!strings.HasPrefix(err.Error(), "/0/0: ") {
			t.Errorf("an account that cannot be used: %v", err)
		}
	})
}

func TestConfig(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		for text, change := range map[string]func(*Config){
			"Sched is missing": func(c *Config) { c.Sched = nil }, "Model is missing": func(c *Config) { c.Model = nil },
			"Limits must not be negative": func(c *Config) { c.Limits.Staged = -1 },
		} {
			c := Config{Sched: r.s, Model: r.model}
			change(&c)
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("New: %v, want %s", err, text)
			}
		}
		s, err := New(Config{Sched: r.s, Model: r.model})
		if err != nil || s.cfg.Format != content.TLV {
			t.Errorf("the defaults: %v, %v", s.cfg.Format, err)
		}
	})
}
