package coap

import (
	"reflect"
	"testing"
)

// Add leaves out no counter.
func TestStatsAdd(t *testing.T) {
	var a, b, want Stats
	for i := range reflect.TypeFor[Stats]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetUint(uint64(i + 1))
		reflect.ValueOf(&b).Elem().Field(i).SetUint(uint64(100 * (i + 1)))
		reflect.ValueOf(&want).Elem().Field(i).SetUint(uint64(101 * (i + 1)))
	}
	if got := a.Add(b); got != want {
		t.Errorf("%+v and %+v are %+v", a, b, got)
	}
}
