package cbor_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	peer "github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cbor"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
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

// TestVectors covers ETS LightweightM2M-1.1-int-211 and -212, and an item of each other type.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		base, payload string
		want          dm.Value
	}{
		{"/1/0/0", "01", dm.IntegerValue(1)},
		{"/1/0/6", "f5", dm.BooleanValue(true)},
		{"/1/0/7", "61 55", dm.StringValue("U")},
		{"/1/0/2", "18 65", dm.IntegerValue(101)},
		{"/1/0/3", "19 03f2", dm.IntegerValue(1010)},
		{"/3/0/13", "c1 1a 5182428f", dm.TimeValue(1367491215)},
		{"/3/0/13", "c1 20", dm.TimeValue(-1)},
		{"/3303/0/5700", "f9 4da0", dm.FloatValue(22.5)},
		{"/33001/0/6", "43 00fffe", dm.OpaqueValue([]byte{0, 0xff, 0xfe})},
		{"/65/0/0/1", "64 36363a31", dm.LinkValue(dm.ObjectLink{Object: 66, Instance: 1})},
		{"/33001/0/3", "1b ffffffffffffffff", dm.UnsignedValue(math.MaxUint64)},
	} {
		e := []dm.Entry{formattest.At(v.base, v.want)}
		payload := unhex(t, v.payload)
		if got := formattest.Encode(t, &cbor.Encoder{}, v.base, e); !bytes.Equal(got, payload) {
			t.Errorf("%s: %x, want %x", v.base, got, payload)
		}
		formattest.Equal(t, formattest.Decode(t, &cbor.Decoder{}, formattest.Request(v.base), payload), e)
		formattest.Truncated(t, &cbor.Decoder{}, formattest.Request(v.base), payload, nil)
	}
}

// TestPeer reads our payloads with fxamacker/cbor, and decodes what it writes.
func TestPeer(t *testing.T) {
	for _, v := range formattest.Values() {
		p := formattest.Every(v.Type())
		e := []dm.Entry{{Path: p, Value: v}}
		b := formattest.Encode(t, &cbor.Encoder{}, p.String(), e)
		var same bool
		var again any
		switch v.Type() {
		case registry.Integer:
			same, again = is(t, b, v.Integer())
		case registry.Time:
			same, again = is(t, b, peer.Tag{Number: 1, Content: number(v.Seconds())})
		case registry.UnsignedInteger:
			same, again = is(t, b, v.Unsigned())
		case registry.Float:
			same, again = is(t, b, v.Float())
		case registry.Boolean:
			same, again = is(t, b, v.Boolean())
		case registry.String, registry.Corelnk:
			same, again = is(t, b, v.Text())
		case registry.Objlnk:
			same, again = is(t, b, v.Link().String())
		case registry.Opaque:
			var got []byte
			same = peer.Unmarshal(b, &got) == nil && bytes.Equal(got, v.Opaque())
			again = append([]byte{}, v.Opaque()...)
		}
		if !same {
			t.Errorf("%v %v: the peer does not read %x so", v.Type(), v, b)
		}
		theirs, err := peer.Marshal(again)
		if err != nil {
			t.Fatal(err)
		}
		formattest.Equal(t, formattest.Decode(t, &cbor.Decoder{}, formattest.Request(p.String()), theirs), e)
	}
}

// number returns v as the peer decodes a whole number into an any.
func number(v int64) any {
	if v >= 0 {
		return uint64(v)
	}
	return v
}

// is reports whether the peer reads b as want. It returns want for the peer to write.
func is[T comparable](t *testing.T, b []byte, want T) (bool, any) {
	t.Helper()
	var got T
	if err := peer.Unmarshal(b, &got); err != nil {
		t.Errorf("%x: %v", b, err)
	}
	return got == want, want
}

func TestAccepted(t *testing.T) {
	for _, v := range []struct {
		name, base, payload string
		want                dm.Value
	}{
		{"a time without a tag", "/3/0/13", "1a 5182428f", dm.TimeValue(1367491215)},
		{"a time with tag 1", "/3/0/13", "c1 1a 5182428f", dm.TimeValue(1367491215)},
		{"a whole float with tag 1", "/3/0/13", "c1 fb 41d46090a3c00000", dm.TimeValue(1367491215)},
		{"a date with tag 0", "/3/0/13", "c0 74 323031332d30352d30325431303a34303a31355a", dm.TimeValue(1367491215)},
		{"a whole float", "/1/0/1", "fa 47a8c000", dm.IntegerValue(86400)},
		{"a whole number for a Float", "/3303/0/5700", "16", dm.FloatValue(22)},
		{"a decimal fraction", "/3303/0/5700", "c4 82 20 18e1", dm.FloatValue(22.5)},
		{"NaN", "/3303/0/5700", "f9 7e00", dm.FloatValue(math.Float64frombits(0x7ff8000000000000))},
		{"a text in pieces", "/1/0/7", "7f 61 55 61 51 ff", dm.StringValue("UQ")},
		{"a resource without a definition", "/1/0/99", "f5", dm.BooleanValue(true)},
	} {
		t.Run(v.name, func(t *testing.T) {
			got := formattest.Decode(t, &cbor.Decoder{}, formattest.Request(v.base), unhex(t, v.payload))
			formattest.Equal(t, got, []dm.Entry{formattest.At(v.base, v.want)})
		})
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct {
		name, base, payload string
		code                dm.Code
	}{
		{"an instance", "/1/0", "01", dm.UnsupportedContentFormat},
		{"text for a number", "/1/0/1", "61 31", dm.BadRequest},
		{"a number for text", "/1/0/7", "01", dm.BadRequest},
		{"bytes for text", "/1/0/7", "41 55", dm.BadRequest},
		{"text for bytes", "/33001/0/6", "61 55", dm.BadRequest},
		{"a number for a Boolean", "/1/0/6", "01", dm.BadRequest},
		{"a fraction for a whole number", "/1/0/1", "f9 3e00", dm.BadRequest},
		{"a number above 64 bits", "/1/0/1", "1b 8000000000000000", dm.BadRequest},
		{"null", "/1/0/1", "f6", dm.BadRequest},
		{"an array", "/1/0/1", "81 01", dm.BadRequest},
		{"trailing bytes", "/1/0/1", "01 01", dm.BadRequest},
		{"nothing", "/1/0/1", "", dm.BadRequest},
		{"an object link that is none", "/33001/0/8", "63 36362d", dm.BadRequest},
	} {
		t.Run(v.name, func(t *testing.T) {
			formattest.Refused(t, &cbor.Decoder{}, formattest.Request(v.base), unhex(t, v.payload), v.code, v.base)
		})
	}
	_, err := formattest.TryEncode(&cbor.Encoder{}, content.Target{Base: formattest.Path("/3/0/6")},
		[]dm.Entry{formattest.At("/3/0/6/0", dm.IntegerValue(1))})
	if !errors.Is(err, dm.NotAcceptable) {
		t.Errorf("resource instances: %v, want 4.06", err)
	}
}

func FuzzCBOR(f *testing.F) {
	for _, v := range formattest.Values() {
		if len(v.Text()) < 300 && len(v.Opaque()) < 300 {
			p := formattest.Every(v.Type())
			f.Add(formattest.Encode(f, &cbor.Encoder{}, p.String(), []dm.Entry{{Path: p, Value: v}}), formattest.FuzzBase("/9999/1"))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		formattest.RoundTrip(t, &cbor.Encoder{}, &cbor.Decoder{}, r, payload, formattest.Quirks{NoEmpty: true})
		for typ := registry.String; typ <= registry.Corelnk; typ++ {
			r.Base = formattest.Every(typ)
			formattest.RoundTrip(t, &cbor.Encoder{}, &cbor.Decoder{}, r, payload, formattest.Quirks{NoEmpty: true})
		}
	})
}
