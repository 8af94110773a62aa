package pathkey_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/pathkey"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// TestAgrees holds keys to the paths that they stand for, every one against every other.
func TestAgrees(t *testing.T) {
	ids := []uint16{0, 1, 255, 65534}
	paths := []dm.Path{{}}
	for i := 0; i < len(paths); i++ {
		if paths[i].Level() == dm.ResourceInstanceLevel || len(paths) > 1500 {
			continue
		}
		for _, id := range ids {
			if p, ok := paths[i].Child(id); ok {
				paths = append(paths, p)
			}
		}
	}
	for _, p := range paths {
		k := pathkey.Of(p)
		for _, q := range paths {
			l := pathkey.Of(q)
			if k.Contains(l) != p.Contains(q) {
				t.Fatalf("%v contains %v: %v", p, q, k.Contains(l))
			}
			if k.Before(l) != (p.Compare(q) < 0) {
				t.Fatalf("%v before %v: %v", p, q, k.Before(l))
			}
		}
		if k.Level() != p.Level() || k.Path() != p || "/"+string(k.AppendIDs(nil, dm.ObjectLevel, k.Level())) != p.String() {
			t.Errorf("%v: %+v", p, k)
		}
	}
}
