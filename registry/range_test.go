package registry_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

func TestRangeAllows(t *testing.T) {
	mixed := registry.Range{{Min: 0, Max: 0}, {Min: 3.8, Max: 20.5}, {Min: 99, Max: math.Inf(1)}}
	for _, test := range []struct {
		r    registry.Range
		v    float64
		want bool
	}{
		{nil, 1e300, true},
		{nil, math.NaN(), true},
		{registry.Range{}, 0, false},
		{registry.Between(0, 100), 0, true},
		{registry.Between(0, 100), 100, true},
		{registry.Between(0, 100), 100.5, false},
		{registry.Between(0, 100), math.NaN(), false},
		{registry.AtLeast(1), 0, false},
		{registry.AtLeast(1), math.Inf(1), true},
		{registry.AtMost(1), math.Inf(-1), true},
		{registry.AtMost(1), 2, false},
		{registry.OneOf(16, 32, 48), 32, true},
		{registry.OneOf(16, 32, 48), 33, false},
		{mixed, 0, true},
		{mixed, 1, false},
		{mixed, 3.8, true},
		{mixed, 1e9, true},
	} {
		if got := test.r.Allows(test.v); got != test.want {
			t.Errorf("%v allows %v: %v", test.r, test.v, got)
		}
	}
}

// TestRangeExact compares the largest bounds with integers that float64 rounds.
func TestRangeExact(t *testing.T) {
	r := registry.Between(-registry.MaxExact, registry.MaxExact)
	for v, want := range map[int64]bool{
		registry.MaxExact: true, registry.MaxExact + 1: false, registry.MaxExact + 2: false, math.MaxInt64: false,
		-registry.MaxExact: true, -registry.MaxExact - 1: false, -registry.MaxExact - 2: false, math.MinInt64: false,
	} {
		if r.AllowsInt(v) != want {
			t.Errorf("%v allows %d: %v", r, v, !want)
		}
		if v > 0 && r.AllowsUint(uint64(v)) != want {
			t.Errorf("%v allows unsigned %d: %v", r, v, !want)
		}
	}
	if r.AllowsUint(math.MaxUint64) || !registry.AtLeast(0).AllowsUint(math.MaxUint64) {
		t.Error("the largest uint64 is compared wrongly")
	}
	if !registry.OneOf(10, 26).AllowsLen(26) || registry.OneOf(10, 26).AllowsLen(11) {
		t.Error("lengths are compared wrongly")
	}
}

func TestRangeString(t *testing.T) {
	for _, test := range []struct {
		r    registry.Range
		want string
	}{
		{nil, ""},
		{registry.Between(0, 100), "0..100"},
		{registry.Between(-0.5, 1e-6), "-0.5..1e-06"},
		{registry.Between(0, 4294967295), "0..4294967295"},
		{registry.Between(0, 1e300), "0..1e+300"},
		{registry.AtLeast(0), "0.."},
		{registry.AtMost(-1), "..-1"},
		{registry.OneOf(0, 5, 10), "0, 5, 10"},
		{registry.Range{{Min: 0, Max: 247}, {Min: 255, Max: 255}}, "0..247, 255"},
		{registry.AtLeast(math.SmallestNonzeroFloat64), ">0"},
		{registry.AtMost(math.Nextafter(1.5, 0)), "<1.5"},
		{registry.Between(math.Nextafter(1, 2), math.Nextafter(20, 0)), ">1..<20"},
		{registry.Between(0, math.Nextafter(1, 0)), "0..<1"},
		{registry.Between(math.Nextafter(-1, 0), 1), ">-1..1"},
	} {
		if got := test.r.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
		if test.want == "" {
			continue
		}
		if again, err := registry.ParseRange(test.want); err != nil || !cmp.Equal(again, test.r) {
			t.Errorf("%q is parsed as %v, %v", test.want, again, err)
		}
	}
}

func TestParseRangeRefuses(t *testing.T) {
	for _, text := range []string{
		"", ",", "..", ">", "<", "a", "0..a", "1..0", "0, 1, 1", "0..5, 3..9", "9, 0", "0x10", "1_000", "Inf", "0..NaN",
		"0..1..2", "0-5", ">5..5", "0 1",
	} {
		if r, err := registry.ParseRange(text); err == nil || r != nil {
			t.Errorf("%q is parsed as %v", text, r)
		}
	}
}

// FuzzParseRange parses anything: the text form of the result is parsed to the same range.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"0..100", "0, 3.8..20.5, 99", "..-1", ">0", "<1", ">0..<1", "0..", "1e300", ">0..", "-0.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := registry.ParseRange(s)
		if err != nil {
			return
		}
		again, err := registry.ParseRange(r.String())
		if err != nil || !cmp.Equal(r, again) {
			t.Errorf("%q: %q is parsed as %v, %v", s, r, again, err)
		}
	})
}

// TestRangeAllocs measures the check that a write makes for every value.
func TestRangeAllocs(t *testing.T) {
	r := registry.OneOf(1, 2, 3, 99)
	if n := testing.AllocsPerRun(100, func() {
		if !r.AllowsInt(99) || r.AllowsUint(4) || r.AllowsLen(5) {
			t.Error("wrong answer")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleRange() {
	percent := registry.Between(0, 100)
	fmt.Println(percent, percent.AllowsInt(100), percent.AllowsInt(101))
	key := registry.OneOf(16, 32, 48)
	fmt.Println(key, key.AllowsLen(32), key.AllowsLen(33))
	// Output:
	// 0..100 true false
	// 16, 32, 48 true false
}
