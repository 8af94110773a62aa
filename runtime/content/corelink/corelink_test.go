package corelink_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func path(t testing.TB, s string) dm.Path {
	t.Helper()
	p, err := dm.ParsePath(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEncode writes the lists of links in the examples of the specification.
func TestEncode(t *testing.T) {
	for _, v := range []struct {
		name, root, want string
		write            func(e *corelink.Encoder)
	}{
		{"Core 1.2.2 §6.2.1.2, Register", "", `</>;rt="oma.lwm2m";ct=11543,</1/101>,</1/102>,</2/0>,</3/0>,</5>`, func(e *corelink.Encoder) {
			e.Root(content.LwM2MJSON)
			for _, s := range []string{"/1/101", "/1/102", "/2/0", "/3/0", "/5"} {
				e.Link(path(t, s))
			}
		}},
		{"Register at an alternate path, with formats", "/lwm2m", `</lwm2m>;rt="oma.lwm2m";ct="112 110 11542",</lwm2m/3/0>,</lwm2m/44>;ver=2.2,</lwm2m/44/0>`,
			func(e *corelink.Encoder) {
				e.Root(content.SenMLCBOR, content.SenMLJSON, content.TLV)
				e.Link(path(t, "/3/0"))
				e.Link(path(t, "/44"))
				e.Version("ver", registry.V(2, 2))
				e.Link(path(t, "/44/0"))
			}},
		{"Register of a device behind a gateway", "/dev0", `</dev0/3/0>,</dev0/3303/0>`, func(e *corelink.Encoder) {
			e.Link(path(t, "/3/0"))
			e.Link(path(t, "/3303/0"))
		}},
		{"Core 1.2.2 §6.3.2, Discover /3/0", "", `</3/0>;pmin=10;pmax=60,</3/0/0>,</3/0/6>;dim=8,</3/0/7>;dim=8;gt=50;lt=42.2;st=0.5,</3/0/16>`, func(e *corelink.Encoder) {
			e.Link(path(t, "/3/0"))
			e.Int("pmin", 10)
			e.Int("pmax", 60)
			e.Link(path(t, "/3/0/0"))
			e.Link(path(t, "/3/0/6"))
			e.Int("dim", 8)
			e.Link(path(t, "/3/0/7"))
			e.Int("dim", 8)
			e.Float("gt", 50)
			e.Float("lt", 42.2)
			e.Float("st", 0.5)
			e.Link(path(t, "/3/0/16"))
		}},
		{"Core 1.0.2 §5.2.7.3, Bootstrap-Discover, with ver as in later versions", "", `lwm2m="1.0",</0/0>,</0/1>;ssid=101,</1/0>;ssid=101,</4>;ver=1.1`, func(e *corelink.Encoder) {
			e.Enabler(registry.V(1, 0))
			e.Link(path(t, "/0/0"))
			e.Link(path(t, "/0/1"))
			e.Int("ssid", 101)
			e.Link(path(t, "/1/0"))
			e.Int("ssid", 101)
			e.Link(path(t, "/4"))
			e.Version("ver", registry.V(1, 1))
		}},
		{"Core 1.2.2 §6.1.7.3, Bootstrap-Discover", "", `</>;lwm2m=1.2,</0/1>;ssid=101;uri="coaps://example.com/\"\\"`, func(e *corelink.Encoder) {
			e.Enabler(registry.V(1, 2))
			e.Link(path(t, "/0/1"))
			e.Int("ssid", 101)
			e.Text("uri", `coaps://example.com/"\`)
		}},
		{"nothing", "", "", func(*corelink.Encoder) {}},
	} {
		t.Run(v.name, func(t *testing.T) {
			var e corelink.Encoder
			e.Begin([]byte("head"), v.root)
			v.write(&e)
			b, err := e.Finish()
			if err != nil || string(b) != "head"+v.want {
				t.Errorf("%s, %v\nwant %s", b, err, v.want)
			}
			var again []string
			err = corelink.Parse(b[4:], func(l corelink.Link) error { again = append(again, l.String()); return nil })
			if err != nil || strings.Join(again, ",") != v.want {
				t.Errorf("read as %q, %v", again, err)
			}
		})
	}
}

func TestEncodeRefused(t *testing.T) {
	for name, write := range map[string]func(e *corelink.Encoder){
		"a root without a slash":       func(e *corelink.Encoder) { e.Begin(nil, "lwm2m") },
		"a root with a blank":          func(e *corelink.Encoder) { e.Begin(nil, "/lw m2m") },
		"a root that ends the link":    func(e *corelink.Encoder) { e.Begin(nil, "/a>") },
		"a text that is not UTF-8":     func(e *corelink.Encoder) { e.Begin(nil, ""); e.Text("uri", "\xff") },
		"a text with a line break":     func(e *corelink.Encoder) { e.Begin(nil, ""); e.Text("uri", "a\r\nb") },
		"a text with a NUL, then good": func(e *corelink.Encoder) { e.Begin(nil, ""); e.Text("uri", "\x00"); e.Text("uri", "a") },
	} {
		var e corelink.Encoder
		write(&e)
		if _, err := e.Finish(); !errors.Is(err, dm.InternalServerError) {
			t.Errorf("%s: %v, want 5.00", name, err)
		}
	}
}

func TestParse(t *testing.T) {
	const list = ` </lwm2m>;rt="oma.lwm2m other";ct="110 112" , </lwm2m/3303>;ver=1.1 ; x;y="a\"b,c;d>" ,<coap://h/3?a=b>;gt=-1.5`
	var targets, attrs []string
	err := corelink.Parse([]byte(list), func(l corelink.Link) error {
		targets = append(targets, l.Target)
		for n, v := range l.Attrs() {
			attrs = append(attrs, n+"="+v)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/lwm2m", "/lwm2m/3303", "coap://h/3?a=b"}; !slices.Equal(targets, want) {
		t.Errorf("targets %q, want %q", targets, want)
	}
	if want := []string{"rt=oma.lwm2m other", "ct=110 112", "ver=1.1", "x=", `y=a"b,c;d>`, "gt=-1.5"}; !slices.Equal(attrs, want) {
		t.Errorf("attributes %q, want %q", attrs, want)
	}
	stop := errors.New("stop")
	if err := corelink.Parse([]byte(list), func(corelink.Link) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want the caller's own error", err)
	}
}

func TestLinkPath(t *testing.T) {
	for _, v := range []struct{ target, root, want string }{
		{"/3303/0", "", "/3303/0"}, {"/", "", "/"}, {"/lwm2m/3303", "/lwm2m", "/3303"}, {"/lwm2m", "/lwm2m", "/"},
		{"/3303/0", "/lwm2m", ""}, {"/lwm2mx/1", "/lwm2m", ""}, {"/x", "", ""}, {"/3/", "", ""}, {"", "", ""},
	} {
		p, ok := corelink.Link{Target: v.target}.Path(v.root)
		if ok != (v.want != "") || ok && p.String() != v.want {
			t.Errorf("%q below %q: %v, %v; want %q", v.target, v.root, p, ok, v.want)
		}
	}
}

func TestParseRefused(t *testing.T) {
	for name, list := range map[string]string{
		"a comma at the end":              `</3/0>,`,
		"a comma at the end, and a blank": `</3/0>, `,
		"two commas":                      `</3/0>,,</4/0>`,
		"no comma":                        `</3/0></4/0>`,
		"a semicolon at the end":          `</3/0>;`,
		"a link that does not end":        `</3/0`,
		"an empty link":                   `<>`,
		"a link with a blank":             `</3 /0>`,
		"a link in a link":                `<</3/0>>`,
		"an attribute without a name":     `</3/0>;=1`,
		"an attribute without its value":  `</3/0>;pmin=`,
		"an empty value":                  `</3/0>;pmin=,</4/0>`,
		"a quote that does not end":       `</3/0>;rt="a`,
		"an escape at the end":            `</3/0>;rt="a\`,
		"text after a quote":              `</3/0>;rt="a"b`,
		"a line break in a quote":         "</3/0>;rt=\"a\nb\"",
		"an escaped line break":           "</3/0>;rt=\"a\\\nb\"",
		"not UTF-8":                       "</3/0>;rt=\"\xff\"",
		"a NUL":                           "\x00",
		"an attribute alone, and another": `lwm2m="1.0";x`,
	} {
		if err := corelink.Parse([]byte(list), func(corelink.Link) error { return nil }); !errors.Is(err, dm.BadRequest) {
			t.Errorf("%s: %v, want 4.00", name, err)
		}
	}
}

func TestRegistration(t *testing.T) {
	r, err := corelink.ParseRegistration([]byte(`</lwm2m>;rt="oma.lwm2m";ct="110 112",</lwm2m/1/0>,</lwm2m/3303>;ver="1.1",</lwm2m/3303/0>,</lwm2m/44>;ver=2.2,</sensors/temp>,</lwm2m/3/0/0>`))
	if err != nil {
		t.Fatal(err)
	}
	nodes := []corelink.RegisteredNode{{Path: path(t, "/1/0")}, {Path: path(t, "/3303"), Version: registry.V(1, 1)}, {Path: path(t, "/3303/0")},
		{Path: path(t, "/44"), Version: registry.V(2, 2)}}
	if r.Root != "/lwm2m" || !slices.Equal(r.Formats, []content.Format{content.SenMLJSON, content.SenMLCBOR}) || !slices.Equal(r.Nodes, nodes) {
		t.Errorf("%+v", r)
	}
	for p, want := range map[string]bool{"/1": true, "/1/0": true, "/1/1": false, "/3303/0": true, "/4": false} {
		if r.Has(path(t, p)) != want {
			t.Errorf("%s: %v, want %v", p, !want, want)
		}
	}
	if r, err = corelink.ParseRegistration([]byte(`</>;rt="oma.lwm2m";ct=110,</3/0>`)); err != nil || r.Root != "" || len(r.Formats) != 1 || len(r.Nodes) != 1 {
		t.Errorf("at the root: %+v, %v", r, err)
	}
	if r, err = corelink.ParseRegistration(nil); err != nil || r.Nodes != nil {
		t.Errorf("an Update without a list: %+v, %v", r, err)
	}
	for _, bad := range []string{`</>;rt="oma.lwm2m";ct="x"`, `</>;rt="oma.lwm2m";ct=70000`, `</3`} {
		if _, err := corelink.ParseRegistration([]byte(bad)); !errors.Is(err, dm.BadRequest) {
			t.Errorf("%s: %v, want 4.00", bad, err)
		}
	}
}

// TestRegisteredVersions reads versions before 1.0, and keeps an object whose version is none.
func TestRegisteredVersions(t *testing.T) {
	r, err := corelink.ParseRegistration([]byte(`</3>;ver=0.2,</4>;ver="2.0.1",</5>;ver=latest,</6>;ver,</7>;ver=0.0,</8/0>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []corelink.RegisteredNode{
		{Path: path(t, "/3"), Version: registry.V(0, 2)},
		{Path: path(t, "/4"), VersionText: "2.0.1"},
		{Path: path(t, "/5"), VersionText: "latest"},
		{Path: path(t, "/6")},
		{Path: path(t, "/7"), VersionText: "0.0"},
		{Path: path(t, "/8/0")},
	}
	if !slices.Equal(r.Nodes, want) {
		t.Errorf("got %+v, want %+v", r.Nodes, want)
	}
}

func TestAllocations(t *testing.T) {
	var e corelink.Encoder
	buf := make([]byte, 0, 256)
	p := path(t, "/3303/0/5700")
	n := testing.AllocsPerRun(100, func() {
		e.Begin(buf, "/lwm2m")
		e.Root(content.SenMLCBOR, content.TLV)
		e.Link(p)
		e.Int("pmin", 5)
		e.Float("gt", 22.5)
		e.Version("ver", registry.V(1, 1))
		e.Text("uri", "coaps://lwm2m.example.com")
		if _, err := e.Finish(); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCorelink(f *testing.F) {
	var e corelink.Encoder
	e.Begin(nil, "/lwm2m")
	e.Enabler(registry.V(1, 0))
	e.Root(content.SenMLCBOR, content.TLV)
	e.Link(path(f, "/3303/0"))
	e.Version("ver", registry.V(1, 1))
	e.Text("uri", `a"\,;>`)
	e.Float("gt", -1.5)
	b, err := e.Finish()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`</3/0>;x , <a:b>`))
	f.Fuzz(func(t *testing.T, list []byte) {
		links := func(b []byte) (all []string, err error) {
			err = corelink.Parse(b, func(l corelink.Link) error {
				s := l.Target
				for n, v := range l.Attrs() {
					s += "|" + n + "|" + v
				}
				all = append(all, s)
				return nil
			})
			return all, err
		}
		first, err := links(list)
		if err != nil {
			return
		}
		var again []string
		if err := corelink.Parse(list, func(l corelink.Link) error { again = append(again, l.String()); return nil }); err != nil {
			t.Fatal(err)
		}
		second, err := links([]byte(strings.Join(again, ",")))
		if err != nil || !slices.Equal(first, second) {
			t.Fatalf("%q is %q, then %q, %v", list, first, second, err)
		}
		if _, err := corelink.ParseRegistration(list); err != nil && !errors.Is(err, dm.BadRequest) {
			t.Fatal(err)
		}
	})
}
