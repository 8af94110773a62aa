package text_test

import (
	"errors"
	"math"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/text"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// TestVectors covers Core 1.2.2 Appendix C, Table C.1, and the texts of ETS
// LightweightM2M-1.1-int-205.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		text string
		want dm.Value
	}{
		{"101", dm.IntegerValue(101)},
		{"1010", dm.IntegerValue(1010)},
		{"-9223372036854775808", dm.IntegerValue(math.MinInt64)},
		{"18446744073709551615", dm.UnsignedValue(math.MaxUint64)},
		{"22.5", dm.FloatValue(22.5)},
		{"-0.0000001", dm.FloatValue(-1e-7)},
		{"100000000000000000000", dm.FloatValue(1e20)},
		{"0", dm.BooleanValue(false)},
		{"1", dm.BooleanValue(true)},
		{"U", dm.StringValue("U")},
		{"", dm.StringValue("")},
		{" 水\n", dm.StringValue(" 水\n")},
		{"AP/7", dm.OpaqueValue([]byte{0x00, 0xff, 0xfb})},
		{"YQ==", dm.OpaqueValue([]byte("a"))},
		{"", dm.OpaqueValue(nil)},
		{"1367491215", dm.TimeValue(1367491215)},
		{"-1", dm.TimeValue(-1)},
		{"10245:1", dm.LinkValue(dm.ObjectLink{Object: 10245, Instance: 1})},
		{"65535:65535", dm.LinkValue(dm.NullLink)},
		{`</3303/0>;ver="1.1"`, dm.CoreLinkValue(`</3303/0>;ver="1.1"`)},
	} {
		if got := text.Append(nil, v.want); string(got) != v.text {
			t.Errorf("%v %v is written as %q, not %q", v.want.Type(), v.want, got, v.text)
		}
		if got, err := text.Parse([]byte(v.text), v.want.Type()); err != nil || !got.Equal(v.want) {
			t.Errorf("%q is read as %v, %v; want %v %v", v.text, got, err, v.want.Type(), v.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, v := range formattest.Values() {
		p := formattest.Every(v.Type())
		e := []dm.Entry{{Path: p, Value: v}}
		b := formattest.Encode(t, &text.Encoder{}, p.String(), e)
		formattest.Equal(t, formattest.Decode(t, &text.Decoder{}, formattest.Request(p.String()), b), e)
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct {
		typ  registry.Type
		text string
	}{
		{registry.Integer, ""}, {registry.Integer, " 1"}, {registry.Integer, "1 "}, {registry.Integer, "+1"}, {registry.Integer, "1.0"},
		{registry.Integer, "9223372036854775808"}, {registry.Integer, "0x10"}, {registry.Integer, "1_000"}, {registry.Integer, "-"}, {registry.Integer, "1e3"},
		{registry.UnsignedInteger, "-1"}, {registry.UnsignedInteger, "+1"}, {registry.UnsignedInteger, "18446744073709551616"}, {registry.UnsignedInteger, ""},
		{registry.Time, "2013-05-02T10:40:15Z"}, {registry.Time, "1.5"}, {registry.Time, ""},
		{registry.Float, ""}, {registry.Float, "NaN"}, {registry.Float, "Inf"}, {registry.Float, "infinity"}, {registry.Float, "0x1p-2"},
		{registry.Float, "1e999"}, {registry.Float, "1_0"}, {registry.Float, " 1"}, {registry.Float, "1,5"}, {registry.Float, "+1"}, {registry.Float, "--1"},
		{registry.Boolean, ""}, {registry.Boolean, "true"}, {registry.Boolean, "2"}, {registry.Boolean, "01"},
		{registry.String, "\xff"}, {registry.Corelnk, "\xff"},
		{registry.Opaque, "YQ"}, {registry.Opaque, "Y Q="}, {registry.Opaque, "YQ==\n"}, {registry.Opaque, "YR=="}, {registry.Opaque, "-_8="},
		{registry.Objlnk, ""}, {registry.Objlnk, "1"}, {registry.Objlnk, "1:2:3"}, {registry.Objlnk, "65536:0"}, {registry.Objlnk, "65535:0"}, {registry.Objlnk, "1: 2"},
	} {
		p := formattest.Every(v.typ).String()
		formattest.Refused(t, &text.Decoder{}, formattest.Request(p), []byte(v.text), dm.BadRequest, p)
	}
	formattest.Refused(t, &text.Decoder{}, formattest.Request("/1/0"), []byte("1"), dm.UnsupportedContentFormat, "/1/0")
}

func TestResourceWithoutDefinition(t *testing.T) {
	got := formattest.Decode(t, &text.Decoder{}, formattest.Request("/1/0/99"), []byte("1"))
	formattest.Equal(t, got, []dm.Entry{formattest.At("/1/0/99", dm.StringValue("1"))})
}

func TestEncodeRefused(t *testing.T) {
	one := formattest.At("/1/0/1", dm.IntegerValue(1))
	timed := one
	timed.Time = 1e9
	for _, v := range []struct {
		name, base string
		entries    []dm.Entry
		code       dm.Code
	}{
		{"an instance", "/1/0", nil, dm.NotAcceptable},
		{"no value", "/1/0/1", nil, dm.NotAcceptable},
		{"a resource with resource instances", "/3/0/6", []dm.Entry{formattest.At("/3/0/6/0", dm.IntegerValue(1))}, dm.NotAcceptable},
		{"a resource without resource instances", "/3/0/6", []dm.Entry{formattest.At("/3/0/6", dm.Value{})}, dm.NotAcceptable},
		{"two values", "/1/0/1", []dm.Entry{one, one}, dm.InternalServerError},
		{"outside of the base", "/1/0/0", []dm.Entry{one}, dm.InternalServerError},
		{"a time", "/1/0/1", []dm.Entry{timed}, dm.NotAcceptable},
		{"NaN", "/33001/0/4", []dm.Entry{formattest.At("/33001/0/4", dm.FloatValue(math.NaN()))}, dm.NotAcceptable},
	} {
		_, err := formattest.TryEncode(&text.Encoder{}, content.Target{Base: formattest.Path(v.base)}, v.entries)
		if !errors.Is(err, v.code) {
			t.Errorf("%s: %v, want %v", v.name, err, v.code)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, v := range formattest.Values() {
		f.Add(text.Append(nil, v), formattest.FuzzBase("/33001/0/1"))
	}
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		r := formattest.FuzzRequest(n)
		formattest.RoundTrip(t, &text.Encoder{}, &text.Decoder{}, r, payload, formattest.Quirks{NoEmpty: true})
		for typ := registry.String; typ <= registry.Corelnk; typ++ {
			r.Base = formattest.Every(typ)
			formattest.RoundTrip(t, &text.Encoder{}, &text.Decoder{}, r, payload, formattest.Quirks{NoEmpty: true})
		}
	})
}
