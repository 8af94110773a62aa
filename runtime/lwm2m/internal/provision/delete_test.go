package provision

import (
	"context"
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestDelete(t *testing.T) {
	const all = `</0/0>,</0/1>;ssid=1;uri="coaps://server1",</1/0>;ssid=1,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</21/1>,</3303>;ver=1.1,</3303/0>`
	const notAffected = "the instance is not affected by a Bootstrap-Delete"
	for _, c := range []struct{ path, answer, left string }{
		// The firmware has no template: no server could create its instance again.
		{"/", "2.02", `</0/0>,</1>,</2>,</3/0>,</5/0>,</16>,</21/0>,</3303>;ver=1.1`},
		{"/0", "2.02", `</0/0>,</1/0>;ssid=1,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</21/1>,</3303>;ver=1.1,</3303/0>`},
		{"/1", "2.02", `</0/0>,</0/1>;ssid=1;uri="coaps://server1",</1>,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</21/1>,</3303>;ver=1.1,</3303/0>`},
		{"/2", "2.02", all},
		{"/3", "2.02", all},
		{"/21", "2.02", `</0/0>,</0/1>;ssid=1;uri="coaps://server1",</1/0>;ssid=1,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</3303>;ver=1.1,</3303/0>`},
		{"/0/1", "2.02", `</0/0>,</1/0>;ssid=1,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</21/1>,</3303>;ver=1.1,</3303/0>`},
		{"/0/0", "4.00 /0/0: " + notAffected, all},
		{"/21/0", "4.00 /21/0: " + notAffected, all},
		{"/3/0", "4.00 /3/0: " + notAffected, all},
		{"/1/7", "4.00 /1/7", all},
		{"/7", "4.00 /7", all},
		{"/7/0", "4.00 /7/0", all},
		{"/1/0/1", "4.00 only the root, an object or an instance can be deleted", all},
		{"/2/0/2/1", "4.00 only the root, an object or an instance can be deleted", all},
		{"/x", "4.00 only the root, an object or an instance can be deleted", all},
	} {
		inRig(t, setup{}, func(t *testing.T, r *rig) {
			if got := r.do(to("DELETE " + c.path)); got.String() != c.answer {
				t.Errorf("DELETE %s: %v, want %s", c.path, got, c.answer)
			}
			if got := r.do(links("/")); got.body != "</>;lwm2m=1.2,"+c.left {
				t.Errorf("DELETE %s leaves\n%s, want\n%s", c.path, got.body, c.left)
			}
		})
	}
}

// A bootstrap account that the sequence has made can be deleted again; the one in force cannot,
// also where the sequence has rewritten it.
func TestDeleteOfNewBootstrapAccount(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/0/5", `[{"bn":"/0/5/","n":"0","vs":"coaps://other"},{"n":"1","vb":true},{"n":"2","v":3}]`))
		r.want(coap.Changed, put("/0/0", `[{"bn":"/0/0/","n":"0","vs":"coaps://same"},{"n":"1","vb":true},{"n":"2","v":3}]`))
		r.want(coap.Deleted, to("DELETE /0"))
		if got := r.do(links("/0")); got.body != `</>;lwm2m=1.2,</0/0>,</0/5>` {
			t.Errorf("DELETE /0 leaves %v", got)
		}
		r.want(coap.Deleted, to("DELETE /0/5"))
		r.want(coap.BadRequest, to("DELETE /0/0"))
		r.want(coap.Deleted, to("DELETE /21")) // /0/0 does not use /21/0 any more
		if got := r.do(links("/21")); got.body != `</>;lwm2m=1.2,</21>` {
			t.Errorf("DELETE /21 leaves %v", got)
		}
	})
}

// A Delete hook that refuses keeps its instance from a Delete of everything, and makes one of its
// object or instance fail as a whole.
func TestDeleteRefusedByHook(t *testing.T) {
	hooks := temperature.Hooks{Delete: func(_ context.Context, id dm.InstanceID) error {
		if id == 0 {
			return dm.Errorf(dm.MethodNotAllowed, "soldered")
		}
		return nil
	}}
	inRig(t, setup{hooks: hooks}, func(t *testing.T, r *rig) {
		r.must(r.things.Add(4, temperature.Instance{SensorValue: dm.Float(1)}))
		if got := r.do(to("DELETE /3303")); got.String() != "4.05 /3303/0" {
			t.Errorf("DELETE /3303: %v", got)
		}
		if got := r.do(links("/3303")); got.body != `</>;lwm2m=1.2,</3303>;ver=1.1,</3303/0>,</3303/4>` {
			t.Errorf("it leaves %v", got)
		}
		r.want(coap.Deleted, to("DELETE /"))
		if got := r.do(links("/3303")); got.body != `</>;lwm2m=1.2,</3303>;ver=1.1,</3303/0>` {
			t.Errorf("DELETE / leaves %v", got)
		}
		r.seq.Abort()
		if r.things.Len() != 2 {
			t.Errorf("after Abort there are %d instances", r.things.Len())
		}
	})
	broken := temperature.Hooks{Delete: func(context.Context, dm.InstanceID) error { return errors.New("secret words") }}
	inRig(t, setup{hooks: broken}, func(t *testing.T, r *rig) {
		if got := r.do(to("DELETE /3303/0")); got.String() != "5.00" {
			t.Errorf("DELETE /3303/0: %v", got)
		}
	})
}
