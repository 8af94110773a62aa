package formattest_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// TestInstance checks that the instance with all values covers every type, once as a resource and
// more than once as resource instances, and that the definitions give each value its own type.
func TestInstance(t *testing.T) {
	resources, instances := map[registry.Type]int{}, map[registry.Type]int{}
	for _, e := range formattest.Instance() {
		r := formattest.Schema(e.Path.Object()).Resource(uint16(e.Path.Resource()))
		if r == nil || r.Type != e.Value.Type() || r.Multiple != (e.Path.Level() == dm.ResourceInstanceLevel) {
			t.Errorf("%v, %v, has the definition %+v", e.Path, e.Value.Type(), r)
		}
		if e.Path.Level() == dm.ResourceLevel {
			resources[e.Value.Type()]++
		} else {
			instances[e.Value.Type()]++
		}
	}
	for typ := registry.String; typ <= registry.Corelnk; typ++ {
		if resources[typ] != 1 || instances[typ] < 2 {
			t.Errorf("%v: %d resources and %d resource instances", typ, resources[typ], instances[typ])
		}
	}
}

// TestExamples checks that the examples of the specification match the definitions.
func TestExamples(t *testing.T) {
	for _, entries := range [][]dm.Entry{
		formattest.Device0(), formattest.AccessControl(), formattest.Servers(), formattest.Linked65(), formattest.Linked66(),
	} {
		for _, e := range entries {
			r := formattest.Schema(e.Path.Object()).Resource(uint16(e.Path.Resource()))
			if r == nil || r.Type != e.Value.Type() {
				t.Errorf("%v, %v, has the definition %+v", e.Path, e.Value.Type(), r)
			}
		}
	}
}

// TestFuzzRequests checks that every base of the fuzz targets can be chosen by its number.
func TestFuzzRequests(t *testing.T) {
	for _, base := range []string{"/", "/3/0/6/1", "/33001/0/24", "/9999/1"} {
		if r := formattest.FuzzRequest(formattest.FuzzBase(base)); r.Base != formattest.Path(base) || r.Create {
			t.Errorf("%s: %+v", base, r)
		}
	}
}
