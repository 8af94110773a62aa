package codec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// An answer of several devices names the device of each value, in the formats that have names.
func TestEncodeSeveralDevices(t *testing.T) {
	for f, want := range map[content.Format]string{
		content.SenMLJSON: `[{"bn":"/3/0/","n":"9","v":1},{"bn":"/dev0/3/0/","n":"9","v":2},{"n":"10","v":3},{"bn":"/dev1/3/0/","n":"9","v":4}]`,
		content.SenMLCBOR: "\x84\xa3\x21\x65/3/0/\x00\x619\x02\x01" + "\xa3\x21\x6a/dev0/3/0/\x00\x619\x02\x02" +
			"\xa2\x00\x6210\x02\x03" + "\xa3\x21\x6a/dev1/3/0/\x00\x619\x02\x04",
	} {
		var e codec.Encoder
		if err := e.Begin(f, nil, content.Target{}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			prefix string
			path   dm.Path
			v      int64
		}{
			{"", dm.ResourcePath(3, 0, 9), 1}, {"dev0", dm.ResourcePath(3, 0, 9), 2}, {"dev0", dm.ResourcePath(3, 0, 10), 3},
			{"dev1", dm.ResourcePath(3, 0, 9), 4},
		} {
			if err := e.SetPrefix(step.prefix); err != nil {
				t.Fatal(err)
			}
			if err := e.Value(step.path, dm.IntegerValue(step.v)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := e.Finish()
		if err != nil || string(got) != want {
			t.Errorf("%v: %q (%v), want %q", f, got, err, want)
		}
	}
	for _, f := range []content.Format{content.LwM2MCBOR, content.TLV} {
		var e codec.Encoder
		if err := e.Begin(f, nil, content.Target{Base: dm.ObjectPath(3)}); err != nil {
			t.Fatal(err)
		}
		if err := e.SetPrefix("dev0"); !errors.Is(err, dm.NotAcceptable) {
			t.Errorf("%v: %v", f, err)
		}
	}
}

// A payload that may name several devices is told apart by the first segment of each name.
func TestDecodeSeveralDevices(t *testing.T) {
	noDevice := errors.New("no device has this prefix")
	for payload, want := range map[string]string{
		`[{"n":"/3/0/0"},{"n":"/dev0/3/0/1"},{"n":"/dev0"},{"n":"/"}]`: " /3/0/0, dev0 /3/0/1, dev0 /,  /",
		`[{"bn":"/dev0","n":"/3"}]`:                                    "dev0 /3",
		`[{"n":"/0x/3"}]`:                                              "0x /3",
		`[{"n":"/dev9/3"}]`:                                            noDevice.Error(),
		`[{"n":"/dev0//3"}]`:                                           "a name must be a path",
		`[{"n":"//3"}]`:                                                "a name must be a path",
		`[{"n":"/dev0/dev0/3"}]`:                                       "a name must be a path",
	} {
		var d codec.Decoder
		var device string
		var got []string
		r := content.Request{Select: func(prefix []byte) error {
			if device = string(prefix); device == "dev9" {
				return noDevice
			}
			return nil
		}}
		err := d.DecodePaths(content.SenMLJSON, []byte(payload), r, func(p dm.Path) error {
			got = append(got, fmt.Sprintf("%s %v", device, p))
			return nil
		})
		if err != nil {
			if !errors.Is(err, dm.BadRequest) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", payload, err)
			}
			continue
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s\nyields %q, want %q", payload, got, want)
		}
	}
}

// TestAlternatePath shows which formats carry the alternate path (Transport 1.2.1 §6.4.1): SenML
// and SenML-ETCH in names, before the gateway prefix. The keys of LwM2M CBOR are numbers, TLV has
// IDs, and LwM2M JSON of 1.0 is not among the formats that the section names.
func TestAlternatePath(t *testing.T) {
	instance := dm.InstancePath(3303, 0)
	entries := []dm.Entry{{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)}}
	for _, v := range []struct {
		format        content.Format
		root          string // the whole payload
		rootAndPrefix string // nothing: the format carries no prefix
	}{
		{content.SenMLJSON, `[{"bn":"/lwm2m/3303/0/","n":"5700","v":22.5}]`, `[{"bn":"/lwm2m/dev0/3303/0/","n":"5700","v":22.5}]`},
		{content.SenMLETCHJSON, `[{"bn":"/lwm2m/3303/0/","n":"5700","v":22.5}]`, `[{"bn":"/lwm2m/dev0/3303/0/","n":"5700","v":22.5}]`},
		{content.SenMLCBOR, "\x81\xa3\x21\x6e/lwm2m/3303/0/\x00\x645700\x02\xf9\x4d\xa0", "\x81\xa3\x21\x73/lwm2m/dev0/3303/0/\x00\x645700\x02\xf9\x4d\xa0"},
		{content.SenMLETCHCBOR, "\x81\xa3\x21\x6e/lwm2m/3303/0/\x00\x645700\x02\xf9\x4d\xa0", "\x81\xa3\x21\x73/lwm2m/dev0/3303/0/\x00\x645700\x02\xf9\x4d\xa0"},
		{content.LwM2MJSON, `{"bn":"/3303/0/","e":[{"n":"5700","v":22.5}]}`, `{"bn":"/dev0/3303/0/","e":[{"n":"5700","v":22.5}]}`},
		{content.LwM2MCBOR, "\xa1\x19\x0c\xe7\xa1\x00\xa1\x19\x16\x44\xf9\x4d\xa0", ""},
		{content.TLV, "\xe4\x16\x44\x41\xb4\x00\x00", ""},
	} {
		for prefix, want := range map[string]string{"": v.root, "dev0": v.rootAndPrefix} {
			if want == "" {
				continue
			}
			var e codec.Encoder
			got, err := e.Encode(v.format, nil, content.Target{Base: instance, Root: "/lwm2m", Prefix: prefix}, entries)
			if err != nil || string(got) != want {
				t.Errorf("%v: %q, %v, want %q", v.format, got, err, want)
			}
			without, err := e.Encode(v.format, nil, content.Target{Base: instance, Prefix: prefix}, entries)
			if err != nil {
				t.Fatal(err)
			}
			for _, payload := range [][]byte{got, without} {
				var d codec.Decoder
				r := formattest.Request("/3303/0")
				r.Root, r.Prefix = "/lwm2m", prefix
				read, err := decode(&d, v.format, payload, r)
				if err != nil || len(read) != 1 || read[0].Path != entries[0].Path || !read[0].Value.Equal(entries[0].Value) {
					t.Errorf("%v: %q is read as %v, %v", v.format, payload, read, err)
				}
			}
		}
	}
}

// Names begin with the alternate path or do not, also within one payload; another path is refused.
func TestNamesBelowAlternatePath(t *testing.T) {
	for _, v := range []struct{ payload, want string }{
		{`[{"n":"/a/b/3/0/0"},{"n":"/3/0/1"},{"n":"/a/b"},{"n":"/"}]`, "/3/0/0 /3/0/1 / /"},
		{`[{"bn":"/a","n":"/b/3"},{"bn":"/a/b/3/","n":"0"},{"bn":"/a/b/3/0","n":"/1"}]`, "/3 /3/0 /3/0/1"},
		{`[{"n":"/a/3/0/0"}]`, ""},
		{`[{"n":"/a/b3/0/0"}]`, ""},
		{`[{"n":"/a/bc/3"}]`, ""},
		{`[{"n":"/a/b/a/b/3"}]`, ""},
		{`[{"n":"/3/a/b"}]`, ""},
		{`[{"n":"/a/b//3"}]`, ""},
		{`[{"n":"a/b/3"}]`, ""},
		{`[{"n":"/A/b/3"}]`, ""},
	} {
		var d codec.Decoder
		var got []string
		err := d.DecodePaths(content.SenMLETCHJSON, []byte(v.payload), content.Request{Root: "/a/b"}, func(p dm.Path) error {
			got = append(got, p.String())
			return nil
		})
		switch {
		case v.want == "" && !errors.Is(err, dm.BadRequest):
			t.Errorf("%s: %v, %v, want 4.00", v.payload, got, err)
		case v.want != "" && (err != nil || strings.Join(got, " ") != v.want):
			t.Errorf("%s: %v, %v, want %s", v.payload, got, err, v.want)
		}
	}
}

// The device of a name is told by the segment after the alternate path.
func TestSelectBelowAlternatePath(t *testing.T) {
	var d codec.Decoder
	var device string
	var got []string
	r := content.Request{Root: "/lwm2m", Select: func(prefix []byte) error { device = string(prefix); return nil }}
	const payload = `[{"n":"/lwm2m/3/0/0"},{"n":"/lwm2m/dev0/3/0/1"},{"n":"/dev1/3/0"},{"n":"/lwm2m/dev0"},{"n":"/lwm2m"}]`
	err := d.DecodePaths(content.SenMLJSON, []byte(payload), r, func(p dm.Path) error {
		got = append(got, device+p.String())
		return nil
	})
	if want := "/3/0/0 dev0/3/0/1 dev1/3/0 dev0/ /"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
}

// A Create in SenML without an instance ID leaves the ID empty after the alternate path, too.
func TestCreateBelowAlternatePath(t *testing.T) {
	var d codec.Decoder
	r := formattest.Request("/3303")
	r.Root, r.Create, r.NewInstance = "/lwm2m", true, 7
	for _, name := range []string{"/lwm2m/3303//5700", "/3303//5700"} {
		got, err := decode(&d, content.SenMLJSON, []byte(`[{"n":"`+name+`","v":1}]`), r)
		if err != nil || len(got) != 1 || got[0].Path != dm.ResourcePath(3303, 7, 5700) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
