package senml_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/senml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are payloads in JSON and in CBOR.
var vectors = []struct {
	name    string
	base    string
	json    string
	cbor    string
	entries []dm.Entry
}{
	{
		"Core 1.1.1 §7.4.5 and §7.4.6, /3/0", "/3/0",
		`[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},` +
			`{"n":"1","vs":"Lightweight M2M Client"},` +
			`{"n":"2","vs":"345000123"},` +
			`{"n":"3","vs":"1.0"},` +
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
			`{"n":"14","vs":"+02:00"},` +
			`{"n":"16","vs":"U"}]`,
		`90 a3 21 65 2f332f302f 00 61 30 03 74 4f70656e204d6f62696c6520416c6c69616e6365
		 a2 00 61 31 03 76 4c69676874776569676874204d324d20436c69656e74
		 a2 00 61 32 03 69 333435303030313233
		 a2 00 61 33 03 63 312e30
		 a2 00 63 362f30 02 01
		 a2 00 63 362f31 02 05
		 a2 00 63 372f30 02 19 0ed8
		 a2 00 63 372f31 02 19 1388
		 a2 00 63 382f30 02 18 7d
		 a2 00 63 382f31 02 19 0384
		 a2 00 61 39 02 18 64
		 a2 00 62 3130 02 0f
		 a2 00 64 31312f30 02 00
		 a2 00 62 3133 02 1a 5182428f
		 a2 00 62 3134 03 66 2b30323a3030
		 a2 00 62 3136 03 61 55`,
		formattest.Device0(),
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			if got := formattest.Encode(t, &senml.JSONEncoder{}, v.base, v.entries); string(got) != v.json {
				t.Errorf("JSON %s\nwant %s", got, v.json)
			}
			cbor := unhex(t, v.cbor)
			if got := formattest.Encode(t, &senml.CBOREncoder{}, v.base, v.entries); string(got) != string(cbor) {
				t.Errorf("CBOR %x\nwant %x", got, cbor)
			}
			r := formattest.Request(v.base)
			formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, r, []byte(v.json)), v.entries)
			formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, r, cbor), v.entries)
		})
	}
}

func TestTruncated(t *testing.T) {
	for _, v := range vectors {
		r := formattest.Request(v.base)
		formattest.Truncated(t, &senml.JSONDecoder{}, r, []byte(v.json), nil)
		formattest.Truncated(t, &senml.CBORDecoder{}, r, unhex(t, v.cbor), nil)
	}
}

// at returns an entry with a time.
func at(path string, v float64, seconds float64) dm.Entry {
	e := formattest.At(path, dm.FloatValue(v))
	e.Time = seconds
	return e
}

// TestRFC8428 covers the packs of RFC 8428 §5.1, with LwM2M's names instead of the RFC's.
func TestRFC8428(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, v := range []struct {
		name, json string
		want       []dm.Entry
	}{
		{"§5.1.1 Single Data Point", `[{"n":"/3303/0/5700","u":"Cel","v":23.1}]`, []dm.Entry{at("/3303/0/5700", 23.1, 0)}},
		{"§5.1.2 Multiple Data Points", `[
			{"bn":"/3303/0/5700","n":"","u":"V","v":120.1},
			{"bn":"/3303/1/5700","u":"A","v":1.2}
		]`, []dm.Entry{at("/3303/0/5700", 120.1, 0), at("/3303/1/5700", 1.2, 0)}},
		{"§5.1.2 with times", `[
			{"bn":"/3303/","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"0/5700","u":"V","v":120.1},
			{"n":"1/5700","t":-5,"v":1.2},
			{"n":"1/5700","t":-4,"v":1.3},
			{"n":"1/5700","t":-3,"v":1.4},
			{"n":"1/5700","t":-2,"v":1.5},
			{"n":"1/5700","t":-1,"v":1.6},
			{"n":"1/5700","v":1.7}
		]`, []dm.Entry{
			at("/3303/0/5700", 120.1, 1276020076.001), at("/3303/1/5700", 1.2, 1276020071.001),
			at("/3303/1/5700", 1.3, 1276020072.001), at("/3303/1/5700", 1.4, 1276020073.001),
			at("/3303/1/5700", 1.5, 1276020074.001), at("/3303/1/5700", 1.6, 1276020075.001),
			at("/3303/1/5700", 1.7, 1276020076.001),
		}},
		{"§5.1.3 Multiple Measurements", `[
			{"bn":"/3303/0/5700","bt":1.320067464e+09,"bu":"%RH","v":20},
			{"u":"lon","bn":"/3303/1/5700","v":24.30621},
			{"u":"lat","bn":"/3303/2/5700","v":60.07965},
			{"bn":"/3303/0/5700","t":60,"v":20.3},
			{"t":120,"v":20.7}
		]`, []dm.Entry{
			at("/3303/0/5700", 20, 1320067464), at("/3303/1/5700", 24.30621, 1320067464), at("/3303/2/5700", 60.07965, 1320067464),
			at("/3303/0/5700", 20.3, 1320067524), at("/3303/0/5700", 20.7, 1320067584),
		}},
		{"§5.1.5 Collection of Resources", `[
			{"bn":"/33001/0/","bt":1.320078429e+09,"n":"4","v":27.2,"u":"Cel"},
			{"n":"24/1","v":80,"u":"%RH"}
		]`, []dm.Entry{at("/33001/0/4", 27.2, 1320078429), at("/33001/0/24/1", 80, 1320078429)}},
		{"§4.5.3, times relative to now", `[{"n":"/3303/0/5700","t":-60,"v":1},{"n":"/3303/1/5700","bt":-10,"t":-5,"v":2}]`,
			[]dm.Entry{at("/3303/0/5700", 1, 1e9-60), at("/3303/1/5700", 2, 1e9-15)}},
		{"§4.1, base value", `[{"bn":"/3303/0/","bv":20,"n":"5700","v":1.5},{"bn":"/3303/1/","n":"5700","v":-20}]`,
			[]dm.Entry{at("/3303/0/5700", 21.5, 0), at("/3303/1/5700", 0, 0)}},
		{"§4.4, extensions that may be ignored", `[{"n":"/3303/0/5700","v":1,"x":{"y":[1,2,{}]},"bver":10,"ut":5,"s":3,"bs":1}]`,
			[]dm.Entry{at("/3303/0/5700", 1, 0)}},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := content.Request{Schema: formattest.Schema, Now: now}
			formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, r, []byte(v.json)), v.want)
			formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, r, toCBOR(t, v.json)), v.want)
			formattest.Truncated(t, &senml.JSONDecoder{}, r, []byte(v.json), nil)
			formattest.Truncated(t, &senml.CBORDecoder{}, r, toCBOR(t, v.json), nil)
		})
	}
}

// labels are the labels of RFC 8428 §6, Table 4.
var labels = map[string]any{
	"bs": -6, "bv": -5, "bu": -4, "bt": -3, "bn": -2, "bver": -1, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "s": 5, "t": 6, "ut": 7, "vd": 8,
}

// toCBOR turns a pack in JSON into CBOR with fxamacker/cbor.
func toCBOR(t testing.TB, pack string) []byte {
	t.Helper()
	var records []map[string]any
	if err := json.Unmarshal([]byte(pack), &records); err != nil {
		t.Fatal(err)
	}
	list := []map[any]any{}
	for _, r := range records {
		m := map[any]any{}
		for k, v := range r {
			if label, ok := labels[k]; ok {
				if k == "vd" {
					v, _ = base64.RawURLEncoding.DecodeString(v.(string))
				}
				if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
					v = int64(f)
				}
				m[label] = v
			} else {
				m[k] = v
			}
		}
		list = append(list, m)
	}
	b, err := cbor.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRefused(t *testing.T) {
	for _, v := range []struct{ name, json, path string }{
		{"no array", `{"n":"/3/0/9","v":1}`, ""},
		{"a record that is no object", `[1]`, ""},
		{"no name", `[{"v":1}]`, ""},
		{"a name without a slash", `[{"n":"3/0/9","v":1}]`, ""},
		{"a name that is no path", `[{"n":"/3/0/x","v":1}]`, ""},
		{"a name that is too long", `[{"n":"/` + strings.Repeat("3", 300) + `","v":1}]`, ""},
		{"a name of an instance", `[{"n":"/3/0","v":1}]`, "/3/0"},
		{"outside of the base", `[{"n":"/1/0/0","v":1}]`, "/1/0/0"},
		{"no value", `[{"n":"/3/0/9"}]`, "/3/0/9"},
		{"a sum alone", `[{"n":"/3/0/9","s":1}]`, "/3/0/9"},
		{"a base value alone", `[{"n":"/3/0/9","bv":1}]`, "/3/0/9"},
		{"two values", `[{"n":"/3/0/9","v":1,"vs":"1"}]`, ""},
		{"a value twice", `[{"n":"/3/0/9","v":1,"v":1}]`, ""},
		{"a name twice", `[{"n":"/3/0/9","n":"/3/0/9","v":1}]`, ""},
		{"a path twice", `[{"n":"/3/0/9","v":1},{"n":"/3/0/9","v":2}]`, "/3/0/9"},
		{"text for a number", `[{"n":"/3/0/9","vs":"1"}]`, "/3/0/9"},
		{"a number for text", `[{"n":"/3/0/14","v":1}]`, "/3/0/14"},
		{"a fraction for a whole number", `[{"n":"/3/0/9","v":1.5}]`, "/3/0/9"},
		{"a number above 64 bits", `[{"n":"/3/0/9","v":9223372036854775808}]`, "/3/0/9"},
		{"a text in v", `[{"n":"/3/0/9","v":"1"}]`, ""},
		{"a number in vb", `[{"n":"/3/0/9","vb":1}]`, ""},
		{"a number in vs", `[{"n":"/3/0/9","vs":1}]`, ""},
		{"a number in vd", `[{"n":"/3/0/9","vd":1}]`, ""},
		{"a number in vlo", `[{"n":"/3/0/9","vlo":1}]`, ""},
		{"a text in t", `[{"n":"/3/0/9","v":1,"t":"1"}]`, ""},
		{"a number in bn", `[{"bn":3,"n":"/3/0/9","v":1}]`, ""},
		{"null", `[{"n":"/3/0/9","v":null}]`, ""},
		{"a version above 10", `[{"bver":11,"n":"/3/0/9","v":1}]`, ""},
		{"a version below 0", `[{"bver":-1,"n":"/3/0/9","v":1}]`, ""},
		{"a version with a fraction", `[{"bver":5.5,"n":"/3/0/9","v":1}]`, ""},
		{"a field that must be understood", `[{"n":"/3/0/9","v":1,"x_":1}]`, ""},
		{"a time before 1978", `[{"n":"/3/0/9","v":1,"t":-1e12}]`, "/3/0/9"},
		{"a time without end", `[{"n":"/3/0/9","v":1,"bt":1e308,"t":1e308}]`, "/3/0/9"},
		{"a sum with the base value without end", `[{"n":"/3/0/9","bv":1e308,"v":1e308}]`, "/3/0/9"},
		{"nesting", `[[{"n":"/3/0/9","v":1}]]`, ""},
		{"nesting in an unknown field", `[{"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}]`, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			r := formattest.Request("/3/0")
			formattest.Refused(t, &senml.JSONDecoder{}, r, []byte(v.json), dm.BadRequest, v.path)
			var records []map[string]any
			if json.Unmarshal([]byte(v.json), &records) == nil && !strings.Contains(v.name, "twice") && !strings.Contains(v.name, "vd") {
				formattest.Refused(t, &senml.CBORDecoder{}, r, toCBOR(t, v.json), dm.BadRequest, v.path)
			}
		})
	}
}

// TestRefusedJSON covers errors that only a JSON payload can have.
func TestRefusedJSON(t *testing.T) {
	for name, payload := range map[string]string{
		"trailing text":         `[{"n":"/3/0/9","v":1}]x`,
		"a trailing comma":      `[{"n":"/3/0/9","v":1},]`,
		"two packs":             `[][]`,
		"a leading zero":        `[{"n":"/3/0/9","v":0101}]`,
		"NaN":                   `[{"n":"/33001/0/4","v":NaN}]`,
		"a number without end":  `[{"n":"/33001/0/4","v":1e999}]`,
		"not UTF-8":             "[{\"n\":\"/3/0/14\",\"vs\":\"\xff\"}]",
		"half a surrogate pair": `[{"n":"/3/0/14","vs":"\ud834"}]`,
		"padding too short":     `[{"n":"/33001/0/6","vd":"YQ="}]`,
		"padding in the middle": `[{"n":"/33001/0/6","vd":"YQ==YQ=="}]`,
		"base64 for base64url":  `[{"n":"/33001/0/6","vd":"+/8"}]`,
		"escaped duplicate":     `[{"n":"/3/0/9","\u006e":"/3/0/9","v":1}]`,
	} {
		t.Run(name, func(t *testing.T) {
			formattest.Refused(t, &senml.JSONDecoder{}, formattest.Request("/"), []byte(payload), dm.BadRequest, "")
		})
	}
}

// TestRefusedCBOR covers errors that only a CBOR payload can have.
func TestRefusedCBOR(t *testing.T) {
	for name, payload := range map[string]string{
		"trailing bytes":               "80 00",
		"no array":                     "a0",
		"an array that lies":           "9b ffffffffffffffff",
		"a map that lies":              "81 bb 7fffffffffffffff",
		"a label twice":                "81 a3 00 66 2f332f302f39 02 01 02 01",
		"a text label for a number":    "81 a2 61 6e 66 2f332f302f39 02 01",
		"a label of bytes":             "81 a1 41 00 01",
		"a label that must be known":   "81 a3 00 66 2f332f302f39 02 01 62 785f 01",
		"NaN":                          "81 a2 00 6a 2f33333030312f302f34 02 f97e00",
		"an infinity":                  "81 a2 00 6a 2f33333030312f302f34 02 f97c00",
		"an infinite time":             "81 a3 00 66 2f332f302f39 02 01 06 f97c00",
		"bytes for a name":             "81 a2 00 46 2f332f302f39 02 01",
		"text for bytes":               "81 a2 00 6a 2f33333030312f302f36 08 61 61",
		"an unknown tag":               "81 a2 00 66 2f332f302f39 02 d820 01",
		"a date for a number":          "81 a2 00 66 2f332f302f39 02 c0 74 323031332d30332d32315432303a30343a30305a",
		"undefined":                    "81 a2 00 66 2f332f302f39 02 f7",
		"an indefinite map that stops": "9f bf 00 66 2f332f302f39 02 01",
		"a break in a definite map":    "81 a2 00 66 2f332f302f39 ff",
		"an odd number of items":       "81 bf 00 66 2f332f302f39 02 ff",
	} {
		t.Run(name, func(t *testing.T) {
			formattest.Refused(t, &senml.CBORDecoder{}, formattest.Request("/"), unhex(t, payload), dm.BadRequest, "")
		})
	}
}

// TestLinkAsText reads object links from the string field, where many servers write them instead of
// in LwM2M's own field.
func TestLinkAsText(t *testing.T) {
	want := []dm.Entry{formattest.At("/66/0/2", dm.LinkValue(dm.ObjectLink{Object: 67}))}
	const pack = `[{"bn":"/66/0/2","n":"","vs":"67:0"}]`
	formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, formattest.Request("/66/0/2"), []byte(pack)), want)
	formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, formattest.Request("/66/0/2"), toCBOR(t, pack)), want)
}

// TestPaddedData reads base64url with the padding that RFC 8428 §5 leaves out, with one, two and no
// characters of it. The encoder writes none.
func TestPaddedData(t *testing.T) {
	for text, data := range map[string]string{"YWI=": "ab", "YQ==": "a", "YWJj": "abc", "YQ": "a", "-_8=": "\xfb\xff", "": ""} {
		want := []dm.Entry{formattest.At("/33001/0/6", dm.OpaqueValue([]byte(data)))}
		pack := `[{"n":"/33001/0/6","vd":"` + text + `"}]`
		formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, formattest.Request("/33001/0/6"), []byte(pack)), want)
		if got := formattest.Encode(t, &senml.JSONEncoder{}, "/33001/0/6", want); bytes.ContainsRune(got, '=') {
			t.Errorf("%q is written with padding: %s", data, got)
		}
	}
}

// TestAcceptedCBOR covers the spellings that a sender may choose freely.
func TestAcceptedCBOR(t *testing.T) {
	battery := formattest.At("/3/0/9", dm.IntegerValue(100))
	clock := formattest.At("/3/0/13", dm.TimeValue(1363896240))
	for _, v := range []struct {
		name, payload string
		want          dm.Entry
	}{
		{"indefinite lengths", "9f bf 00 7f 62 2f33 64 2f302f39 ff 02 18 64 ff ff", battery},
		{"the tag of CBOR itself", "d9d9f7 81 a2 00 66 2f332f302f39 02 18 64", battery},
		{"a half float", "81 a2 00 66 2f332f302f39 02 f95640", battery},
		{"a decimal fraction", "81 a2 00 66 2f332f302f39 02 c4 82 01 0a", battery},
		{"labels in another order", "81 a2 02 18 64 00 66 2f332f302f39", battery},
		{"an unknown label", "81 a3 00 66 2f332f302f39 18 63 a1 01 80 02 18 64", battery},
		{"heads longer than need be", "81 b802 1800 7806 2f332f302f39 1802 190064", battery},
		{"a time with tag 1", "81 a2 00 67 2f332f302f3133 02 c1 1a 514b67b0", clock},
		{"a date with tag 0", "81 a2 00 67 2f332f302f3133 02 c0 74 323031332d30332d32315432303a30343a30305a", clock},
	} {
		t.Run(v.name, func(t *testing.T) {
			got := formattest.Decode(t, &senml.CBORDecoder{}, formattest.Request("/3/0"), unhex(t, v.payload))
			formattest.Equal(t, got, []dm.Entry{v.want})
		})
	}
}
