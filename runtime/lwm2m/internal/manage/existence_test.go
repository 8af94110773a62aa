package manage

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// If-Match and If-None-Match are 4.12 where they are not fulfilled, with every operation (RFC 7252
// §5.10.8).
func TestPreconditions(t *testing.T) {
	tag := func(b string) func(*coap.Options) {
		return func(o *coap.Options) { o.Add(coap.OptionIfMatch, []byte(b)) }
	}
	none := func(o *coap.Options) { o.Add(coap.OptionIfNoneMatch, nil) }
	observe := func(more func(*coap.Options)) func(*coap.Options) {
		return func(o *coap.Options) { more(o); o.AddUint(coap.OptionObserve, 0) }
	}
	fetch := to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"}]`).accepting(content.SenMLJSON)
	write := to("IPATCH /").as(content.SenMLJSON, `[{"n":"/3303/1/5750","vs":"x"}]`)
	var rows []row
	for name, c := range map[string]struct {
		there, absent ask
		done          coap.Code
	}{
		"Read":                        {to("GET /3/0/0"), to("GET /3/0/99"), coap.Content},
		"Observe":                     {to("GET /3/0/0").with(observe(func(*coap.Options) {})), to("GET /3/9").with(observe(func(*coap.Options) {})), coap.Content},
		"Discover":                    {to("GET /3/0").accepting(content.Link), to("GET /3/9").accepting(content.Link), coap.Content},
		"Write":                       {to("PUT /3303/1/5750").as(content.Text, "x"), to("PUT /3303/9/5750").as(content.Text, "x"), coap.Changed},
		"Write-Attributes":            {to("PUT /3?pmin=1"), to("PUT /77?pmin=1"), coap.Changed},
		"Execute":                     {to("POST /3/0/4"), to("POST /3/0/5"), coap.Changed},
		"Delete":                      {to("DELETE /3303/1"), to("DELETE /3303/9"), coap.Deleted},
		"Read-Composite":              {fetch, ask{}, coap.Content},
		"Write-Composite":             {write, ask{}, coap.Changed},
		"Read of a resource instance": {to("GET /3/0/7/1"), to("GET /3/0/7/9"), coap.Content},
	} {
		with := func(a ask, more func(*coap.Options)) ask {
			before := a.more
			return a.with(func(o *coap.Options) {
				if before != nil {
					before(o)
				}
				more(o)
			})
		}
		rows = append(rows,
			row{name + " If-Match, there", with(c.there, tag("")), c.done, "", 0},
			row{name + " If-Match of a tag, there", with(c.there, tag("x")), coap.PreconditionFailed, "", 0},
			row{name + " If-None-Match, there", with(c.there, none), coap.PreconditionFailed, "", 0})
		if c.absent.target != "" {
			rows = append(rows,
				row{name + " If-Match, absent", with(c.absent, tag("")), coap.PreconditionFailed, "", 0},
				row{name + " If-None-Match, absent", with(c.absent, none), coap.NotFound, "", 0})
		}
	}
	runRows(t, device12, rows)
}

// A resource exists where its instance supports it: Discover lists it and a Write finds it, whether
// it has a value at the moment or not. A Read of a resource without a value is 4.04.
func TestSupportedWithoutValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.world = func(w *world) { w.ready = noValues(t) }
		r := newRig(t, o)
		p := r.peers[0]
		links := p.do(to("GET /3/0").accepting(content.Link)).body
		for _, path := range []string{"/3/0/14", "/3/0/15"} { // stored and live
			if !strings.Contains(links, "<"+path+">") {
				t.Errorf("Discover does not list %s: %s", path, links)
			}
			if got := p.do(to("GET " + path).accepting(content.Link)); got.body != "<"+path+">" {
				t.Errorf("Discover of %s: %v %s", path, got.code, got.body)
			}
			if got := p.do(to("GET " + path)); got.code != coap.NotFound {
				t.Errorf("Read of %s: %v", path, got.code)
			}
			if got := p.do(to("PUT " + path + "?pmin=1")); got.code != coap.Changed {
				t.Errorf("Write-Attributes on %s: %v", path, got.code)
			}
			if got := p.do(to("PUT "+path).as(content.Text, "x")); got.code != coap.Changed {
				t.Errorf("Write of %s: %v", path, got.code)
			}
		}
		if strings.Contains(links, "/3/0/1>") {
			t.Errorf("Discover lists what is not supported: %s", links)
		}
	})
}

// noValues returns a Device object with resources that have no value or no resource instance.
func noValues(t *testing.T) dm.Object {
	t.Helper()
	o, err := device.New(device.Config{Hooks: device.Hooks{Commit: func(context.Context, *device.Tx) error { return nil }}})
	if err == nil {
		err = o.Add(0, device.Instance{
			Reboot: func(context.Context, dm.Args) error { return nil }, ErrorCode: dm.List[int64](0),
			SupportedBindingAndModes: dm.Str("U"),
			UTCOffset:                dm.Empty[string](),
			Timezone:                 dm.Func(func(context.Context) (string, error) { return "", dm.ErrNoValue }),
			AvailablePowerSources:    dm.EmptyMulti[int64](),
			PowerSourceVoltage: dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
				return nil, nil
			}),
			PowerSourceCurrent: dm.FuncMulti(func(context.Context) (map[dm.ResourceInstanceID]int64, error) {
				return nil, dm.ErrNoValue
			}),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// A resource without resource instances stands in every format that can say so, at every level. One
// whose function has no value is left out, and alone is 4.04.
func TestNoResourceInstances(t *testing.T) {
	for _, c := range []struct {
		f    content.Format
		path string
		want string // hexadecimal, or text
	}{
		{content.TLV, "/3", "08000c" + "8006" + "8007" + "830b410000" + "c11055"},
		{content.TLV, "/3/0", "8006" + "8007" + "830b410000" + "c11055"},
		{content.TLV, "/3/0/6", "8006"},
		{content.TLV, "/3/0/7", "8007"},
		{content.LwM2MCBOR, "/3/0", "a103a100a406a007a00ba10000106155"},
		{content.SenMLJSON, "/3/0", `[{"bn":"/3/0/","n":"11/0","v":0},{"n":"16","vs":"U"}]`},
		{content.SenMLJSON, "/3/0/6", "[]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := device12
			o.world = func(w *world) { w.ready = noValues(t) }
			r := newRig(t, o)
			got := r.peers[0].do(to("GET " + c.path).accepting(c.f))
			body := got.body
			if c.f != content.SenMLJSON {
				body = hex.EncodeToString([]byte(body))
			}
			if got.code != coap.Content || body != c.want {
				t.Errorf("%s in %v: %v %s, want %s", c.path, c.f, got.code, body, c.want)
			}
			if got := r.peers[0].do(to("GET /3/0/8").accepting(c.f)); got.code != coap.NotFound {
				t.Errorf("without a value: %v", got.code)
			}
		})
	}
}
