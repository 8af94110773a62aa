package lwm2mjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/lwm2mjson"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

var vectors = []struct {
	name, base, payload string
	entries             []dm.Entry
}{
	{"Core 1.0.2 §6.4.4, /3/0", "/3/0", `{"bn":"/3/0/","e":[` +
		`{"n":"0","sv":"Open Mobile Alliance"},` +
		`{"n":"1","sv":"Lightweight M2M Client"},` +
		`{"n":"2","sv":"345000123"},` +
		`{"n":"3","sv":"1.0"},` +
		`{"n":"6/0","v":1},` +
		`{"n":"6/1","v":5},` +
		`{"n":"7/0","v":3800},` +
		`{"n":"7/1","v":5000},` +
		`{"n":"8/0","v":125},` +
		`{"n":"8/1","v":900},` +
		`{"n":"9","v":100},` +
		`{"n":"10","v":15},` +
		`{"n":"11/0","v":0},` +
		`{"n":"13","v":1367491215},` +
		`{"n":"14","sv":"+02:00"},` +
		`{"n":"16","sv":"U"}]}`, formattest.Device0()},
	{"Core 1.0.2 §6.4.4, /65/0", "/65/0", `{"bn":"/65/0/","e":[` +
		`{"n":"0/0","ov":"66:0"},` +
		`{"n":"0/1","ov":"66:1"},` +
		`{"n":"1","sv":"8613800755500"},` +
		`{"n":"2","v":305419896}]}`, formattest.Linked65()},
	{"an object", "/66", `{"bn":"/66/","e":[` +
		`{"n":"0/0","sv":"myService 1"},` +
		`{"n":"0/1","sv":"Internet.15.234"},` +
		`{"n":"0/2","ov":"67:0"},` +
		`{"n":"1/0","sv":"myService 2"},` +
		`{"n":"1/1","sv":"Internet.15.235"},` +
		`{"n":"1/2","ov":"65535:65535"}]}`, formattest.Linked66()},
	{"a resource", "/3/0/9", `{"bn":"/3/0/","e":[{"n":"9","v":100}]}`,
		[]dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(100))}},
	{"a resource instance", "/3/0/6/1", `{"bn":"/3/0/","e":[{"n":"6/1","v":5}]}`,
		[]dm.Entry{formattest.At("/3/0/6/1", dm.IntegerValue(5))}},
	{"an Opaque and a Boolean", "/33001/0", `{"bn":"/33001/0/","e":[{"n":"5","bv":true},{"n":"6","sv":"+/8="}]}`,
		[]dm.Entry{formattest.At("/33001/0/5", dm.BooleanValue(true)), formattest.At("/33001/0/6", dm.OpaqueValue([]byte{0xfb, 0xff}))}},
	{"nothing of a resource", "/3/0/6", `{"bn":"/3/0/","e":[]}`, nil},
	{"nothing", "/1", `{"bn":"/1/","e":[]}`, nil},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			if got := formattest.Encode(t, &lwm2mjson.Encoder{}, v.base, v.entries); string(got) != v.payload {
				t.Errorf("%s\nwant %s", got, v.payload)
			}
			if !json.Valid([]byte(v.payload)) {
				t.Error("encoding/json does not take it")
			}
			r := formattest.Request(v.base)
			formattest.Equal(t, formattest.Decode(t, &lwm2mjson.Decoder{}, r, []byte(v.payload)), v.entries)
			formattest.Truncated(t, &lwm2mjson.Decoder{}, r, []byte(v.payload), nil)
		})
	}
}

// at returns an entry of the historical example with a time.
func at(path string, v, seconds float64) dm.Entry {
	return dm.Entry{Path: formattest.Path(path), Value: dm.FloatValue(v), Time: seconds}
}

func TestDecode(t *testing.T) {
	create := formattest.Request("/3303")
	create.Create, create.NewInstance = true, 7
	behind := formattest.Request("/3303/0")
	behind.Prefix = "dev0"
	relative := formattest.Request("/3303")
	relative.Now = time.Unix(1e9, 0)
	for _, v := range []struct {
		name, payload string
		req           content.Request
		want          []dm.Entry
	}{
		{"Core 1.0.2 §6.4.4, a history whose base comes last",
			`{"e":[{"n":"1/5700","v":22.9,"t":-30},{"n":"1/5700","v":24.1,"t":-50}],"bn":"/3303/","bt":1700000000}`, formattest.Request("/3303"),
			[]dm.Entry{at("/3303/1/5700", 22.9, 1699999970), at("/3303/1/5700", 24.1, 1699999950)}},
		{"times relative to now", `{"bn":"/3303/","e":[{"n":"1/5700","v":1,"t":-5}]}`, relative, []dm.Entry{at("/3303/1/5700", 1, 1e9-5)}},
		{"no base name", `{"e":[{"n":"0/5700","v":1}]}`, formattest.Request("/3303"), []dm.Entry{at("/3303/0/5700", 1, 0)}},
		{"no name", `{"e":[{"v":1}]}`, formattest.Request("/3303/0/5700"), []dm.Entry{at("/3303/0/5700", 1, 0)}},
		{"members without a meaning", `{"x":[{"e":1}],"bn":"/3303/0/","e":[{"n":"5700","v":1,"u":"Cel"}]}`, formattest.Request("/3303"),
			[]dm.Entry{at("/3303/0/5700", 1, 0)}},
		{"behind a gateway", `{"bn":"/dev0/3303/0/","e":[{"n":"5700","v":1}]}`, behind, []dm.Entry{at("/3303/0/5700", 1, 0)}},
		{"Create without an instance ID", `{"e":[{"n":"5700","v":1}]}`, create, []dm.Entry{at("/3303/7/5700", 1, 0)}},
		{"Create with an instance ID", `{"bn":"/3303/2/","e":[{"n":"5700","v":1}]}`, create, []dm.Entry{at("/3303/2/5700", 1, 0)}},
		{"Create of an empty instance", `{"bn":"/3303/2/","e":[]}`, create, []dm.Entry{formattest.At("/3303/2", dm.Value{})}},
		{"escapes", `{"b\u006e":"\/3303\/0\/","e":[{"n":"5701","sv":"\u00b0C"}]}`, formattest.Request("/3303"),
			[]dm.Entry{formattest.At("/3303/0/5701", dm.StringValue("°C"))}},
		{"an object link as text", `{"bn":"/66/0/2","e":[{"sv":"67:0"}]}`, formattest.Request("/66/0/2"),
			[]dm.Entry{formattest.At("/66/0/2", dm.LinkValue(dm.ObjectLink{Object: 67}))}},
		{"a resource without a definition", `{"e":[{"n":"0/99","sv":"YQ=="}]}`, formattest.Request("/3303"),
			[]dm.Entry{formattest.At("/3303/0/99", dm.StringValue("YQ=="))}},
	} {
		t.Run(v.name, func(t *testing.T) {
			formattest.Equal(t, formattest.Decode(t, &lwm2mjson.Decoder{}, v.req, []byte(v.payload)), v.want)
			formattest.Truncated(t, &lwm2mjson.Decoder{}, v.req, []byte(v.payload), nil)
		})
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct{ name, payload, path string }{
		{"an array", `[]`, ""},
		{"no values", `{"bn":"/3/0/"}`, ""},
		{"values that are no array", `{"e":{}}`, ""},
		{"a value that is no object", `{"e":[1]}`, ""},
		{"trailing text", `{"e":[]}{}`, ""},
		{"a base name twice", `{"bn":"/3/0/","bn":"/3/0/","e":[]}`, ""},
		{"values twice", `{"e":[],"e":[]}`, ""},
		{"a name twice", `{"e":[{"n":"9","n":"9","v":1}]}`, ""},
		{"a path twice", `{"e":[{"n":"9","v":1},{"n":"9","v":1}]}`, "/3/0/9"},
		{"two values", `{"e":[{"n":"9","v":1,"sv":"1"}]}`, ""},
		{"no value", `{"e":[{"n":"9"}]}`, "/3/0/9"},
		{"outside of the base", `{"bn":"/1/0/","e":[{"n":"0","v":1}]}`, "/1/0/0"},
		{"an empty instance outside of the base", `{"bn":"/1/0/","e":[]}`, "/1/0"},
		{"a name that is no path", `{"e":[{"n":"x","v":1}]}`, ""},
		{"a name that is too long", `{"e":[{"n":"` + strings.Repeat("1", 300) + `","v":1}]}`, ""},
		{"a name that is a number", `{"e":[{"n":9,"v":1}]}`, ""},
		{"a base name that is a number", `{"bn":3,"e":[]}`, ""},
		{"a base time that is text", `{"bt":"3","e":[]}`, ""},
		{"a time that is text", `{"e":[{"n":"9","v":1,"t":"3"}]}`, ""},
		{"a time without end", `{"bt":1e308,"e":[{"n":"9","v":1,"t":1e308}]}`, "/3/0/9"},
		{"a number in sv", `{"e":[{"n":"14","sv":1}]}`, ""},
		{"a text in v", `{"e":[{"n":"9","v":"1"}]}`, ""},
		{"a text in bv", `{"e":[{"n":"9","bv":"1"}]}`, ""},
		{"a number in ov", `{"e":[{"n":"9","ov":1}]}`, ""},
		{"null", `{"e":[{"n":"9","v":null}]}`, ""},
		{"text for a number", `{"e":[{"n":"9","sv":"1"}]}`, "/3/0/9"},
		{"a number above 64 bits", `{"e":[{"n":"9","v":9223372036854775808}]}`, "/3/0/9"},
		{"nesting", `{"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `,"e":[]}`, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			formattest.Refused(t, &lwm2mjson.Decoder{}, formattest.Request("/3/0"), []byte(v.payload), dm.BadRequest, v.path)
		})
	}
	formattest.Refused(t, &lwm2mjson.Decoder{}, formattest.Request("/33001/0"), []byte(`{"e":[{"n":"6","sv":"-_8"}]}`), dm.BadRequest, "/33001/0/6")
}

func TestEncodeTimes(t *testing.T) {
	got := formattest.Encode(t, &lwm2mjson.Encoder{}, "/3303/1", []dm.Entry{at("/3303/1/5700", 22.5, 1700000000), at("/3303/1/5700", 22, 1700000000.5)})
	const want = `{"bn":"/3303/1/","e":[{"n":"5700","t":1700000000,"v":22.5},{"n":"5700","t":1700000000.5,"v":22}]}`
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	b, err := formattest.TryEncode(&lwm2mjson.Encoder{}, content.Target{Base: formattest.Path("/3303"), Prefix: "dev0"}, nil)
	if err != nil || string(b) != `{"bn":"/dev0/3303/","e":[]}` {
		t.Errorf("behind a gateway: %s, %v", b, err)
	}
}

func TestEncodeRefused(t *testing.T) {
	for _, v := range []struct {
		name   string
		target content.Target
		entry  dm.Entry
		code   dm.Code
	}{
		{"the root", content.Target{}, at("/3303/0/5700", 1, 0), dm.NotAcceptable},
		{"NaN", content.Target{Base: formattest.Path("/3303")}, at("/3303/0/5700", math.NaN(), 0), dm.NotAcceptable},
		{"a time before 1978", content.Target{Base: formattest.Path("/3303")}, at("/3303/0/5700", 1, -5), dm.NotAcceptable},
		{"outside of the base", content.Target{Base: formattest.Path("/1")}, at("/3303/0/5700", 1, 0), dm.InternalServerError},
		{"a prefix of two segments", content.Target{Base: formattest.Path("/3303"), Prefix: "a/b"}, at("/3303/0/5700", 1, 0), dm.InternalServerError},
	} {
		if _, err := formattest.TryEncode(&lwm2mjson.Encoder{}, v.target, []dm.Entry{v.entry}); !errors.Is(err, v.code) {
			t.Errorf("%s: %v, want %v", v.name, err, v.code)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.payload), formattest.FuzzBase(v.base))
	}
	f.Add(formattest.Encode(f, &lwm2mjson.Encoder{}, "/33001/0", formattest.Small()), formattest.FuzzBase("/33001/0"))
	f.Add(formattest.Encode(f, &lwm2mjson.Encoder{}, "/3/0", []dm.Entry{{Path: formattest.Path("/3/0/9"), Value: dm.IntegerValue(1), Time: 1700000000}}), formattest.FuzzBase("/3/0"))
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		if r.Base.IsRoot() {
			r.Base = formattest.Path("/3")
		}
		formattest.RoundTrip(t, &lwm2mjson.Encoder{}, &lwm2mjson.Decoder{}, r, payload, formattest.Quirks{NoEmpty: true, Untyped: true})
	})
}

// TestPeer reads an instance with all values with encoding/json, which writes it for our decoder.
func TestPeer(t *testing.T) {
	entries := formattest.Instance()
	dec := json.NewDecoder(bytes.NewReader(formattest.Encode(t, &lwm2mjson.Encoder{}, "/33001/0", entries)))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	var payload struct {
		Base   string `json:"bn"`
		Values []struct {
			Name  string      `json:"n"`
			Value json.Number `json:"v,omitempty"`
			Text  *string     `json:"sv,omitempty"`
			Bool  *bool       `json:"bv,omitempty"`
			Link  string      `json:"ov,omitempty"`
		} `json:"e"`
	}
	if err := dec.Decode(&payload); err != nil {
		t.Fatal(err)
	}
	if payload.Base != "/33001/0/" || len(payload.Values) != len(entries) {
		t.Fatalf("the peer finds %d values of %d below %s", len(payload.Values), len(entries), payload.Base)
	}
	for i, v := range payload.Values {
		if payload.Base+v.Name != entries[i].Path.String() {
			t.Errorf("the peer finds %s where %v was encoded", v.Name, entries[i].Path)
		}
	}
	theirs, err := json.MarshalIndent(payload, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	formattest.Equal(t, formattest.Decode(t, &lwm2mjson.Decoder{}, formattest.Request("/33001/0"), theirs), entries)
}
