package provision

import (
	"context"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

func TestDiscover(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		// A server of OSCORE shows its instance, that of the bootstrap server does not.
		r.must(r.security.Update(t.Context(), 1, func(i *security.Instance) error {
			i.OSCORESecurityMode = dm.Link(dm.ObjectLink{Object: 21, Instance: 1})
			return nil
		}))
		for _, c := range []struct {
			ask  ask
			want string
		}{
			{links("/0"), `2.05 </>;lwm2m=1.2,</0/0>,</0/1>;ssid=1;uri="coaps://server1"`},
			{links("/1"), `2.05 </>;lwm2m=1.2,</1/0>;ssid=1`},
			{links("/2"), `2.05 </>;lwm2m=1.2,</2>`},
			{links("/21"), `2.05 </>;lwm2m=1.2,</21/0>,</21/1>;ssid=1`},
			{links("/7"), `4.04 /7`},
			{links("/x"), `4.04 the path is not an object of this device`},
			{links("/bs"), `4.04 the path is not an object of this device`},
			{links("/65535"), `4.04 the path is not an object of this device`},
			{links("/1/0"), `4.00 only the root and an object can be discovered`},
			{links("/1/0/0"), `4.00 only the root and an object can be discovered`},
			{to("GET /").accepting(content.SenMLJSON), `4.05 only /1 and /2 and their instances can be read`},
			{to("FETCH /"), `4.05 the method is not defined for this path`},
		} {
			if got := r.do(c.ask); got.String() != c.want {
				t.Errorf("%s: %v, want %s", c.ask.line, got, c.want)
			}
		}
		if all, bare := r.do(links("/")), r.do(to("GET /")); bare.body != all.body || bare.format != content.Link {
			t.Errorf("without Accept: %v", bare)
		}
	})
}

func TestDiscoverOfVersion10(t *testing.T) {
	inRig(t, setup{config: func(c *Config) { c.Version = registry.V(1, 0) }}, func(t *testing.T, r *rig) {
		if got := r.do(links("/1")); got.body != `lwm2m="1.0",</1/0>;ssid=1` {
			t.Errorf("Discover is %v", got)
		}
	})
}

// A URI that no link can show is left out, so that what follows can be read.
func TestDiscoverOfStrangeURI(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, to("PUT /0/1/0").as(content.Text, "coap://a\"b\\c,<d>"))
		if got := r.do(links("/0")); got.body != `</>;lwm2m=1.2,</0/0>,</0/1>;ssid=1;uri="coap://a\"b\\c,<d>"` {
			t.Errorf("Discover is %v", got)
		}
		r.want(coap.Changed, to("PUT /0/1/0").as(content.Text, "coap://a\nb"))
		if got := r.do(links("/0")); got.body != `</>;lwm2m=1.2,</0/0>,</0/1>;ssid=1` {
			t.Errorf("Discover is %v", got)
		}
	})
}

func TestRead(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/2/0", `[{"bn":"/2/0/","n":"0","v":3303},{"n":"1","v":0},{"n":"2/1","v":31},{"n":"3","v":1}]`))
		acl := `[{"bn":"/2/0/","n":"0","v":3303},{"n":"1","v":0},{"n":"2/1","v":31},{"n":"3","v":1}]`
		const notRead = "4.05 only /1 and /2 and their instances can be read"
		for _, c := range []struct {
			ask  ask
			want string
		}{
			{to("GET /2").accepting(content.SenMLJSON), "2.05 " + acl},
			{to("GET /2/0").accepting(content.SenMLJSON), "2.05 " + acl},
			{to("GET /2/1").accepting(content.SenMLJSON), "4.04 /2/1"},
			{to("GET /1/1").accepting(content.SenMLJSON), "4.04 /1/1"},
			{to("GET /2/0").accepting(content.Text), "4.06 /2/0"},
			{to("GET /2/0").accepting(9999), "4.06 /2/0"},
			{to("GET /2/0/3"), notRead},
			{to("GET /0"), notRead},
			{to("GET /0/1"), notRead},
			{to("GET /0/0/5").accepting(content.Opaque), notRead},
			{to("GET /3/0"), notRead},
			{to("GET /7"), notRead},
			{to("GET /x"), "4.04 the path is not an object of this device"},
		} {
			if got := r.do(c.ask); got.String() != c.want {
				t.Errorf("%s: %v, want %s", c.ask.line, got, c.want)
			}
		}
		for _, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR, content.LwM2MJSON, content.LegacyTLV} {
			for _, p := range []string{"/1", "/2", "/2/0"} {
				got := r.want(coap.Content, to("GET "+p).accepting(f))
				base, err := dm.ParsePath(p)
				r.must(err)
				entries, err := decode(f, []byte(got.body), base, r.seq.snapshot())
				if err != nil || len(entries) == 0 || got.format != f {
					t.Errorf("%s in %v: %v, format %v, %d entries", p, f, err, got.format, len(entries))
				}
			}
		}
		if got := r.do(to("GET /2/0")); got.format != content.SenMLCBOR {
			t.Errorf("without Accept the format is %v", got.format)
		}
	})
}

// A Read that needs a slow function is answered late, and later requests wait for it.
func TestReadSlowly(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		r.must(r.servers.Update(t.Context(), 0, func(i *server.Instance) error {
			i.TLSAlertCode = dm.Slow(func(context.Context) (uint64, error) { <-release; return 77, nil })
			return nil
		}))
		first := r.begin(to("GET /1/0").accepting(content.SenMLJSON))
		second := r.begin(links("/1"))
		r.settle()
		if first.done || second.done {
			t.Errorf("answered while the function runs: %v, %v", first, second)
		}
		close(release)
		r.until(func() bool { return second.done })
		if !strings.Contains(first.body, `{"n":"11","v":77}`) || second.code != coap.Content {
			t.Errorf("the answers are %v, %v", first, second)
		}
	})
}
