package senml_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/senml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// timed returns an entry with a whole number and a time.
func timed(path string, v int64, seconds float64) dm.Entry {
	e := formattest.At(path, dm.IntegerValue(v))
	e.Time = seconds
	return e
}

func TestNames(t *testing.T) {
	link := dm.LinkValue(dm.ObjectLink{Object: 66})
	for _, v := range []struct {
		name    string
		target  content.Target
		entries []dm.Entry
		json    string
	}{
		{"a resource", content.Target{Base: formattest.Path("/3/0/9")}, []dm.Entry{timed("/3/0/9", 100, 0)},
			`[{"bn":"/3/0/9","v":100}]`},
		{"a resource instance", content.Target{Base: formattest.Path("/3/0/6/1")}, []dm.Entry{timed("/3/0/6/1", 5, 0)},
			`[{"bn":"/3/0/6/1","v":5}]`},
		{"resource instances", content.Target{Base: formattest.Path("/3/0/6")}, []dm.Entry{timed("/3/0/6/0", 1, 0), timed("/3/0/6/1", 5, 0)},
			`[{"bn":"/3/0/6/","n":"0","v":1},{"n":"1","v":5}]`},
		{"an object", content.Target{Base: formattest.Path("/1")}, []dm.Entry{timed("/1/0/0", 1, 0), timed("/1/0/1", 2, 0), timed("/1/1/0", 3, 0)},
			`[{"bn":"/1/0/","n":"0","v":1},{"n":"1","v":2},{"bn":"/1/1/","n":"0","v":3}]`},
		{"a composite, in any order", content.Target{}, []dm.Entry{timed("/3/0/9", 1, 0), timed("/1/0/0", 2, 0), timed("/3/0/6/1", 3, 0)},
			`[{"bn":"/3/0/","n":"9","v":1},{"bn":"/1/0/","n":"0","v":2},{"bn":"/3/0/","n":"6/1","v":3}]`},
		{"a device behind a gateway", content.Target{Base: formattest.Path("/3/0"), Prefix: "dev0"}, []dm.Entry{timed("/3/0/9", 1, 0)},
			`[{"bn":"/dev0/3/0/","n":"9","v":1}]`},
		{"a history", content.Target{Base: formattest.Path("/3/0/9")}, []dm.Entry{
			timed("/3/0/9", 1, 1700000000), timed("/3/0/9", 2, 1700000060.25), timed("/3/0/9", 3, 0)},
			`[{"bn":"/3/0/9","bt":1700000000,"v":1},{"bt":1700000060.25,"v":2},{"bt":0,"v":3}]`},
		{"values of one moment", content.Target{}, []dm.Entry{timed("/3/0/9", 1, 1700000000), timed("/3/0/10", 2, 1700000000)},
			`[{"bn":"/3/0/","bt":1700000000,"n":"9","v":1},{"n":"10","v":2}]`},
		{"Core 1.2.2 Appendix C, /65/0/0/0", content.Target{Base: formattest.Path("/65/0/0")}, []dm.Entry{formattest.At("/65/0/0/0", link)},
			`[{"bn":"/65/0/0/","n":"0","vlo":"66:0"}]`},
		{"nothing", content.Target{Base: formattest.Path("/1")}, nil, `[]`},
		{"nodes with nothing below them", content.Target{Base: formattest.Path("/1")}, []dm.Entry{
			formattest.At("/1/0", dm.Value{}), formattest.At("/1/1/5", dm.Value{})}, `[]`},
	} {
		t.Run(v.name, func(t *testing.T) {
			text, err := formattest.TryEncode(&senml.JSONEncoder{}, v.target, v.entries)
			if err != nil || string(text) != v.json {
				t.Errorf("%s, %v\nwant %s", text, err, v.json)
			}
			binary, err := formattest.TryEncode(&senml.CBOREncoder{}, v.target, v.entries)
			if err != nil {
				t.Fatal(err)
			}
			if got := fromCBOR(t, binary); got != v.json {
				t.Errorf("CBOR %x is %s\nwant %s", binary, got, v.json)
			}
		})
	}
}

// fromCBOR turns a pack in CBOR into JSON as JSONEncoder spells it, with fxamacker/cbor and
// encoding/json.
func fromCBOR(t *testing.T, b []byte) string {
	t.Helper()
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var records []map[any]any
	if err := mode.Unmarshal(b, &records); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	list := []string{}
	for _, r := range records {
		var fields []string
		for _, name := range []string{"bn", "bt", "n", "v", "vs", "vb", "vlo"} {
			key := any(name)
			if n, ok := labels[name].(int); ok && n < 0 {
				key = int64(n)
			} else if ok {
				key = uint64(n)
			}
			if v, ok := r[key]; ok {
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				fields = append(fields, `"`+name+`":`+string(text))
			}
		}
		if len(fields) != len(r) {
			t.Errorf("unexpected fields: %v", r)
		}
		list = append(list, "{"+strings.Join(fields, ",")+"}")
	}
	return "[" + strings.Join(list, ",") + "]"
}

// A device whose clock is not set reports how long ago a value was measured.
func TestEncodeTimesRelativeToNow(t *testing.T) {
	for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR} {
		var enc codec.Encoder
		payload, err := enc.Encode(f, nil, content.Target{}, []dm.Entry{timed("/3/0/9", 1, -90.5), timed("/3/0/10", 2, 0)})
		if err != nil {
			t.Fatal(err)
		}
		var dec codec.Decoder
		var times []float64
		err = dec.Decode(f, payload, content.Request{Now: time.Unix(1.7e9, 0)}, func(e dm.Entry) error {
			times = append(times, e.Time)
			return nil
		})
		if err != nil || len(times) != 2 || times[0] != 1.7e9-90.5 || times[1] != 0 {
			t.Errorf("%v: decoded with the times %v (%v), want 90.5 s ago and none", f, times, err)
		}
	}
}

func TestEncodeRefused(t *testing.T) {
	for _, v := range []struct {
		name   string
		target content.Target
		entry  dm.Entry
		code   dm.Code
	}{
		{"NaN", content.Target{}, formattest.At("/33001/0/4", dm.FloatValue(math.NaN())), dm.NotAcceptable},
		{"an infinity", content.Target{}, formattest.At("/33001/0/4", dm.FloatValue(math.Inf(-1))), dm.NotAcceptable},
		{"a time before 1978", content.Target{}, timed("/3/0/9", 1, 5), dm.NotAcceptable},
		{"a time that is NaN", content.Target{}, timed("/3/0/9", 1, math.NaN()), dm.NotAcceptable},
		{"a time without end", content.Target{}, timed("/3/0/9", 1, math.Inf(1)), dm.NotAcceptable},
		{"a String that is not UTF-8", content.Target{}, formattest.At("/3/0/14", dm.StringValue("\xff")), dm.InternalServerError},
		{"outside of the base", content.Target{Base: formattest.Path("/1")}, timed("/3/0/9", 1, 0), dm.InternalServerError},
		{"an alternate path without a slash", content.Target{Root: "lwm2m"}, timed("/3/0/9", 1, 0), dm.InternalServerError},
		{"an alternate path that ends in a slash", content.Target{Root: "/lwm2m/"}, timed("/3/0/9", 1, 0), dm.InternalServerError},
		{"an alternate path with quotes", content.Target{Root: `/"`}, timed("/3/0/9", 1, 0), dm.InternalServerError},
		{"a prefix of two segments", content.Target{Prefix: "a/b"}, timed("/3/0/9", 1, 0), dm.InternalServerError},
		{"a prefix with quotes", content.Target{Prefix: `"`}, timed("/3/0/9", 1, 0), dm.InternalServerError},
	} {
		t.Run(v.name, func(t *testing.T) {
			for _, e := range []formattest.Encoder{&senml.JSONEncoder{}, &senml.CBOREncoder{}} {
				if b, err := formattest.TryEncode(e, v.target, []dm.Entry{v.entry}); !errors.Is(err, v.code) {
					t.Errorf("%T: %x, %v; want %v", e, b, err, v.code)
				}
			}
		})
	}
}

// TestManyRecords writes arrays whose head takes one to five bytes.
func TestManyRecords(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		e := &senml.CBOREncoder{}
		if err := e.Begin([]byte("head"), content.Target{Base: formattest.Path("/3/0/6")}); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			p := dm.ResourceInstancePath(3, 0, 6, dm.ResourceInstanceID(i%65535))
			x := dm.Entry{Path: p, Value: dm.IntegerValue(int64(i)), Time: float64(1<<28 + i/65535)}
			if err := e.Entry(x); err != nil {
				t.Fatal(err)
			}
		}
		b, err := e.Finish()
		if err != nil || string(b[:4]) != "head" {
			t.Fatalf("%d records: %v", n, err)
		}
		got := formattest.Decode(t, &senml.CBORDecoder{}, formattest.Request("/3/0"), b[4:])
		if len(got) != n || n > 0 && got[n-1].Value.Integer() != int64(n-1) {
			t.Errorf("%d records come back as %d", n, len(got))
		}
	}
}

func TestPaths(t *testing.T) {
	paths := []dm.Path{formattest.Path("/"), formattest.Path("/3"), formattest.Path("/1/0"), formattest.Path("/1/0/1"), formattest.Path("/3/0/11/0"), formattest.Path("/3")}
	for _, target := range []content.Target{{}, {Prefix: "dev0"}, {Root: "/lwm2m"}, {Root: "/a/b", Prefix: "dev0"}} {
		r := content.Request{Root: target.Root, Prefix: target.Prefix}
		var text, binary []dm.Path
		b, err := senml.AppendJSONPaths(nil, target, paths)
		if err != nil {
			t.Fatal(err)
		}
		err = (&senml.JSONDecoder{}).DecodePaths(b, r, func(p dm.Path) error { text = append(text, p); return nil })
		if err != nil || !slices.Equal(text, paths) {
			t.Errorf("%s: %v, %v", b, text, err)
		}
		if b, err = senml.AppendCBORPaths(nil, target, paths); err != nil {
			t.Fatal(err)
		}
		err = (&senml.CBORDecoder{}).DecodePaths(b, r, func(p dm.Path) error { binary = append(binary, p); return nil })
		if err != nil || !slices.Equal(binary, paths) {
			t.Errorf("%x: %v, %v", b, binary, err)
		}
		if err := cbor.Wellformed(b); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []struct {
		target content.Target
		want   string
	}{
		{content.Target{Prefix: "dev0"}, `[{"n":"/dev0"},{"n":"/dev0/3"}]`},
		{content.Target{Root: "/lwm2m"}, `[{"n":"/lwm2m"},{"n":"/lwm2m/3"}]`},
		{content.Target{Root: "/a/b", Prefix: "dev0"}, `[{"n":"/a/b/dev0"},{"n":"/a/b/dev0/3"}]`},
	} {
		if got, err := senml.AppendJSONPaths(nil, v.target, paths[:2]); err != nil || string(got) != v.want {
			t.Errorf("%s, %v, want %s", got, err, v.want)
		}
	}
	for _, bad := range []content.Target{{Root: "lwm2m"}, {Root: "/"}, {Root: "/a/"}, {Root: "/a//b"}, {Root: `/"`}, {Prefix: "a/b"}} {
		if b, err := senml.AppendJSONPaths(nil, bad, paths); !errors.Is(err, dm.InternalServerError) {
			t.Errorf("%+v: %s, %v, want 5.00", bad, b, err)
		}
		if b, err := senml.AppendCBORPaths(nil, bad, paths); !errors.Is(err, dm.InternalServerError) {
			t.Errorf("%+v: %x, %v, want 5.00", bad, b, err)
		}
	}
}

func TestPathsRefused(t *testing.T) {
	for name, payload := range map[string]string{
		"a value":                `[{"n":"/3/0/9","v":1}]`,
		"a time":                 `[{"n":"/3/0/9","t":-5}]`,
		"no name":                `[{}]`,
		"outside of the base":    `[{"n":"/1"}]`,
		"a slash at the end":     `[{"n":"/3/"}]`,
		"a payload that is cut":  `[{"n":"/3/0"}`,
		"a path in a CBOR label": `[{"n_":"/3/0"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := content.Request{Base: formattest.Path("/3")}
			err := (&senml.JSONDecoder{}).DecodePaths([]byte(payload), r, func(dm.Path) error { return nil })
			if !errors.Is(err, dm.BadRequest) {
				t.Errorf("%v, want 4.00", err)
			}
		})
	}
	stop := errors.New("stop")
	err := (&senml.JSONDecoder{}).DecodePaths([]byte(`[{"n":"/3"}]`), content.Request{}, func(dm.Path) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("%v, want the caller's own error", err)
	}
}

func seeds(f *testing.F, add func(json, cbor []byte, base string)) {
	for _, v := range vectors {
		add([]byte(v.json), unhex(f, v.cbor), v.base)
	}
	small := formattest.Small()
	add(formattest.Encode(f, &senml.JSONEncoder{}, "/33001/0", small), formattest.Encode(f, &senml.CBOREncoder{}, "/33001/0", small), "/33001/0")
	history := []dm.Entry{timed("/3/0/9", 1, 1700000000), timed("/3/0/9", 2, 1700000060.25)}
	add(formattest.Encode(f, &senml.JSONEncoder{}, "/", history), formattest.Encode(f, &senml.CBOREncoder{}, "/", history), "/")
	const pack = `[{"bn":"/3303/0/5700","bt":1.32e+09,"bu":"%RH","bv":1,"v":20,"s":1,"ut":3,"t":-5,"bver":5}]`
	add([]byte(pack), toCBOR(f, pack), "/")
	add([]byte(`[{"n":"/3//9","v":1}]`), unhex(f, "9fbf007f622f3364 2f302f39ff02c4820119ff"+"ffffff"), "/3")
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`[{"bn":"/lwm2m","n":"/3/0/9","v":1}]`), uint8(64))
	seeds(f, func(json, _ []byte, base string) { f.Add(json, formattest.FuzzBase(base)) })
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		formattest.RoundTrip(t, &senml.JSONEncoder{}, &senml.JSONDecoder{}, r, payload, formattest.Quirks{NoEmpty: true, Untyped: true})
		fuzzPaths(t, &senml.JSONDecoder{}, senml.AppendJSONPaths, r, payload)
	})
}

func FuzzCBOR(f *testing.F) {
	f.Add(toCBOR(f, `[{"bn":"/lwm2m/3/0/","n":"9","v":1}]`), uint8(64))
	seeds(f, func(_, cbor []byte, base string) { f.Add(cbor, formattest.FuzzBase(base)) })
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		formattest.RoundTrip(t, &senml.CBOREncoder{}, &senml.CBORDecoder{}, r, payload, formattest.Quirks{NoEmpty: true})
		fuzzPaths(t, &senml.CBORDecoder{}, senml.AppendCBORPaths, r, payload)
	})
}

// fuzzPaths decodes a payload as paths, encodes the paths and decodes them again.
type pathDecoder interface {
	DecodePaths(payload []byte, r content.Request, yield func(dm.Path) error) error
}

func fuzzPaths(t *testing.T, d pathDecoder, appendPaths func([]byte, content.Target, []dm.Path) ([]byte, error), r content.Request, payload []byte) {
	var first, second []dm.Path
	if d.DecodePaths(payload, r, func(p dm.Path) error { first = append(first, p); return nil }) != nil {
		return
	}
	b, err := appendPaths(nil, content.Target{Root: r.Root}, first)
	if err != nil {
		t.Fatal(err)
	}
	err = d.DecodePaths(b, r, func(p dm.Path) error { second = append(second, p); return nil })
	if err != nil || !slices.Equal(first, second) {
		t.Fatalf("%x: %v, encoded as %x, is %v, %v", payload, first, b, second, err)
	}
}
