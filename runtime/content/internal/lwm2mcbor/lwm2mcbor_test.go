package lwm2mcbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/lwm2mcbor"
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

// vectors are the examples of the other formats as the maps of Core 1.2.2 §7.4.4. The map of a
// Server instance is an example of the specification (§7.4.4.4).
var vectors = []struct {
	name, base, payload string
	entries             []dm.Entry
}{
	{"Core 1.2.2 §7.4.4, /1/0", "/1/0", `a1 01 a1 00 a7
		00 18 65
		01 1a 00015180
		02 19 012c
		03 19 1770
		05 1a 00015180
		06 f5
		07 61 55`, []dm.Entry{
		formattest.At("/1/0/0", dm.IntegerValue(101)),
		formattest.At("/1/0/1", dm.IntegerValue(86400)),
		formattest.At("/1/0/2", dm.IntegerValue(300)),
		formattest.At("/1/0/3", dm.IntegerValue(6000)),
		formattest.At("/1/0/5", dm.IntegerValue(86400)),
		formattest.At("/1/0/6", dm.BooleanValue(true)),
		formattest.At("/1/0/7", dm.StringValue("U")),
	}},
	{"/3/0", "/3/0", `a1 03 a1 00 ac
		00 74 4f70656e204d6f62696c6520416c6c69616e6365
		01 76 4c69676874776569676874204d324d20436c69656e74
		02 69 333435303030313233
		03 63 312e30
		06 a2 00 01 01 05
		07 a2 00 19 0ed8 01 19 1388
		08 a2 00 18 7d 01 19 0384
		09 18 64
		0a 0f
		0b a1 00 00
		0d 1a 5182428f
		0e 66 2b30323a3030`, formattest.Device0()[:15]},
	{"/2", "/2", `a1 02 a2
		00 a4 00 01 01 00 02 a1 18 7f 07 03 18 7f
		02 a4 00 03 01 00 02 a2 18 7f 07 19 0136 01 03 18 7f`, formattest.AccessControl()},
	{"/65/0", "/65/0", `a1 18 41 a1 00 a3
		00 a2 00 64 36363a30 01 64 36363a31
		01 6d 38363133383030373535353030
		02 1a 12345678`, formattest.Linked65()},
	{"a composite", "/", "a2 01 a1 00 a1 01 18 3c 03 a1 00 a2 09 18 64 0b a1 00 00", []dm.Entry{
		formattest.At("/1/0/1", dm.IntegerValue(60)),
		formattest.At("/3/0/9", dm.IntegerValue(100)),
		formattest.At("/3/0/11/0", dm.IntegerValue(0)),
	}},
	{"nothing", "/", "a0", nil},
	{"nodes with nothing below them", "/1", "a1 01 a2 00 a0 01 a1 05 a0", []dm.Entry{
		formattest.At("/1/0", dm.Value{}), formattest.At("/1/1/5", dm.Value{}),
	}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			payload := unhex(t, v.payload)
			if got := formattest.Encode(t, &lwm2mcbor.Encoder{}, v.base, v.entries); !bytes.Equal(got, payload) {
				t.Errorf("%x\nwant %x", got, payload)
			}
			r := formattest.Request(v.base)
			formattest.Equal(t, formattest.Decode(t, &lwm2mcbor.Decoder{}, r, payload), v.entries)
			formattest.Truncated(t, &lwm2mcbor.Decoder{}, r, payload, nil)
		})
	}
}

// TestPeer reads an instance with all values with fxamacker/cbor, which writes it for our decoder.
func TestPeer(t *testing.T) {
	entries := formattest.Instance()
	b := formattest.Encode(t, &lwm2mcbor.Encoder{}, "/33001/0", entries)
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	var tree map[uint16]map[uint16]map[uint16]cbor.RawMessage
	if err := mode.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	resources := tree[33001][0]
	if len(tree) != 1 || len(tree[33001]) != 1 || len(resources) != 18 {
		t.Fatalf("the peer finds %d resources", len(resources))
	}
	for _, e := range entries {
		raw := resources[uint16(e.Path.Resource())]
		if e.Path.Level() == dm.ResourceInstanceLevel {
			var instances map[uint16]cbor.RawMessage
			if err := mode.Unmarshal(raw, &instances); err != nil {
				t.Fatal(err)
			}
			raw = instances[uint16(e.Path.ResourceInstance())]
		}
		var got any
		if err := mode.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v: %x: %v", e.Path, raw, err)
		}
		if !means(got, e.Value) {
			t.Errorf("%v: the peer reads %v as %v", e.Path, e.Value, got)
		}
	}
	theirs, err := cbor.Marshal(tree) // in the order of a Go map
	if err != nil {
		t.Fatal(err)
	}
	got := formattest.Decode(t, &lwm2mcbor.Decoder{}, formattest.Request("/33001/0"), theirs)
	slices.SortFunc(got, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	formattest.Equal(t, got, entries)
}

// means reports whether the peer has read the value.
func means(got any, v dm.Value) bool {
	switch g := got.(type) {
	case uint64:
		return v.Integer() >= 0 && uint64(v.Integer()) == g || v.Seconds() >= 0 && uint64(v.Seconds()) == g || v.Unsigned() == g
	case int64:
		return v.Integer() == g || v.Seconds() == g
	case float64:
		return v.Type() == registry.Float && v.Float() == g
	case bool:
		return v.Type() == registry.Boolean && v.Boolean() == g
	case string:
		return v.Text() == g || v.Type() == registry.Objlnk && v.Link().String() == g
	case []byte:
		return v.Type() == registry.Opaque && bytes.Equal(v.Opaque(), g)
	}
	return false
}

func TestAccepted(t *testing.T) {
	battery := []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(100))}
	power := []dm.Entry{formattest.At("/3/0/6/1", dm.IntegerValue(5))}
	create := formattest.Request("/1")
	create.Create, create.NewInstance = true, 7
	for _, v := range []struct {
		name    string
		req     content.Request
		payload string
		want    []dm.Entry
	}{
		{"an array of IDs as a key", formattest.Request("/3/0"), "a1 83 03 00 09 18 64", battery},
		{"arrays and maps mixed", formattest.Request("/"), "a2 82 03 00 a1 09 18 64 03 a1 82 00 06 a1 81 01 05", append(battery[:1:1], power...)},
		{"indefinite lengths", formattest.Request("/"), "bf 9f 03 00 ff bf 09 18 64 ff ff", battery},
		{"the tag of CBOR itself", formattest.Request("/"), "d9d9f7 a1 83 03 00 09 18 64", battery},
		{"relative to an instance", formattest.Request("/3/0"), "a1 09 18 64", battery},
		{"relative to an instance, with a resource instance", formattest.Request("/3/0"), "a1 06 a1 01 05", power},
		{"relative to a resource", formattest.Request("/3/0/6"), "a1 01 05", power},
		{"relative to an object", formattest.Request("/3"), "a1 00 a1 09 18 64", battery},
		{"absolute rather than relative", formattest.Request("/3"), "a1 03 a1 00 a1 09 18 64", battery},
		{"relative, because it cannot be absolute", formattest.Request("/3"), "a1 00 a1 06 a1 01 05", power},
		{"no resource instances, relative", formattest.Request("/3/0"), "a1 06 a0", []dm.Entry{formattest.At("/3/0/6", dm.Value{})}},
		{"the instance that the request names", formattest.Request("/3/0"), "a1 03 a1 00 a0", nil},
		{"an object without instances", formattest.Request("/3"), "a1 03 a0", nil},
		{"Create without an instance ID", create, "a1 00 01", []dm.Entry{formattest.At("/1/7/0", dm.IntegerValue(1))}},
		{"Create with an instance ID", create, "a1 02 a1 00 01", []dm.Entry{formattest.At("/1/2/0", dm.IntegerValue(1))}},
		{"Create with a whole path", create, "a1 01 a1 02 a1 00 01", []dm.Entry{formattest.At("/1/2/0", dm.IntegerValue(1))}},
		{"Create of an empty instance", create, "a1 02 a0", []dm.Entry{formattest.At("/1/2", dm.Value{})}},
		{"a time with tag 1", formattest.Request("/3/0"), "a1 0d c1 1a 5182428f", []dm.Entry{formattest.At("/3/0/13", dm.TimeValue(1367491215))}},
		{"keys out of order", formattest.Request("/3/0"), "a2 0a 0f 09 18 64", []dm.Entry{formattest.At("/3/0/10", dm.IntegerValue(15)), battery[0]}},
		{"a resource without a definition", formattest.Request("/3/0"), "a1 18 63 f5", []dm.Entry{formattest.At("/3/0/99", dm.BooleanValue(true))}},
	} {
		t.Run(v.name, func(t *testing.T) {
			payload := unhex(t, v.payload)
			formattest.Equal(t, formattest.Decode(t, &lwm2mcbor.Decoder{}, v.req, payload), v.want)
			formattest.Truncated(t, &lwm2mcbor.Decoder{}, v.req, payload, nil)
		})
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct{ name, base, payload, path string }{
		{"no map", "/3/0", "01", ""},
		{"an array", "/3/0", "80", ""},
		{"trailing bytes", "/3/0", "a0 00", ""},
		{"a map that lies", "/3/0", "bb ffffffffffffffff", ""},
		{"a text as a key", "/3/0", "a1 61 39 01", ""},
		{"a negative key", "/3/0", "a1 20 01", ""},
		{"a reserved key", "/3/0", "a1 19 ffff 01", ""},
		{"a key above 16 bits", "/3/0", "a1 1a 00010000 01", ""},
		{"a key of no IDs", "/3/0", "a1 80 01", ""},
		{"a key of an array in an array", "/3/0", "a1 81 81 03 01", ""},
		{"a key of five IDs", "/", "a1 85 03 00 06 01 01 05", ""},
		{"five keys", "/", "a1 03 a1 00 a1 06 a1 01 a1 01 05", ""},
		{"a key twice", "/3/0", "a2 09 01 09 02", ""},
		{"a key twice, far apart", "/3/0", "a3 09 01 0a 02 09 03", ""},
		{"a key twice, with different values below it", "/", "a2 03 a1 00 a1 09 01 03 a1 00 a1 0a 02", ""},
		{"a path twice, by different keys", "/", "a2 83 03 00 09 01 03 a1 00 a1 09 02", "/3/0/9"},
		{"a value of an instance", "/", "a1 82 03 00 01", "/3/0"},
		{"a value of an object", "/", "a1 03 01", "/3"},
		{"outside of the base", "/3/0", "a1 83 01 00 01 01", "/1/0/1"},
		{"outside of the base, for a resource", "/3/0/9", "a1 83 03 00 0a 01", "/3/0/10"},
		{"too deep for the base", "/3/0/6/1", "a1 05 05", ""},
		{"an empty resource instance", "/", "a1 84 03 00 06 01 a0", "/3/0/6/1"},
		{"an array for a value", "/3/0", "a1 09 81 01", ""},
		{"null", "/3/0", "a1 09 f6", "/3/0/9"},
		{"text for a number", "/3/0", "a1 09 61 31", "/3/0/9"},
		{"a number for text", "/3/0", "a1 0e 01", "/3/0/14"},
		{"a fraction for a whole number", "/3/0", "a1 09 f9 3e00", "/3/0/9"},
	} {
		t.Run(v.name, func(t *testing.T) {
			formattest.Refused(t, &lwm2mcbor.Decoder{}, formattest.Request(v.base), unhex(t, v.payload), dm.BadRequest, v.path)
		})
	}
}

func TestPaths(t *testing.T) {
	paths := []dm.Path{formattest.Path("/3"), formattest.Path("/1/0"), formattest.Path("/1/0/1"), formattest.Path("/3/0/11/0")}
	b, err := lwm2mcbor.AppendPaths(nil, paths)
	if err != nil || hex.EncodeToString(b) != "a403f6820100f683010001f6840300"+"0b00f6" {
		t.Errorf("%x, %v", b, err)
	}
	for _, payload := range [][]byte{b, unhex(t, "bf 03 f6 01 a2 00 f6 81 00 f6 82 01 00 a1 01 f6 84 03000b00 f6 ff")} {
		var got []dm.Path
		err = (&lwm2mcbor.Decoder{}).DecodePaths(payload, content.Request{}, func(p dm.Path) error { got = append(got, p); return nil })
		if len(payload) == len(b) && (err != nil || !slices.Equal(got, paths)) {
			t.Errorf("%x: %v, %v", payload, got, err)
		}
		if len(payload) != len(b) && !errors.Is(err, dm.BadRequest) {
			t.Errorf("%x has the key 0 twice: %v, %v", payload, got, err)
		}
	}
	if _, err := lwm2mcbor.AppendPaths(nil, []dm.Path{{}}); !errors.Is(err, dm.NotAcceptable) {
		t.Errorf("the root: %v, want 4.06", err)
	}
	for name, payload := range map[string]string{"a value": "a1 03 01", "outside of the base": "a1 01 f6", "cut": "a1 03"} {
		r := content.Request{Base: formattest.Path("/3")}
		err := (&lwm2mcbor.Decoder{}).DecodePaths(unhex(t, payload), r, func(dm.Path) error { return nil })
		if !errors.Is(err, dm.BadRequest) {
			t.Errorf("%s: %v, want 4.00", name, err)
		}
	}
}

func TestEncodeRefused(t *testing.T) {
	for _, v := range []struct {
		name, base string
		entries    []dm.Entry
		code       dm.Code
	}{
		{"a time", "/3/0", []dm.Entry{{Path: formattest.Path("/3/0/9"), Value: dm.IntegerValue(1), Time: 1e9}}, dm.NotAcceptable},
		{"out of order", "/", []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(1)), formattest.At("/1/0/0", dm.IntegerValue(1))}, dm.InternalServerError},
		{"twice", "/", []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(1)), formattest.At("/3/0/9", dm.IntegerValue(1))}, dm.InternalServerError},
		{"a resource with a value and resource instances", "/", []dm.Entry{formattest.At("/3/0/6", dm.IntegerValue(1)), formattest.At("/3/0/6/0", dm.IntegerValue(1))}, dm.InternalServerError},
		{"outside of the base", "/1", []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(1))}, dm.InternalServerError},
		{"nothing in a resource instance", "/", []dm.Entry{formattest.At("/3/0/6/0", dm.Value{})}, dm.InternalServerError},
	} {
		if _, err := formattest.TryEncode(&lwm2mcbor.Encoder{}, content.Target{Base: formattest.Path(v.base)}, v.entries); !errors.Is(err, v.code) {
			t.Errorf("%s: %v, want %v", v.name, err, v.code)
		}
	}
}

// TestManyKeys writes nested maps whose heads take one to five bytes.
func TestManyKeys(t *testing.T) {
	for _, n := range []int{1, 23, 24, 255, 256, 65535} {
		var entries []dm.Entry
		for o := range dm.ObjectID(2) {
			for i := range n {
				p := dm.ResourceInstancePath(33001+o, 0, 24, dm.ResourceInstanceID(i))
				entries = append(entries, dm.Entry{Path: p, Value: dm.FloatValue(math.Pi)})
			}
		}
		b := formattest.Encode(t, &lwm2mcbor.Encoder{}, "/", entries)
		if err := cbor.Wellformed(b); err != nil {
			t.Fatal(err)
		}
		got := formattest.Decode(t, &lwm2mcbor.Decoder{}, formattest.Request("/"), b)
		if !formattest.Same(got, entries) {
			t.Errorf("%d keys do not come back", n)
		}
	}
}

func FuzzCBOR(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.payload), formattest.FuzzBase(v.base))
	}
	f.Add(formattest.Encode(f, &lwm2mcbor.Encoder{}, "/33001/0", formattest.Small()), formattest.FuzzBase("/33001/0"))
	f.Add(unhex(f, "a2 82 03 00 a1 09 18 64 03 a1 82 00 06 a1 81 01 05"), formattest.FuzzBase("/"))
	f.Add(unhex(f, "bf 9f 03 00 ff bf 09 c4 82 01 0a ff ff"), formattest.FuzzBase("/3"))
	f.Add(unhex(f, "a1 00 01"), formattest.FuzzBase("/3")+132)
	if b, err := lwm2mcbor.AppendPaths(nil, []dm.Path{formattest.Path("/3"), formattest.Path("/1/0/1")}); err == nil {
		f.Add(b, formattest.FuzzBase("/"))
	}
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		d := &lwm2mcbor.Decoder{}
		formattest.RoundTrip(t, &lwm2mcbor.Encoder{}, d, r, payload, formattest.Quirks{})
		var first, second []dm.Path
		err := d.DecodePaths(payload, r, func(p dm.Path) error {
			if !slices.Contains(first, p) { // two keys can spell one path
				first = append(first, p)
			}
			return nil
		})
		if err != nil {
			return
		}
		b, err := lwm2mcbor.AppendPaths(nil, first)
		if err != nil {
			t.Fatal(err)
		}
		err = d.DecodePaths(b, r, func(p dm.Path) error { second = append(second, p); return nil })
		if err != nil || !slices.Equal(first, second) {
			t.Fatalf("%x: %v, encoded as %x, is %v, %v", payload, first, b, second, err)
		}
	})
}
