package manage

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A server is notified of its own write with SelfNotify alone, and of what a hook changed with it
// always.
func TestSelfNotify(t *testing.T) {
	amend := temperature.Hooks{Validate: func(_ context.Context, tx *temperature.Tx) error {
		for c := range tx.Changes() {
			if c.New != nil && c.Wrote(temperature.ApplicationTypeID) {
				c.New.SensorValue.Set(99)
			}
		}
		return nil
	}}
	for _, self := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			o := device12
			o.config = func(c *Config) { c.SelfNotify = self }
			o.world = func(w *world) { w.things2 = amend }
			s := observing(t, o, "/3303/1/5750")
			_, amended, _ := s.p.watch(to("GET /3303/1/5700").accepting(content.Text))
			s.p.do(to("PUT /3303/1/5750").as(content.Text, "x"))
			if self {
				s.expect(time.Second, "x")
			} else {
				s.expect(time.Second)
			}
			if len(*amended) != 1 || (*amended)[0].body != "99" {
				t.Errorf("SelfNotify %v: the change by the hook is notified as %v", self, *amended)
			}
		})
	}
}

// A server is not notified of its own changes of resource instances, but of another server's.
func TestOwnResourceInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		r.must(r.dev.portfolio.Add(0, portfolio.Instance{Identity: dm.List("a", "b", "c")}))
		for _, path := range []string{"/16/0/0", "/16/0", "/16"} {
			_, notes, _ := r.peers[0].watch(to("GET " + path))
			for i, step := range []struct {
				ask ask
				own bool
			}{
				{to("PUT /16/0/0/1").as(content.Text, "own"+path), true},
				{to("PUT /16/0/0/1").as(content.Text, "other"+path), false},
				{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/2","vs":"own`+path+`"}]`), true},
				{to("DELETE /16/0/0/2"), true},
				{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/2","vs":"c"}]`), false},
				{to("POST /16"), true}, {to("DELETE /16/1"), true},
			} {
				*notes = nil
				p, want := r.peers[0], 0
				if !step.own {
					p, want = r.peers[1], 1
				}
				if got := p.do(step.ask); !got.code.IsSuccess() {
					t.Fatalf("step %d: %v %q", i, got.code, got.body)
				}
				r.pass(time.Second)
				if len(*notes) != want {
					t.Errorf("%s, step %d: notified %d times, want %d", path, i, len(*notes), want)
				}
			}
			r.peers[0].peer.Reset()
		}
	})
}

// A change that pmin holds back is still notified after an own write to the same instance.
func TestOwnWriteBesideAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].do(to("PUT /3303?pmin=10"))
		_, notes, _ := r.peers[0].watch(to("GET /3303/1").accepting(content.SenMLJSON))
		r.must(r.dev.things.Update(context.Background(), 1, func(i *temperature.Instance) error { i.SensorValue.Set(5); return nil }))
		r.pass(time.Second)
		r.peers[0].do(to("PUT /3303/1/5750").as(content.Text, "x"))
		r.pass(time.Minute)
		if want := `[{"bn":"/3303/1/","n":"5700","v":5},{"n":"5750","vs":"x"}]`; len(*notes) != 1 ||
			(*notes)[0].body != want {
			t.Errorf("notified of %v, want %s", *notes, want)
		}
	})
}
