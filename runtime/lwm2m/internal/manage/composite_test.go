package manage

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

func TestReadComposite(t *testing.T) {
	fetch := func(f content.Format, list ...string) ask {
		return to("FETCH /").as(f, paths(t, f, list...)).accepting(content.SenMLJSON)
	}
	runRows(t, device12, []row{
		{"some", fetch(content.SenMLCBOR, "/3/0/16", "/3/0/11/0", "/1/0/1"), coap.Content,
			`[{"bn":"/1/0/","n":"1","v":86400},{"bn":"/3/0/","n":"11/0","v":0},{"n":"16","vs":"U"}]`,
			content.SenMLJSON},
		{"as the request is in", to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"}]`), coap.Content, "",
			content.SenMLCBOR},
		{"what is not there is left out", fetch(content.SenMLJSON, "/3/0/0", "/3/0/99", "/77", "/3/7", "/3/0/4",
			"/1/0/8"), coap.Content,
			`[{"bn":"/3/0/","n":"0","vs":"Acme"}]`, 0},
		{"hidden objects are left out", fetch(content.SenMLETCHCBOR, "/0", "/0/0/5", "/21", "/3/0/0"), coap.Content,
			`[{"bn":"/3/0/","n":"0","vs":"Acme"}]`, 0},
		{"paths below others", fetch(content.SenMLETCHJSON, "/3/0/6/1", "/3/0/6", "/3/0/6/1"), coap.Content,
			`[{"bn":"/3/0/","n":"6/0","v":1},{"n":"6/1","v":5}]`, 0},
		{"a slow one among them", fetch(content.SenMLCBOR, "/3303/0/5601", "/3/0/0"), coap.Content,
			`[{"bn":"/3/0/","n":"0","vs":"Acme"},{"bn":"/3303/0/","n":"5601","v":-3.5}]`, 0},
		{"nothing", fetch(content.SenMLCBOR, "/77"), coap.Content, "[]", 0},
		{"TLV wanted", to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"}]`).accepting(content.TLV),
			coap.NotAcceptable, "", 0},
		{"TLV sent", to("FETCH /").as(content.TLV, ""), coap.UnsupportedContentFormat, "", 0},
		{"no format", to("FETCH /").as(content.None, "[]"), coap.UnsupportedContentFormat, "", 0},
		{"broken", to("FETCH /").as(content.SenMLJSON, "["), coap.BadRequest, "", 0},
		{"too deep a path", to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0/0/0"}]`), coap.BadRequest, "", 0},
		{"below the root", to("FETCH /3").as(content.SenMLJSON, "[]"), coap.MethodNotAllowed, "", 0},
	})
	empty := device12
	empty.world = func(w *world) {
		bag, err := portfolio.New(portfolio.Config{})
		if err == nil {
			err = bag.Add(0, portfolio.Instance{Identity: dm.EmptyMulti[string]()})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.portfolio = bag
	}
	runRows(t, empty, []row{
		{"resource without instances", fetch(content.SenMLJSON, "/16/0/0"), coap.Content, "[]", 0},
		{"resource without instances among others", fetch(content.SenMLJSON, "/16/0/0", "/3/0/0"), coap.Content,
			`[{"bn":"/3/0/","n":"0","vs":"Acme"}]`, 0},
	})
	runRows(t, setup{servers: 1, version: registry.V(1, 0)}, []row{
		{"LwM2M 1.0 without Accept", to("FETCH /").as(content.SenMLJSON, `[{"n":"/3/0/0"}]`), coap.Content, "",
			content.SenMLCBOR},
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		close(r.dev.release)
		for path, want := range map[string]string{"/1/0/1": `[{"bn":"/1/0/","n":"1","v":86400}]`,
			"/3/0/0": `[{"bn":"/3/0/","n":"0","vs":"Acme"}]`} {
			if got := r.peers[0].do(fetch(content.SenMLCBOR, path)); got.body != want {
				t.Errorf("of %s alone: %s", path, got.body)
			}
		}
		got := r.peers[0].do(fetch(content.SenMLCBOR, "/"))
		for _, want := range []string{"/1/0/", "/3/0/", "/3303/0/", "/3303/1/", "/5/0/"} {
			if !strings.Contains(got.body, `"bn":"`+want) {
				t.Errorf("the root lacks %s: %s", want, got.body)
			}
		}
		if strings.Contains(got.body, `"/0/`) || strings.Contains(got.body, "hunter2") {
			t.Errorf("the root shows Security: %s", got.body)
		}
	})
}

func TestWriteComposite(t *testing.T) {
	patch := func(body string) ask { return to("IPATCH /").as(content.SenMLJSON, body) }
	runRows(t, device12, []row{
		{"over objects", patch(`[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"}]`), coap.Changed, "", 0},
		{"read-only among them", patch(`[{"n":"/1/0/1","v":60},{"n":"/3/0/0","vs":"x"}]`), coap.MethodNotAllowed,
			"/3/0/0", 0},
		{"unknown among them", patch(`[{"n":"/1/0/1","v":60},{"n":"/3/0/99","vs":"x"}]`), coap.NotFound, "/3/0/99", 0},
		{"Security among them", patch(`[{"n":"/1/0/1","v":60},{"n":"/0/0/0","vs":"x"}]`), coap.Unauthorized, "", 0},
		{"wrong type among them", patch(`[{"n":"/1/0/1","vs":"x"}]`), coap.BadRequest, "", 0},
		{"nothing", patch(`[]`), coap.Changed, "", 0},
		{"TLV", to("IPATCH /").as(content.TLV, ""), coap.UnsupportedContentFormat, "", 0},
		{"no format", to("IPATCH /").as(content.None, "[]"), coap.UnsupportedContentFormat, "", 0},
		{"below the root", to("IPATCH /3").as(content.SenMLJSON, "[]"), coap.MethodNotAllowed, "", 0},
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		before := p.senml("/1/0") + p.senml("/3/0")
		p.do(patch(`[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"},{"n":"/3/0/0","vs":"x"}]`))
		if after := p.senml("/1/0") + p.senml("/3/0"); after != before {
			t.Errorf("half of it was made:\n%s, before\n%s", after, before)
		}
		p.do(patch(`[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"}]`))
		if a, b := p.text("/1/0/1"), p.text("/3/0/14"); a != "60" || b != "+01:00" {
			t.Errorf("now %s and %s", a, b)
		}
	})
}

func TestCompositesOnSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		close(r.dev.release)
		r.mount("dev0")
		r.mount("dev1")
		const json, cbor = content.SenMLJSON, content.LwM2MCBOR
		fetch := func(target, body string) ask { return to("FETCH "+target).as(json, body).accepting(json) }
		patch := func(target, body string) ask { return to("IPATCH "+target).as(json, body) }
		both := `[{"n":"/dev0/3303/0/5750"},{"n":"/3303/1"},{"n":"/dev0/3303/0/5700"}]`
		r.peers[0].run([]step{
			// The path names no device: the values of all that the payload names, in its order of
			// devices.
			{fetch("/", both), coap.Content,
				`[{"bn":"/dev0/3303/0/","n":"5700","v":-7},{"n":"5750","vs":"dev0"},{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"fridge"}]`},
			// By slow functions.
			{fetch("/", `[{"n":"/dev1/3303/0/5601"},{"n":"/dev0/3303/0/5601"}]`), coap.Content,
				`[{"bn":"/dev1/3303/0/","n":"5601","v":-40},{"bn":"/dev0/3303/0/","n":"5601","v":-40}]`},
			{fetch("/", `[{"n":"/dev1"}]`), coap.Content,
				`[{"bn":"/dev1/3303/0/","n":"5601","v":-40},{"n":"5700","v":-7},{"n":"5750","vs":"dev1"}]`},
			{fetch("/", `[{"n":"/dev0/3/0/0"},{"n":"/dev0/7"},{"n":"/0/0/5"}]`), coap.Content, "[]"},
			{fetch("/", `[]`), coap.Content, "[]"},
			{fetch("/", `[{"n":"/dev9/3303/0/5700"}]`), coap.BadRequest, "no device here has the prefix of a name"},
			// The path names a device: that alone.
			{fetch("/dev0", `[{"n":"/dev0/3303/0/5750"}]`), coap.Content,
				`[{"bn":"/dev0/3303/0/","n":"5750","vs":"dev0"}]`},
			{fetch("/dev0", `[{"n":"/3303/0/5750"}]`), coap.BadRequest, ""},
			{fetch("/dev0", `[{"n":"/dev1/3303/0/5750"}]`), coap.BadRequest, ""},
			// LwM2M CBOR has no names, so it is about the device of the path.
			{to("FETCH /dev0").as(cbor, paths(t, cbor, "/3303/0/5750")).accepting(json), coap.Content,
				`[{"bn":"/dev0/3303/0/","n":"5750","vs":"dev0"}]`},
			{to("FETCH /").as(cbor, paths(t, cbor, "/3303/0/5750")).accepting(json), coap.Content,
				`[{"bn":"/3303/0/","n":"5750","vs":"boiler"}]`},
			{to("FETCH /dev0").as(json, `[{"n":"/dev0/3303/0/5750"}]`).accepting(cbor), coap.Content,
				"\xa1\x19\x0c\xe7\xa1\x00\xa1\x19\x16\x76\x64dev0"},
			{to("FETCH /").as(json, both).accepting(cbor), coap.NotAcceptable, errNoPrefixes.(*serve.Refusal).Text},
			{to("FETCH /").as(json, `[{"n":"/dev0/3303/0/5750"}]`).accepting(cbor), coap.NotAcceptable,
				errNoPrefixes.(*serve.Refusal).Text},

			// A Write-Composite is about one device.
			{patch("/", `[{"n":"/dev0/3303/0/5750","vs":"a"},{"n":"/3303/0/5750","vs":"a"}]`), coap.BadRequest,
				errSeveralDevices.(*serve.Refusal).Text},
			{patch("/", `[{"n":"/3303/0/5750","vs":"a"},{"n":"/dev0/3303/0/5750","vs":"a"}]`), coap.BadRequest,
				errSeveralDevices.(*serve.Refusal).Text},
			{patch("/", `[{"n":"/dev9/3303/0/5750","vs":"a"}]`), coap.BadRequest,
				"no device here has the prefix of a name"},
			{patch("/", `[{"n":"/dev0/3303/0/5750","vs":"a"},{"n":"/dev9/3303/0/5750","vs":"a"}]`), coap.BadRequest,
				errSeveralDevices.(*serve.Refusal).Text},
			{fetch("/", `[{"n":"/dev0/3303/0/5750"},{"n":"/3303/0/5750"}]`), coap.Content,
				`[{"bn":"/dev0/3303/0/","n":"5750","vs":"dev0"},{"bn":"/3303/0/","n":"5750","vs":"boiler"}]`},
			{patch("/", `[{"n":"/dev0/3303/0/5750","vs":"b"}]`), coap.Changed, ""},
			{patch("/", `[{"n":"/3303/0/5750","vs":"c"},{"n":"/3/0/14","vs":"+01:00"}]`), coap.Changed, ""},
			{patch("/dev1", `[{"n":"/dev1/3303/0/5750","vs":"d"}]`), coap.Changed, ""},
			{patch("/dev1", `[{"n":"/3303/0/5750","vs":"e"}]`), coap.BadRequest, ""},
			{patch("/", `[{"n":"/dev0/7/0/0","vs":"x"}]`), coap.Unauthorized, ""},
			{patch("/", `[{"n":"/dev0/3/0/14","vs":"x"}]`), coap.NotFound, "/3/0/14"},
			{patch("/", `[`), coap.BadRequest, ""},
			{patch("/", `[]`), coap.Changed, ""},
			{to("IPATCH /").as(content.TLV, ""), coap.UnsupportedContentFormat, ""},
			{to("IPATCH /dev0").as(cbor, "\xbf\x19\x0c\xe7\xbf\x00\xbf\x19\x16\x76\x61f\xff\xff\xff"), coap.Changed,
				""},
			{fetch("/", `[{"n":"/3303/0/5750"},{"n":"/dev0/3303/0/5750"},{"n":"/dev1/3303/0/5750"}]`), coap.Content,
				`[{"bn":"/3303/0/","n":"5750","vs":"c"},{"bn":"/dev0/3303/0/","n":"5750","vs":"f"},{"bn":"/dev1/3303/0/","n":"5750","vs":"d"}]`},
		})
	})
	// Without Accept the answer falls back to a format that carries the prefixes.
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.peer = func(c *PeerConfig) { c.Format = content.LwM2MCBOR }
		r := newRig(t, o)
		r.mount("dev0")
		for body, want := range map[string]content.Format{
			`[{"n":"/3303/0/5750"}]`:                           content.LwM2MCBOR,
			`[{"n":"/dev0/3303/0/5750"}]`:                      content.SenMLCBOR,
			`[{"n":"/3303/0/5750"},{"n":"/dev0/3303/0/5750"}]`: content.SenMLCBOR,
		} {
			if got := r.peers[0].do(to("FETCH /").as(content.SenMLJSON, body)); got.code != coap.Content ||
				got.format() != want {
				t.Errorf("%s is answered %v in %v, want %v", body, got.code, got.format(), want)
			}
		}
	})
}
