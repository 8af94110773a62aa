package registry_test

import (
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
)

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]registry.Version{
		"1.0": registry.V(1, 0), "1.1": registry.V(1, 1), "2.10": registry.V(2, 10), "255.255": registry.V(255, 255),
		"0.1": registry.V(0, 1), "0.20": registry.V(0, 20),
	} {
		if got, err := registry.ParseVersion(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1", "1.", ".1", "1.1.1", "2.0.1", "latest", "0.0", "00.1", "0.01", "256.0", "1.256", "-1.0", "+1.0", "1.-0", "01.0",
		"1.00", "1.0 ", " 1.0", "1,0", "v1.0", "1.0\x00"} {
		if got, err := registry.ParseVersion(s); err == nil || !got.IsZero() {
			t.Errorf("%q: got %v, %v, want an error", s, got, err)
		}
	}
}

func TestVersionCompare(t *testing.T) {
	ascending := []registry.Version{registry.V(0, 2), registry.V(0, 10), {}, registry.V(1, 1), registry.V(1, 2), registry.V(1, 10), registry.V(2, 0)}
	for i, v := range ascending {
		for j, w := range ascending {
			want := 0
			switch {
			case i < j:
				want = -1
			case i > j:
				want = 1
			}
			if got := v.Compare(w); got != want {
				t.Errorf("%v to %v: %d", v, w, got)
			}
		}
	}
	if registry.V(1, 0).Compare(registry.Version{}) != 0 || registry.V(1, 0).IsZero() {
		t.Error("IsZero is wrong for 1.0 or for no version")
	}
}

// FuzzParseVersion parses anything as a version: an accepted text prints unchanged.
func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"1.0", "1.1", "255.255", "0.1", "1", "1.1.1", "01.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := registry.ParseVersion(s)
		if err == nil && (v.String() != s || v.IsZero()) {
			t.Errorf("%q reads as %v", s, v)
		}
		if err != nil && !v.IsZero() {
			t.Errorf("%q: %v with %v", s, v, err)
		}
	})
}

func ExampleVersion_Compare() {
	var notSaid registry.Version
	fmt.Println(notSaid, notSaid.Compare(registry.V(1, 0)), registry.V(1, 10).Compare(registry.V(1, 9)))
	// Output: 1.0 0 1
}
