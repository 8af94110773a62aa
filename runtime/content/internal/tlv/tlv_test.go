package tlv_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/tlv"
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

// device0 is the payload of /3/0 in Core 1.0.2 §6.4.3.1.
const device0 = `
	C8 00 14 4F 70 65 6E 20 4D 6F 62 69 6C 65 20 41 6C 6C 69 61 6E 63 65
	C8 01 16 4C 69 67 68 74 77 65 69 67 68 74 20 4D 32 4D 20 43 6C 69 65 6E 74
	C8 02 09 33 34 35 30 30 30 31 32 33
	C3 03 31 2E 30
	86 06 41 00 01 41 01 05
	88 07 08 42 00 0E D8 42 01 13 88
	87 08 41 00 7D 42 01 03 84
	C1 09 64
	C1 0A 0F
	83 0B 41 00 00
	C4 0D 51 82 42 8F
	C6 0E 2B 30 32 3A 30 30
	C1 10 55`

var vectors = []struct {
	name    string
	base    string
	payload string
	entries []dm.Entry
}{
	{"Core 1.0.2 §6.4.3.1, /3/0", "/3/0", device0, formattest.Device0()},
	{"Core 1.0.2 §6.4.3.1, /3", "/3", "08 00 79" + device0, formattest.Device0()},
	{"Core 1.0.2 §6.4.3.2 A, /2", "/2", `
		08 00 0E C1 00 01 C1 01 00 83 02 41 7F 07 C1 03 7F
		08 02 12 C1 00 03 C1 01 00 87 02 41 7F 07 61 01 36 01 C1 03 7F`, formattest.AccessControl()},
	{"Core 1.0.2 §6.4.3.2 B, /1", "/1", "08 00 0F C1 00 01 C4 01 00 01 51 80 C1 06 01 C1 07 55", formattest.Servers()},
	{"Core 1.0.2 §6.4.3.3, /65/0", "/65/0", `
		88 00 0C 44 00 00 42 00 00 44 01 00 42 00 01
		C8 01 0D 38 36 31 33 38 30 30 37 35 35 35 30 30
		C4 02 12 34 56 78`, formattest.Linked65()},
	{"Core 1.0.2 §6.4.3.3, /66", "/66", `
		08 00 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 31
		C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 34 C4 02 00 43 00 00
		08 01 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 32
		C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 35 C4 02 FF FF FF FF`, formattest.Linked66()},
	{"ETS LightweightM2M-1.1-int-215", "/1/0", "C1 02 65 C2 03 03 F2 C2 05 07 D0 C1 06 01 C1 07 55", []dm.Entry{
		formattest.At("/1/0/2", dm.IntegerValue(101)),
		formattest.At("/1/0/3", dm.IntegerValue(1010)),
		formattest.At("/1/0/5", dm.IntegerValue(2000)),
		formattest.At("/1/0/6", dm.BooleanValue(true)),
		formattest.At("/1/0/7", dm.StringValue("U")),
	}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			payload := unhex(t, v.payload)
			if got := formattest.Encode(t, &tlv.Encoder{}, v.base, v.entries); string(got) != string(payload) {
				t.Errorf("encoded %x\nwant    %x", got, payload)
			}
			got := formattest.Decode(t, &tlv.Decoder{}, formattest.Request(v.base), payload)
			formattest.Equal(t, got, v.entries)
		})
	}
}

// ends returns the lengths to which a payload can be cut so that only whole TLVs are left.
func ends(t *testing.T, payload []byte) func(int) bool {
	at := map[int]bool{0: true}
	for n := 0; n < len(payload); {
		h, size, err := tlv.ParseHeader(payload[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += size + h.Len
		at[n] = true
	}
	return func(n int) bool { return at[n] }
}

func TestTruncated(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			payload := unhex(t, v.payload)
			formattest.Truncated(t, &tlv.Decoder{}, formattest.Request(v.base), payload, ends(t, payload))
		})
	}
}

// TestHeader checks that parsing, appending and the length of headers agree.
func TestHeader(t *testing.T) {
	whole := make([]byte, 6+tlv.MaxLen)
	for kind := tlv.ObjectInstance; kind <= tlv.Resource; kind++ {
		for _, id := range []uint16{0, 1, 255, 256, 65534} {
			for _, n := range []int{0, 1, 7, 8, 255, 256, 65535, 65536, tlv.MaxLen} {
				h := tlv.Header{Kind: kind, ID: id, Len: n}
				b := tlv.AppendHeader(nil, h)
				if len(b) != tlv.HeaderLen(h) {
					t.Errorf("%+v: HeaderLen %d, appended %x", h, tlv.HeaderLen(h), b)
				}
				copy(whole, b)
				got, size, err := tlv.ParseHeader(whole[:len(b)+n])
				if err != nil || got != h || size != len(b) {
					t.Errorf("%+v: read as %+v of %d bytes, %v", h, got, size, err)
				}
				for cut := range b {
					if _, _, err := tlv.ParseHeader(b[:cut]); !errors.Is(err, tlv.ErrShort) {
						t.Errorf("%x cut to %d bytes: %v", b, cut, err)
					}
				}
				if n > 0 {
					if _, _, err := tlv.ParseHeader(whole[:len(b)+n-1]); !errors.Is(err, tlv.ErrShort) {
						t.Errorf("%+v with a byte too few: %v", h, err)
					}
				}
			}
		}
	}
}

// TestValue checks that parsing, appending and the length of values agree.
func TestValue(t *testing.T) {
	for _, v := range formattest.Values() {
		b := tlv.AppendValue(nil, v)
		if len(b) != tlv.ValueLen(v) {
			t.Errorf("%v %v: ValueLen %d, appended %d", v.Type(), v, tlv.ValueLen(v), len(b))
		}
		if got, err := tlv.ParseValue(b, v.Type()); err != nil || !got.Equal(v) {
			t.Errorf("%v %v: %x reads back as %v, %v", v.Type(), v, b, got, err)
		}
	}
	nan := dm.FloatValue(math.NaN())
	if got, err := tlv.ParseValue(tlv.AppendValue(nil, nan), registry.Float); err != nil || !got.Equal(nan) {
		t.Errorf("NaN reads back as %v, %v", got, err)
	}
}

func TestEncodings(t *testing.T) {
	for _, v := range []struct {
		name, base, payload string
		want                []dm.Entry
	}{
		{"an instance that the request names", "/1/0", "08 00 03 C1 00 01", []dm.Entry{formattest.At("/1/0/0", dm.IntegerValue(1))}},
		{"an object with a single instance", "/3", "C1 09 64", []dm.Entry{formattest.At("/3/0/9", dm.IntegerValue(100))}},
		{"resource instances that the request names", "/3/0/6", "41 00 01 41 01 05", []dm.Entry{
			formattest.At("/3/0/6/0", dm.IntegerValue(1)), formattest.At("/3/0/6/1", dm.IntegerValue(5)),
		}},
		{"a resource instance", "/3/0/6/1", "41 01 05", []dm.Entry{formattest.At("/3/0/6/1", dm.IntegerValue(5))}},
		{"a resource instance in its resource", "/3/0/6/1", "83 06 41 01 05", []dm.Entry{formattest.At("/3/0/6/1", dm.IntegerValue(5))}},
		{"a resource with resource instances", "/3/0/6", "86 06 41 00 01 41 01 05", []dm.Entry{
			formattest.At("/3/0/6/0", dm.IntegerValue(1)), formattest.At("/3/0/6/1", dm.IntegerValue(5)),
		}},
		{"no resource instances", "/3/0", "80 06", []dm.Entry{formattest.At("/3/0/6", dm.Value{})}},
		{"no resources of the instance that the request names", "/1/0", "00 00", nil},
		{"no resources", "/1", "00 00 00 01", []dm.Entry{formattest.At("/1/0", dm.Value{}), formattest.At("/1/1", dm.Value{})}},
		{"nothing", "/1", "", nil},
		{"a long length that is short", "/1/0", "C8 00 01 01", []dm.Entry{formattest.At("/1/0/0", dm.IntegerValue(1))}},
		{"a long ID that is short", "/1/0", "E1 00 00 01", []dm.Entry{formattest.At("/1/0/0", dm.IntegerValue(1))}},
		{"an Integer in eight bytes", "/1/0", "C8 00 08 FF FF FF FF FF FF FF FE", []dm.Entry{formattest.At("/1/0/0", dm.IntegerValue(-2))}},
		{"a resource without a definition", "/1/0", "C2 63 AB CD", []dm.Entry{formattest.At("/1/0/99", dm.OpaqueValue([]byte{0xab, 0xcd}))}},
	} {
		t.Run(v.name, func(t *testing.T) {
			got := formattest.Decode(t, &tlv.Decoder{}, formattest.Request(v.base), unhex(t, v.payload))
			formattest.Equal(t, got, v.want)
		})
	}
}

// TestCreate decodes payloads of a Create, with and without an instance ID.
func TestCreate(t *testing.T) {
	r := formattest.Request("/1")
	r.Create, r.NewInstance = true, 7
	for payload, want := range map[string]string{"C1 00 01": "/1/7/0", "08 02 03 C1 00 01": "/1/2/0"} {
		got := formattest.Decode(t, &tlv.Decoder{}, r, unhex(t, payload))
		formattest.Equal(t, got, []dm.Entry{formattest.At(want, dm.IntegerValue(1))})
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct{ name, base, payload, path string }{
		{"a length that lies", "/1/0", "C7 00 01", "/1/0"},
		{"a length of 16 MB that lies", "/1/0", "D8 00 FF FF FF", "/1/0"},
		{"trailing bytes", "/1/0", "C1 00 01 C1", "/1/0"},
		{"an inner length that lies", "/1", "08 00 03 C2 00 01", "/1"},
		{"an outer length that ends inside", "/1", "08 00 02 C1 00 01", "/1"},
		{"the reserved ID", "/1/0", "E1 FF FF 01", "/1/0"},
		{"an instance in an instance", "/1/0", "08 00 03 08 00 00", "/1/0"},
		{"a resource in a resource", "/3/0", "83 06 C1 00 01", "/3/0/6"},
		{"a resource with resource instances in another", "/3/0", "82 06 80 00", "/3/0/6"},
		{"a resource instance in an instance", "/1", "08 00 03 41 00 01", "/1/0"},
		{"a resource instance without its resource", "/3/0", "41 00 01", "/3/0"},
		{"resources without their instance", "/1", "C1 00 01", "/1"},
		{"another instance than the request's", "/1/0", "08 01 03 C1 00 01", "/1/1"},
		{"another resource than the request's", "/1/0/0", "C1 01 01", "/1/0/1"},
		{"another resource instance than the request's", "/3/0/6/1", "41 02 05", "/3/0/6/2"},
		{"a value for a request of a resource instance", "/3/0/6/1", "C1 06 05", "/3/0/6"},
		{"the root", "/", "08 00 03 C1 00 01", "/"},
		{"a resource twice", "/1/0", "C1 00 01 C1 00 02", "/1/0/0"},
		{"a resource instance twice", "/3/0", "86 06 41 00 01 41 00 05", "/3/0/6/0"},
		{"an Integer in three bytes", "/1/0", "C3 00 01 02 03", "/1/0/0"},
		{"an Integer in no bytes", "/1/0", "C0 00", "/1/0/0"},
		{"a Boolean of two", "/1/0", "C1 06 02", "/1/0/6"},
		{"a Boolean in two bytes", "/1/0", "C2 06 00 01", "/1/0/6"},
		{"a String that is not UTF-8", "/1/0", "C1 07 FF", "/1/0/7"},
		{"a Float in two bytes", "/33001/0", "C2 04 00 00", "/33001/0/4"},
		{"an Unsigned Integer in nine bytes", "/33001/0", "C8 03 09 000000000000000001", "/33001/0/3"},
		{"an Objlnk in three bytes", "/33001/0", "C3 08 00 00 00", "/33001/0/8"},
		{"an Objlnk of the reserved object", "/33001/0", "C4 08 FF FF 00 00", "/33001/0/8"},
		{"a Corelnk that is not UTF-8", "/33001/0", "C1 09 FF", "/33001/0/9"},
	} {
		t.Run(v.name, func(t *testing.T) {
			formattest.Refused(t, &tlv.Decoder{}, formattest.Request(v.base), unhex(t, v.payload), dm.BadRequest, v.path)
		})
	}
}

// TestNesting checks that payloads nested as deeply as their bytes allow do not exceed a bounded
// depth.
func TestNesting(t *testing.T) {
	payload := []byte{}
	for range 10000 {
		h := tlv.Header{Kind: tlv.ObjectInstance, Len: len(payload)}
		payload = append(tlv.AppendHeader(nil, h), payload...)
	}
	formattest.Refused(t, &tlv.Decoder{}, formattest.Request("/1/0"), payload, dm.BadRequest, "/1/0")
}

func TestEncodeRefused(t *testing.T) {
	for _, v := range []struct {
		name    string
		base    string
		entries []dm.Entry
		code    dm.Code
	}{
		{"the root", "/", nil, dm.NotAcceptable},
		{"a time", "/1/0", []dm.Entry{{Path: formattest.Path("/1/0/0"), Value: dm.IntegerValue(1), Time: 1e9}}, dm.NotAcceptable},
		{"out of order", "/1/0", []dm.Entry{formattest.At("/1/0/1", dm.IntegerValue(1)), formattest.At("/1/0/0", dm.IntegerValue(1))}, dm.InternalServerError},
		{"twice", "/1/0", []dm.Entry{formattest.At("/1/0/1", dm.IntegerValue(1)), formattest.At("/1/0/1", dm.IntegerValue(1))}, dm.InternalServerError},
		{"outside of the base", "/1/0", []dm.Entry{formattest.At("/1/1/0", dm.IntegerValue(1))}, dm.InternalServerError},
		{"a String that is not UTF-8", "/1/0", []dm.Entry{formattest.At("/1/0/7", dm.StringValue("\xff"))}, dm.InternalServerError},
		{"a value of an instance", "/1/0", []dm.Entry{formattest.At("/1/0", dm.IntegerValue(1))}, dm.InternalServerError},
		{"nothing in a resource instance", "/3/0", []dm.Entry{formattest.At("/3/0/6/0", dm.Value{})}, dm.InternalServerError},
		{"a value beyond three bytes of length", "/33001/0", []dm.Entry{formattest.At("/33001/0/6", dm.OpaqueValue(make([]byte, tlv.MaxLen+1)))}, dm.NotAcceptable},
		{"an instance beyond three bytes of length", "/33001", []dm.Entry{formattest.At("/33001/0/6", dm.OpaqueValue(make([]byte, tlv.MaxLen)))}, dm.NotAcceptable},
		{"a resource beyond three bytes of length", "/33001/0", []dm.Entry{
			formattest.At("/33001/0/26/0", dm.OpaqueValue(make([]byte, tlv.MaxLen))), formattest.At("/33001/0/27/0", dm.TimeValue(0)),
		}, dm.NotAcceptable},
	} {
		t.Run(v.name, func(t *testing.T) {
			_, err := formattest.TryEncode(&tlv.Encoder{}, content.Target{Base: formattest.Path(v.base)}, v.entries)
			if !errors.Is(err, v.code) {
				t.Errorf("%v, want %v", err, v.code)
			}
		})
	}
}

func FuzzTLV(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.payload), formattest.FuzzBase(v.base))
	}
	f.Add(formattest.Encode(f, &tlv.Encoder{}, "/33001/0", formattest.Small()), formattest.FuzzBase("/33001/0"))
	f.Add(formattest.Encode(f, &tlv.Encoder{}, "/33001", formattest.Instance()[:9]), formattest.FuzzBase("/33001"))
	f.Add(unhex(f, "C1 00 01"), formattest.FuzzBase("/3")+132)
	f.Add(unhex(f, "80 06 00 00"), formattest.FuzzBase("/3/0"))
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		formattest.RoundTrip(t, &tlv.Encoder{}, &tlv.Decoder{}, formattest.FuzzRequest(n), payload, formattest.Quirks{})
	})
}
