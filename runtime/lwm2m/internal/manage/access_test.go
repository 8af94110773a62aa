package manage

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// guard is an access control that notes what it was asked.
type guard struct {
	asked  []string
	refuse func(op Operation, p dm.Path) bool
}

func (g *guard) authorize(op Operation, _ string, p dm.Path) error {
	g.asked = append(g.asked, fmt.Sprint(op, " ", p))
	if g.refuse != nil && g.refuse(op, p) {
		return dm.Unauthorized
	}
	return nil
}

func guarded(g *guard) setup {
	o := device12
	o.peer = func(c *PeerConfig) { c.Authorize = g.authorize }
	return o
}

func TestAccessIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{}
		r := newRig(t, guarded(g))
		close(r.dev.release)
		p := r.peers[0]
		for _, c := range []struct {
			ask  ask
			want string
		}{
			{to("GET /3/0/0"), "Read /3/0"},
			{to("GET /3/0/7/1"), "Read /3/0"},
			{to("GET /3303/1"), "Read /3303/1"},
			{to("GET /1"), "Read /1/0"},
			{to("GET /3303/0").accepting(content.Link), "Discover /3303/0"},
			{to("PUT /3303/1/5750").as(content.Text, "x"), "Write /3303/1"},
			{to("POST /3303/1").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`), "Write /3303/1"},
			{to("PUT /3303/1/5750?pmin=1"), "Write-Attributes /3303/1"},
			{to("POST /3/0/4"), "Execute /3/0"},
			{to("POST /16"), "Create /16"},
			{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/0","vs":"x"},{"n":"/16/0/0/1","vs":"y"}]`),
				"Write /16/0"},
			{to("DELETE /16/0/0/1"), "Write /16/0"},
			{to("DELETE /16/0"), "Delete /16/0"},
			{to("IPATCH /").as(content.SenMLJSON, `[{"n":"/1/0/1","v":60},{"n":"/3303/1/5750","vs":"z"}]`),
				"Write /1/0 Write /3303/1"},
			{to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"},{"n":"/3303/1/5700"}]`), "Read /3/0 Read /3303/1"},
		} {
			g.asked = nil
			if got := p.do(c.ask); !got.code.IsSuccess() {
				t.Errorf("%v %s: %v %q", c.ask.method, c.ask.target, got.code, got.body)
			}
			if got := strings.Join(g.asked, " "); got != c.want {
				t.Errorf("%v %s asked for %q, want %q", c.ask.method, c.ask.target, got, c.want)
			}
		}
	})
}

func TestAccessIsRefused(t *testing.T) {
	g := &guard{refuse: func(op Operation, p dm.Path) bool { return p.Object() != 1 }}
	runRows(t, guarded(g), []row{
		{"Read", to("GET /3/0/0"), coap.Unauthorized, "", 0},
		{"Read of an object without any open instance", to("GET /3303"), coap.Unauthorized, "", 0},
		{"Observe", to("GET /3/0/0").with(func(o *coap.Options) { o.AddUint(coap.OptionObserve, 0) }),
			coap.Unauthorized, "", 0},
		{"Discover", to("GET /3").accepting(content.Link), coap.Unauthorized, "", 0},
		{"Write", to("PUT /3303/1/5750").as(content.Text, "x"), coap.Unauthorized, "", 0},
		{"Write in blocks", to("PUT /5/0/0").as(content.Opaque, firmware(4000)), coap.Unauthorized, "", 0},
		{"Write-Attributes", to("PUT /3?pmin=1"), coap.Unauthorized, "", 0},
		{"Execute", to("POST /3/0/4"), coap.Unauthorized, "", 0},
		{"Create", to("POST /16"), coap.Unauthorized, "", 0},
		{"Delete", to("DELETE /3303/1"), coap.Unauthorized, "", 0},
		{"Delete of a resource instance", to("DELETE /3/0/7/1"), coap.Unauthorized, "", 0},
		{"stream", to("GET /20/0/4014"), coap.Unauthorized, "", 0},
		{"Write-Composite", to("IPATCH /").as(content.SenMLJSON,
			`[{"n":"/1/0/1","v":60},{"n":"/3303/1/5750","vs":"z"}]`), coap.Unauthorized, "", 0},
		{"Read-Composite leaves out", to("FETCH /").as(content.SenMLJSON,
			`[{"n":"/1/0/1"},{"n":"/3/0/0"}]`).accepting(content.SenMLJSON),
			coap.Content, `[{"bn":"/1/0/","n":"1","v":86400}]`, 0},
	})
	one := &guard{refuse: func(op Operation, p dm.Path) bool { return p == dm.InstancePath(3303, 0) }}
	runRows(t, guarded(one), []row{
		{"an object leaves out what is not open", to("GET /3303").accepting(content.SenMLJSON), coap.Content,
			`[{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"fridge"}]`, 0},
	})
}

// An observation ends when its server may not read any more.
func TestObservationLosesAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{}
		s := observing(t, guarded(g), "/3303/1/5750")
		g.refuse = func(Operation, dm.Path) bool { return true }
		s.label("secret")
		s.expect(time.Second, "4.01")
		if s.p.peer.Observations() != 0 {
			t.Error("the observation is still there")
		}
	})
}
