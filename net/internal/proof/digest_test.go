package proof

import "testing"

func TestDigestSeparatesFields(t *testing.T) {
	sum := func(fields ...string) [32]byte {
		d := NewDigest()
		for _, f := range fields {
			d.Add([]byte(f))
		}
		return d.Sum()
	}
	if sum("ab", "c") != sum("ab", "c") {
		t.Error("the same fields have different digests")
	}
	for _, other := range [][]string{{"a", "bc"}, {"abc"}, {"ab", "c", ""}, {"c", "ab"}} {
		if sum("ab", "c") == sum(other...) {
			t.Errorf("%q has the digest of other fields", other)
		}
	}
}
