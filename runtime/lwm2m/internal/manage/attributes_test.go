package manage

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestWriteAttributes(t *testing.T) {
	bad := func(line string) row { return row{line, to("PUT " + line), coap.BadRequest, "", 0} }
	good := func(line string) row { return row{line, to("PUT " + line), coap.Changed, "", 0} }
	runRows(t, device12, []row{
		good("/3?pmin=10&pmax=200"), good("/3/0?pmin=0"), good("/3/0/9?gt=50&lt=20.5&st=2"),
		good("/3/0/7/1?epmin=1&epmax=20"),
		good("/3?con=1&hqmax=10"), good("/3303/1/5700?gt=-1.5e1"), good("/1/0/6?edge=1"), good("/3?pmin"),
		bad("/3?pmin="), bad("/3/0/9?gt="), bad("/3?pmin=1&pmax="), good("/3/0/9?gt"),
		good("/3?pmin=60&pmax=10"), good("/3/0/15?pmin=1"), good("/3/0/4?pmin=1"), good("/3/0/9?gt=5&lt=-1&st=2.9"),
		good("/3/0/9?lt=5"), good("/3?epmin=5&epmax=6"),
		good("/3/0/9?gt=" + strings.Repeat("0", 63) + "1"),
		bad("/3?gt=5"), bad("/3/0?st=1"), bad("/3/0/0?gt=5"), bad("/3/0/9?edge=1"), bad("/1/0/6?gt=1"),
		bad("/1/0/6?edge=2"),
		bad("/3/0/9?gt=5&lt=5"), bad("/3/0/9?gt=5&lt=6"), bad("/3/0/9?gt=5&lt=-1&st=3"), bad("/3/0/9?st=-1"), bad("/3/0/9?st=0"), bad("/3?epmin=5&epmax=5"),
		bad("/3/0/9?gt=NaN"),
		bad("/3/0/9?gt=Inf"), bad("/3/0/9?gt=0x10"), bad("/3/0/9?gt=1e999"), bad("/3/0/9?gt=1e"),
		bad("/3/0/9?gt=0x1p4"),
		bad("/3/0/9?gt=" + strings.Repeat("0", 64) + "1"), bad("/3?pmin=-1"), bad("/3?pmin=1.5"),
		bad("/3?pmin=4294967296"),
		bad("/3?pmin=x"), bad("/3?con=2"), bad("/3?epmin=5&epmax=4"), bad("/3?color=red"), bad("/3?pmin=1&pmin=2"),
		bad("/3?dim=2"), bad("/3?="),
		{"no object", to("PUT /77?pmin=1"), coap.NotFound, "", 0},
		{"no resource instance", to("PUT /3/0/7/9?pmin=1"), coap.NotFound, "", 0},
		{"Security", to("PUT /0?pmin=1"), coap.Unauthorized, "", 0},
		{"root", to("PUT /?pmin=1"), coap.MethodNotAllowed, "", 0},
	})
}

// TestDiscoverAttributes is 1.1-int-260, 261, 1.2-int-264 and 951 in short.
func TestDiscoverAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		p := r.peers[0]
		links := func(p *remote, path string) string {
			return p.do(to("GET " + path).accepting(content.Link)).body
		}
		set := func(line string) {
			t.Helper()
			if got := p.do(to("PUT " + line)); got.code != coap.Changed {
				t.Fatalf("%s: %v %s", line, got.code, got.body)
			}
		}
		expect := func(path, want string) {
			t.Helper()
			if got := links(p, path); got != want {
				t.Errorf("Discover %s\n%s, want\n%s", path, got, want)
			}
		}
		set("/3?pmin=10&pmax=200")
		set("/3/0?pmax=320")
		set("/3/0/11/0?epmin=1&epmax=20&pmax=100")
		set("/3/0/9?lt=1.5&gt=6.5&st=0.25")
		set("/3/0/7?con=1&hqmax=3")
		expect("/3?depth=0", "</3>;ver=1.2;pmin=10;pmax=200")
		expect("/3/0/11", "</3/0/11>;dim=1;pmin=10;pmax=320,</3/0/11/0>;pmax=100;epmin=1;epmax=20")
		expect("/3/0/11/0", "</3/0/11/0>;pmin=10;pmax=100;epmin=1;epmax=20")
		expect("/3/0/9", "</3/0/9>;pmin=10;pmax=320;gt=6.5;lt=1.5;st=0.25")
		all := links(p, "/3/0")
		if !strings.HasPrefix(all, "</3/0>;pmin=10;pmax=320,</3/0/0>,") ||
			!strings.Contains(all, "</3/0/7>;dim=2;con=1;hqmax=3,") {
			t.Errorf("Discover /3/0\n%s", all)
		}
		// Another server has attributes of its own.
		if got := links(r.peers[1], "/3/0/9"); got != "</3/0/9>" {
			t.Errorf("the other server sees %s", got)
		}
		// Removed again.
		set("/3/0/9?gt&lt")
		expect("/3/0/9", "</3/0/9>;pmin=10;pmax=320;st=0.25")
		// The defaults of the account, with the parameter of LwM2M 1.2.
		p.do(to("PUT /1/0/2").as(content.Text, "7"))
		p.do(to("PUT /1/0/3").as(content.Text, "77"))
		expect("/1?depth=1", "</1>;ver=1.2;pmin=7;pmax=77,</1/0>,</1/1>")
		expect("/3?depth=1", "</3>;ver=1.2;pmin=10;pmax=200,</3/0>;pmax=320")
	})
}

func TestAttributesGoWithTheirNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		discover := func(path string) string { return p.do(to("GET " + path).accepting(content.Link)).body }
		p.do(to("POST /16").as(content.SenMLJSON, `[{"n":"/16/0/0/0","vs":"x"},{"n":"/16/0/0/1","vs":"y"}]`))
		p.do(to("PUT /16/0?pmin=5"))
		p.do(to("PUT /16/0/0/1?pmin=6"))
		p.do(to("PUT /3303/1?pmin=8"))
		// A change of another resource instance does not remove them.
		p.do(to("PUT /16/0/0/0").as(content.Text, "z"))
		if got := discover("/16/0/0/1"); got != "</16/0/0/1>;pmin=6" {
			t.Errorf("after a change beside it: %s", got)
		}
		// A resource instance is deleted and written again by requests that follow each other at
		// once.
		p.do(to("DELETE /16/0/0/1"))
		p.do(to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/1","vs":"y"}]`))
		if got := discover("/16/0/0"); got != "</16/0/0>;dim=2;pmin=5,</16/0/0/0>,</16/0/0/1>" {
			t.Errorf("after a resource instance: %s", got)
		}
		p.do(to("DELETE /16/0"))
		p.do(to("POST /16"))
		if got := discover("/16/0"); !strings.HasPrefix(got, "</16/0>,") && got != "</16/0>" {
			t.Errorf("after an instance: %s", got)
		}
		// The application deletes an instance.
		if err := r.dev.things.Remove(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		r.pass(0)
		if err := r.dev.things.Add(1, temperature.Instance{SensorValue: dm.Float(1)}); err != nil {
			t.Fatal(err)
		}
		if got := discover("/3303/1"); got != "</3303/1>,</3303/1/5700>" {
			t.Errorf("after the application: %s", got)
		}
		if n := r.m.watched.Load(); n != 0 {
			t.Errorf("%d nodes are watched, want none", n)
		}
	})
}

func TestAttributeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.config = func(c *Config) { c.Limits.Attributes = 2 }
		r := newRig(t, o)
		p := r.peers[0]
		for _, s := range []struct {
			line string
			code coap.Code
		}{
			{"PUT /3?pmin=1", coap.Changed}, {"PUT /1?pmin=1", coap.Changed},
			{"PUT /5?pmin=1", coap.ServiceUnavailable},
			{"PUT /3?pmin=2", coap.Changed}, {"PUT /3?pmin", coap.Changed}, {"PUT /5?pmin=1", coap.Changed},
		} {
			if got := p.do(to(s.line)); got.code != s.code {
				t.Errorf("%s: %v, want %v", s.line, got.code, s.code)
			}
		}
		if n := r.m.watched.Load(); n != 2 {
			t.Errorf("%d nodes are watched, want 2", n)
		}
	})
}

// A Write with attributes beside its payload is 4.00 and does neither, also in several blocks.
func TestWriteWithAttributes(t *testing.T) {
	for _, size := range []int{1, 3000} {
		for _, line := range []string{"PUT /3303/1/5750?pmin=10", "PUT /3303/1/5750?pmin", "PUT /3303/1/5750?x=1&gt=5"} {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, device12)
				p := r.peers[0]
				if got := p.do(to(line).as(content.Text, strings.Repeat("x", size))); got.code != coap.BadRequest {
					t.Errorf("%s with %d bytes: %v", line, size, got.code)
				}
				if got := p.text("/3303/1/5750"); got != "fridge" {
					t.Errorf("%s wrote %q", line, got)
				}
				if got := p.do(to("GET /3303/1/5750").accepting(content.Link)); got.body != "</3303/1/5750>" {
					t.Errorf("%s left %s", line, got.body)
				}
			})
		}
	}
}

// So is every other request that carries values: a partial Update, a Create and a Write-Composite.
func TestOtherWritesWithAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		for line, body := range map[string]string{
			"POST /3303/1?pmin=10": `[{"n":"/3303/1/5750","vs":"x"}]`,
			"IPATCH /?pmin=10":     `[{"n":"/3303/1/5750","vs":"x"}]`,
			"POST /3303?pmin=10":   `[{"n":"/3303/9/5750","vs":"x"}]`,
		} {
			if got := p.do(to(line).as(content.SenMLJSON, body)); got.code != coap.BadRequest || !strings.Contains(got.body, "not both") {
				t.Errorf("%s: %v %s", line, got.code, got.body)
			}
		}
		if got := p.text("/3303/1/5750"); got != "fridge" {
			t.Errorf("wrote %q", got)
		}
	})
}
