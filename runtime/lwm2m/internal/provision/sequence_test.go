package provision

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestSequence(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		before := r.dump()
		got := r.want(coap.Content, links("/"))
		want := `</>;lwm2m=1.2,</0/0>,</0/1>;ssid=1;uri="coaps://server1",</1/0>;ssid=1,</2>,</3/0>,</5/0>,</16/0>,</21/0>,</21/1>,</3303>;ver=1.1,</3303/0>`
		if got.body != want || got.format != content.Link {
			t.Errorf("Discover is %v\n%s, want\n%s", got.format, got.body, want)
		}
		r.want(coap.Changed, put("/0/2", security2))
		r.want(coap.Changed, put("/1", server2))
		got = r.want(coap.Content, links("/0"))
		if want := `</>;lwm2m=1.2,</0/0>,</0/1>;ssid=1;uri="coaps://server1",</0/2>;ssid=2;uri="coaps://server2"`; got.body != want {
			t.Errorf("Discover of /0 is\n%s, want\n%s", got.body, want)
		}
		got = r.want(coap.Content, to("GET /1/2").accepting(content.SenMLJSON))
		if !strings.Contains(got.body, `"n":"0","v":2`) {
			t.Errorf("the Read is %v", got)
		}
		if got := r.dump(); got != before {
			t.Errorf("before the end this is visible:\n%s", got)
		}
		if r.finished > 0 || len(r.persisted) > 0 {
			t.Errorf("before the end: finished %d, persisted %q", r.finished, r.persisted)
		}
		if got := r.want(coap.Changed, to("POST /bs")); got.body != "" {
			t.Errorf("Finish is %v", got)
		}
		r.settle()
		if r.finished != 1 || r.failed != nil || len(r.persisted) != 1 || r.persisted[0] != "bootstrap server" || r.requests != 6 {
			t.Errorf("finished %d, failed %v, persisted %q, %d requests", r.finished, r.failed, r.persisted, r.requests)
		}
		if v, err := r.model.Snapshot().Value(t.Context(), dm.Application, dm.ResourcePath(0, 2, 0)); err != nil || v.Text() != "coaps://server2" {
			t.Errorf("/0/2/0 is %v, %v", v, err)
		}
		if got := r.do(to("POST /bs")); got.code != coap.BadRequest || got.body != "the bootstrap sequence is over" {
			t.Errorf("a Finish after the end: %v", got)
		}
	})
}
