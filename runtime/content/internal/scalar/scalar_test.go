package scalar_test

import (
	"math"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func whole(mag uint64) scalar.Scalar    { return scalar.Scalar{Kind: scalar.Int, Mag: mag} }
func negative(mag uint64) scalar.Scalar { return scalar.Scalar{Kind: scalar.Int, Neg: true, Mag: mag} }
func of(k scalar.Kind, content string) scalar.Scalar {
	return scalar.Scalar{Kind: k, B: []byte(content)}
}

func TestTyped(t *testing.T) {
	truth := scalar.Scalar{Kind: scalar.Bool, True: true}
	for _, v := range []struct {
		name string
		in   scalar.Scalar
		typ  registry.Type
		want dm.Value // the zero Value is a refusal
	}{
		{"largest Integer", whole(math.MaxInt64), registry.Integer, dm.IntegerValue(math.MaxInt64)},
		{"smallest Integer", negative(1 << 63), registry.Integer, dm.IntegerValue(math.MinInt64)},
		{"whole float for Integer", scalar.FromFloat(-4), registry.Integer, dm.IntegerValue(-4)},
		{"smallest Integer as a float", scalar.FromFloat(-1 << 63), registry.Integer, dm.IntegerValue(math.MinInt64)},
		{"Integer above int64", whole(1 << 63), registry.Integer, dm.Value{}},
		{"Integer below int64", negative(1<<63 + 1), registry.Integer, dm.Value{}},
		{"float above int64", scalar.FromFloat(1 << 63), registry.Integer, dm.Value{}},
		{"fraction for Integer", scalar.FromFloat(1.5), registry.Integer, dm.Value{}},
		{"NaN for Integer", scalar.FromFloat(math.NaN()), registry.Integer, dm.Value{}},
		{"infinity for Integer", scalar.FromFloat(math.Inf(1)), registry.Integer, dm.Value{}},
		{"text for Integer", of(scalar.Text, "1"), registry.Integer, dm.Value{}},
		{"Boolean for Integer", truth, registry.Integer, dm.Value{}},
		{"date for Integer", of(scalar.Date, "2013-03-21T20:04:00Z"), registry.Integer, dm.Value{}},
		{"null for Integer", scalar.Scalar{}, registry.Integer, dm.Value{}},
		{"largest Unsigned Integer", whole(math.MaxUint64), registry.UnsignedInteger, dm.UnsignedValue(math.MaxUint64)},
		{"Unsigned Integer above int64 as a float", scalar.FromFloat(1 << 63), registry.UnsignedInteger, dm.UnsignedValue(1 << 63)},
		{"negative Unsigned Integer", negative(1), registry.UnsignedInteger, dm.Value{}},
		{"float above uint64", scalar.FromFloat(1 << 64), registry.UnsignedInteger, dm.Value{}},
		{"negative float for Unsigned Integer", scalar.FromFloat(-1), registry.UnsignedInteger, dm.Value{}},
		{"Float", scalar.FromFloat(0.1), registry.Float, dm.FloatValue(0.1)},
		{"whole number for Float", negative(3), registry.Float, dm.FloatValue(-3)},
		{"negative zero for Float", negative(0), registry.Float, dm.FloatValue(math.Copysign(0, -1))},
		{"text for Float", of(scalar.Text, "1"), registry.Float, dm.Value{}},
		{"Boolean", truth, registry.Boolean, dm.BooleanValue(true)},
		{"number for Boolean", whole(1), registry.Boolean, dm.Value{}},
		{"String", of(scalar.Text, "a"), registry.String, dm.StringValue("a")},
		{"number for String", whole(1), registry.String, dm.Value{}},
		{"bytes for String", of(scalar.Bytes, "a"), registry.String, dm.Value{}},
		{"String that is not UTF-8", of(scalar.Text, "\xff"), registry.String, dm.Value{}},
		{"Corelnk", of(scalar.Text, "</3/0>"), registry.Corelnk, dm.CoreLinkValue("</3/0>")},
		{"Opaque", of(scalar.Bytes, "\x00\xff"), registry.Opaque, dm.OpaqueValue([]byte("\x00\xff"))},
		{"Opaque in base64", of(scalar.Base64, "+/8="), registry.Opaque, dm.OpaqueValue([]byte("\xfb\xff"))},
		{"Opaque in base64url", of(scalar.Base64URL, "-_8"), registry.Opaque, dm.OpaqueValue([]byte("\xfb\xff"))},
		{"Opaque in base64url with padding", of(scalar.Base64URL, "-_8="), registry.Opaque, dm.OpaqueValue([]byte("\xfb\xff"))},
		{"Opaque in base64url with two of padding", of(scalar.Base64URL, "YQ=="), registry.Opaque, dm.OpaqueValue([]byte("a"))},
		{"base64url with too little padding", of(scalar.Base64URL, "YQ="), registry.Opaque, dm.Value{}},
		{"base64url with too much padding", of(scalar.Base64URL, "-_8=="), registry.Opaque, dm.Value{}},
		{"base64url of padding alone", of(scalar.Base64URL, "="), registry.Opaque, dm.Value{}},
		{"base64url with bits to spare", of(scalar.Base64URL, "-_9="), registry.Opaque, dm.Value{}},
		{"base64 for base64url", of(scalar.Base64URL, "+/8="), registry.Opaque, dm.Value{}},
		{"base64 without padding", of(scalar.Base64, "+/8"), registry.Opaque, dm.Value{}},
		{"base64 with bits to spare", of(scalar.Base64, "+/9="), registry.Opaque, dm.Value{}},
		{"base64 with a line break", of(scalar.Base64, "+/\n8="), registry.Opaque, dm.Value{}},
		{"text for Opaque", of(scalar.Text, "a"), registry.Opaque, dm.Value{}},
		{"Time", whole(1367491215), registry.Time, dm.TimeValue(1367491215)},
		{"whole float for Time", scalar.FromFloat(1367491215), registry.Time, dm.TimeValue(1367491215)},
		{"fraction for Time", scalar.FromFloat(1.5), registry.Time, dm.Value{}},
		{"date for Time", of(scalar.Date, "2013-03-21T20:04:00Z"), registry.Time, dm.TimeValue(1363896240)},
		{"date with an offset", of(scalar.Date, "2013-03-21T21:04:00+01:00"), registry.Time, dm.TimeValue(1363896240)},
		{"date with a fraction", of(scalar.Date, "2013-03-21T20:04:00.5Z"), registry.Time, dm.Value{}},
		{"no date", of(scalar.Date, "yesterday"), registry.Time, dm.Value{}},
		{"Objlnk", of(scalar.Link, "66:0"), registry.Objlnk, dm.LinkValue(dm.ObjectLink{Object: 66})},
		{"Objlnk as text", of(scalar.Text, "65535:65535"), registry.Objlnk, dm.LinkValue(dm.NullLink)},
		{"Objlnk with a leading zero", of(scalar.Link, "66:00"), registry.Objlnk, dm.Value{}},
		{"Objlnk that is too long", of(scalar.Link, "66:000000000"), registry.Objlnk, dm.Value{}},
		{"number for Objlnk", whole(66), registry.Objlnk, dm.Value{}},
		{"unknown whole number", negative(7), registry.None, dm.IntegerValue(-7)},
		{"unknown number above int64", whole(1 << 63), registry.None, dm.UnsignedValue(1 << 63)},
		{"unknown number below int64", negative(1<<63 + 1), registry.None, dm.FloatValue(-1 << 63)},
		{"unknown float", scalar.FromFloat(1.5), registry.None, dm.FloatValue(1.5)},
		{"unknown Boolean", truth, registry.None, dm.BooleanValue(true)},
		{"unknown text", of(scalar.Text, "a"), registry.None, dm.StringValue("a")},
		{"unknown bytes", of(scalar.Bytes, "a"), registry.None, dm.OpaqueValue([]byte("a"))},
		{"unknown base64url", of(scalar.Base64URL, "YQ"), registry.None, dm.OpaqueValue([]byte("a"))},
		{"unknown link", of(scalar.Link, "1:2"), registry.None, dm.StringValue("1:2")},
		{"null", scalar.Scalar{}, registry.None, dm.Value{}},
	} {
		t.Run(v.name, func(t *testing.T) {
			got, err := v.in.Typed(v.typ)
			if refused := v.want.Type() == registry.None; refused != (err != nil) {
				t.Fatalf("got %v %v, %v", got.Type(), got, err)
			}
			if err == nil && !got.Equal(v.want) {
				t.Errorf("got %v %v, want %v %v", got.Type(), got, v.want.Type(), v.want)
			}
		})
	}
}

func TestAdd(t *testing.T) {
	for _, v := range []struct{ a, b, want scalar.Scalar }{
		{whole(1), whole(2), whole(3)},
		{whole(1), negative(2), negative(1)},
		{negative(1), whole(2), whole(1)},
		{negative(1), negative(2), negative(3)},
		{whole(5), negative(5), whole(0)},
		{negative(5), whole(5), whole(0)},
		{whole(math.MaxUint64), negative(1), whole(math.MaxUint64 - 1)},
		{whole(math.MaxUint64), whole(1), scalar.FromFloat(1 << 64)},
		{whole(1), scalar.FromFloat(0.5), scalar.FromFloat(1.5)},
	} {
		got := scalar.Add(&v.a, &v.b)
		if got.Kind != v.want.Kind || got.Neg != v.want.Neg || got.Mag != v.want.Mag || got.F != v.want.F {
			t.Errorf("%+v + %+v = %+v, want %+v", v.a, v.b, got, v.want)
		}
	}
}

func TestFromInt(t *testing.T) {
	for _, want := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		v := scalar.FromInt(want)
		if got, ok := v.Int64(); !ok || got != want {
			t.Errorf("%d comes back as %d", want, got)
		}
	}
}
