package store

import (
	"fmt"
	"testing"
)

// Two Subs of a store see their own records only, under the names that they gave them.
func TestSub(t *testing.T) {
	s, err := OpenDir(t.TempDir(), Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := Sub(s, "a/"), Sub(s, "b/")
	for i, x := range []Store{a, b} {
		if err := x.Apply(Put("dm/3", []byte{0x10 + byte(i)}), Put("dm/4", nil), Put("x", nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Apply(Delete("dm/4")); err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(Put("", nil)); err == nil {
		t.Error("a record without a name is stored")
	}
	for x, want := range map[Store]string{a: "dm/3=10 dm/4= ", b: "dm/3=11 ", s: "a/dm/3=10 a/dm/4= a/x= b/dm/3=11 b/x= "} {
		prefix, got := "dm/", ""
		if x == Store(s) {
			prefix = ""
		}
		err := x.Load(prefix, func(name string, value []byte) error {
			got += fmt.Sprintf("%s=%x ", name, value)
			return nil
		})
		if err != nil || got != want {
			t.Errorf("%q (%v), want %q", got, err, want)
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Apply(Put("y", nil)); err != nil {
		t.Errorf("after Close of the other Sub: %v", err)
	}
}
