package manage

import (
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// A request's path is the alternate path, then the prefix of a device, then the path in its data
// model.
func TestRoute(t *testing.T) {
	for _, c := range []struct {
		root, path string
		want       string // the device and the instance that access is asked for, or the code
	}{
		{"", "/3/0/0", " /3/0"},
		{"", "/dev0/3303/0/5700", "dev0 /3303/0"},
		{"", "/0x3/3303/0/5700", "0x3 /3303/0"},
		{"", "/dev00/3303/0/5700", "4.04"},
		{"", "/DEV0/3303/0/5700", "4.04"},
		{"", "/dev0/dev0/3303/0/5700", "4.04"},
		{"", "/dev0/0x3/3303/0/5700", "4.04"},
		{"", "/3303/dev0/0/5700", "4.04"},
		{"", "/dev0/3303/0/5700/0/0", "4.04"},
		{"", "/dev0", "4.05"},
		{"", "/", "4.05"},
		{"", "/lwm2m/3/0/0", "4.04"},
		{"/lwm2m/v1", "/lwm2m/v1/3/0/0", " /3/0"},
		{"/lwm2m/v1", "/lwm2m/v1/dev0/3303/0/5700", "dev0 /3303/0"},
		{"/lwm2m/v1", "/dev0/lwm2m/v1/3303/0/5700", "4.04"},
		{"/lwm2m/v1", "/lwm2m/3/0/0", "4.04"},
		{"/lwm2m/v1", "/3/0/0", "4.04"},
		{"/lwm2m/v1", "/lwm2m", "4.04"},
		{"/lwm2m/v1", "/lwm2m/v1", "4.05"},
		{"/3", "/3/3303/0/5700", " /3303/0"},
	} {
		t.Run(c.root+" "+c.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := ""
				o := device12
				o.peer = func(p *PeerConfig) {
					p.Root = c.root
					p.Authorize = func(_ Operation, prefix string,
						p dm.Path) error {
						asked = prefix + " " + p.String()
						return nil
					}
				}
				r := newRig(t, o)
				r.mount("dev0")
				r.mount("0x3")
				got := r.peers[0].do(to("GET " + c.path))
				if got.code != coap.Content {
					asked = got.code.String()
				}
				if asked != c.want {
					t.Errorf("routed to %q, want %q", asked, c.want)
				}
			})
		})
	}
}

func TestSegments(t *testing.T) {
	for text, want := range map[string]int{ // -1: no ID, -2: a prefix
		"0": 0, "7": 7, "65534": 65534, "65535": -1, "65536": -1, "99999": -1, "4294967299": -1, "00": -1, "07": -1,
		"":  -1,
		"a": -2, "7a": -2, "-1": -2, "+1": -2, "1.5": -2, ":": -2, " 1": -2, "\xff": -2,
	} {
		id, ok := serve.ParseID([]byte(text))
		if isPrefix([]byte(text)) != (want == -2) || ok != (want >= 0) || ok && int(id) != want {
			t.Errorf("%q: a prefix is %t, the ID %s is valid: %t", text, isPrefix([]byte(text)),
				strconv.Itoa(int(id)), ok)
		}
	}
}

// The operation follows from method, level and options.
func TestClassify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{}
		r := newRig(t, guarded(g))
		close(r.dev.release)
		observe := func(v uint32) func(*coap.Options) {
			return func(o *coap.Options) { o.AddUint(coap.OptionObserve, v) }
		}
		for _, c := range []struct {
			ask  ask
			want string // what access is asked for first, or the code
		}{
			{to("GET /3/0/9"), "Read /3/0"},
			{to("GET /3/0/9").with(observe(0)), "Observe /3/0"},
			{to("GET /3/0/9").with(observe(1)), "Read /3/0"},
			{to("GET /3/0/9").accepting(content.Link), "Discover /3/0/9"},
			{to("GET /3/0/9").accepting(content.Link).with(observe(0)), "Discover /3/0/9"},
			{to("PUT /3303/1/5750").as(content.Text, "x"), "Write /3303/1"},
			{to("PUT /3303/1/5750?pmin=1"), "Write-Attributes /3303/1"},
			{to("PUT /3303/1/5750?pmin=1").as(content.Text, "x"), "4.00"},
			{to("PUT /3303/1/5750?pmin").as(content.Text, ""), "4.00"},
			{to("POST /16/0?pmax=1").as(content.TLV, ""), "4.00"},
			{to("PUT /3303/1/5750?x=1").as(content.Text, "x"), "Write /3303/1"},
			{to("POST /16"), "Create /16"},
			{to("POST /16/0").as(content.TLV, ""), "Write /16/0"},
			{to("POST /16/0/0").as(content.TLV, "\x41\x00\x61"), "Write /16/0"},
			{to("POST /3/0/4"), "Execute /3/0"},
			{to("POST /3/0/4").as(content.Text, "1"), "Execute /3/0"},
			{to("POST /3/0/7/0"), "4.05"},
			{to("DELETE /16/0"), "Delete /16/0"},
			{to("DELETE /16"), "4.05"},
			{to("DELETE /3/0/9"), "4.05"},
			{to("DELETE /3/0/7/0"), "Write /3/0"},
			{to("PATCH /3/0"), "4.05"},
			{to("FETCH /3"), "4.05"},
			{to("IPATCH /3"), "4.05"},
		} {
			g.asked = nil
			got := r.peers[0].do(c.ask)
			first := got.code.String()
			if len(g.asked) > 0 {
				first = g.asked[0]
			}
			if first != c.want {
				t.Errorf("%v %s is %s, want %s", c.ask.method, c.ask.target, first, c.want)
			}
		}
	})
}
