package dm_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// values returns values of every data type, including the extremes.
func values() []dm.Value {
	return []dm.Value{
		{},
		dm.IntegerValue(0), dm.IntegerValue(-1), dm.IntegerValue(math.MinInt64), dm.IntegerValue(math.MaxInt64),
		dm.UnsignedValue(0), dm.UnsignedValue(math.MaxUint64),
		dm.FloatValue(0), dm.FloatValue(math.Copysign(0, -1)), dm.FloatValue(math.NaN()), dm.FloatValue(math.Inf(1)),
		dm.FloatValue(math.SmallestNonzeroFloat64), dm.FloatValue(-273.15),
		dm.BooleanValue(false), dm.BooleanValue(true),
		dm.StringValue(""), dm.StringValue("boiler"), dm.StringValue("Wärme\x00"),
		dm.OpaqueValue(nil), dm.OpaqueValue([]byte("boiler")), dm.OpaqueValue([]byte{0, 255}),
		dm.TimeValue(0), dm.TimeValue(-1), dm.TimeValue(math.MaxInt64), dm.TimeValue(math.MinInt64),
		dm.LinkValue(dm.ObjectLink{}), dm.LinkValue(dm.NullLink),
		dm.LinkValue(dm.ObjectLink{Object: 3303, Instance: 1}),
		dm.CoreLinkValue(""), dm.CoreLinkValue("boiler"), dm.CoreLinkValue("</3303/0>"),
	}
}

// Each accessor returns a value for its own type only.
func TestValueAccessors(t *testing.T) {
	for _, v := range values() {
		got := map[registry.Type]bool{
			registry.Integer:         v.Integer() != 0,
			registry.UnsignedInteger: v.Unsigned() != 0,
			registry.Float:           v.Float() != 0,
			registry.Boolean:         v.Boolean(),
			registry.Opaque:          v.Opaque() != nil,
			registry.Time:            v.Seconds() != 0,
			registry.Objlnk:          v.Link() != dm.NullLink,
		}
		for typ, set := range got {
			if set && typ != v.Type() {
				t.Errorf("%s %v answers as %s too", v.Type(), v, typ)
			}
		}
		if text := v.Type() == registry.String || v.Type() == registry.Corelnk; v.Text() != "" && !text {
			t.Errorf("%s %v answers as text too", v.Type(), v)
		}
		if v.IsSecret() {
			t.Errorf("%v is secret", v)
		}
	}
}

func TestValueRoundTrip(t *testing.T) {
	for _, n := range []int64{0, 1, -1, math.MinInt64, math.MaxInt64} {
		if got := dm.IntegerValue(n).Integer(); got != n {
			t.Errorf("Integer %d came back as %d", n, got)
		}
		if got := dm.TimeValue(n).Seconds(); got != n {
			t.Errorf("Time %d came back as %d", n, got)
		}
		if got := dm.UnsignedValue(uint64(n)).Unsigned(); got != uint64(n) {
			t.Errorf("Unsigned Integer %d came back as %d", uint64(n), got)
		}
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1e308, math.Inf(-1), math.NaN(), -273.15} {
		if got := dm.FloatValue(f).Float(); math.Float64bits(got) != math.Float64bits(f) {
			t.Errorf("Float %v came back as %v", f, got)
		}
	}
	for _, s := range []string{"", "a", "Wärme", "\xff\x00"} {
		if got := dm.StringValue(s).Text(); got != s {
			t.Errorf("String %q came back as %q", s, got)
		}
		if got := dm.CoreLinkValue(dm.CoreLink(s)).Text(); got != s {
			t.Errorf("Corelnk %q came back as %q", s, got)
		}
		if got := dm.OpaqueValue([]byte(s)).Opaque(); !bytes.Equal(got, []byte(s)) {
			t.Errorf("Opaque %q came back as %q", s, got)
		}
	}
	for _, l := range []dm.ObjectLink{{}, dm.NullLink, {Object: 65535}, {Instance: 65535}} {
		if got := dm.LinkValue(l).Link(); got != l {
			t.Errorf("Objlnk %v came back as %v", l, got)
		}
	}
	if !dm.BooleanValue(true).Boolean() || dm.BooleanValue(false).Boolean() {
		t.Error("a Boolean came back wrong")
	}
}

func TestValueEqual(t *testing.T) {
	all, again := values(), values()
	for i, v := range all {
		for j, w := range again {
			if v.Equal(w) != (i == j) {
				t.Errorf("%s %v equals %s %v: %t", v.Type(), v, w.Type(), w, i != j)
			}
		}
	}
}

// Values longer than their bytes' first, and equal content in different memory.
func TestValueEqualComparesContent(t *testing.T) {
	a, b := dm.OpaqueValue([]byte("abc")), dm.OpaqueValue([]byte("abc"))
	if !a.Equal(b) {
		t.Error("equal bytes in different memory are not equal")
	}
	for _, s := range []string{"ab", "abcd", "abd", ""} {
		if a.Equal(dm.OpaqueValue([]byte(s))) {
			t.Errorf("abc equals %q", s)
		}
	}
}

func TestValueString(t *testing.T) {
	tests := []struct {
		v    dm.Value
		want string
	}{
		{dm.Value{}, ""},
		{dm.IntegerValue(-5), "-5"},
		{dm.UnsignedValue(math.MaxUint64), "18446744073709551615"},
		{dm.FloatValue(21.5), "21.5"},
		{dm.FloatValue(math.NaN()), "NaN"},
		{dm.BooleanValue(true), "true"},
		{dm.StringValue("boiler"), "boiler"},
		{dm.OpaqueValue([]byte{1, 2, 3}), "AQID"},
		{dm.TimeValue(1700000000), "2023-11-14T22:13:20Z"},
		{dm.LinkValue(dm.ObjectLink{Object: 3, Instance: 1}), "3:1"},
		{dm.CoreLinkValue("</3>"), "</3>"},
	}
	for _, test := range tests {
		if got := test.v.String(); got != test.want {
			t.Errorf("%s is shown as %q, want %q", test.v.Type(), got, test.want)
		}
		if got := fmt.Sprintf("%v|%+v|%s", test.v, test.v, test.v); got != test.want+"|"+test.want+"|"+test.want {
			t.Errorf("%s prints as %q, want %q", test.v.Type(), got, test.want)
		}
		if got := test.v.LogValue().String(); got != test.want {
			t.Errorf("%s is logged as %q, want %q", test.v.Type(), got, test.want)
		}
	}
	for _, v := range values() { // extreme values must not panic
		_ = v.String()
	}
}

func TestValueAllocatesNothing(t *testing.T) {
	b, s, sum := []byte("bytes"), "text", 0
	allocs := testing.AllocsPerRun(100, func() {
		for _, v := range [...]dm.Value{
			dm.IntegerValue(1), dm.UnsignedValue(1), dm.FloatValue(1), dm.BooleanValue(true), dm.StringValue(s),
			dm.OpaqueValue(b), dm.TimeValue(1), dm.LinkValue(dm.NullLink), dm.CoreLinkValue(dm.CoreLink(s)),
		} {
			if v.Equal(dm.OpaqueValue(b)) {
				sum += len(v.Opaque())
			}
			sum += len(v.Text())
		}
	})
	if allocs != 0 || sum == 0 {
		t.Errorf("making and reading values allocates %v times", allocs)
	}
}
