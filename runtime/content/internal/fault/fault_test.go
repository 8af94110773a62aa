package fault_test

import (
	"math"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestEntry(t *testing.T) {
	text, none := dm.StringValue("text"), dm.Value{}
	for _, v := range []struct {
		name  string
		base  dm.Path
		path  dm.Path
		value dm.Value
		ok    bool
	}{
		{"a resource", dm.InstancePath(3, 0), dm.ResourcePath(3, 0, 1), text, true},
		{"the base itself", dm.ResourcePath(3, 0, 1), dm.ResourcePath(3, 0, 1), text, true},
		{"a resource instance", dm.Path{}, dm.ResourceInstancePath(3, 0, 6, 1), text, true},
		{"an empty instance", dm.ObjectPath(3), dm.InstancePath(3, 0), none, true},
		{"an empty resource", dm.ObjectPath(3), dm.ResourcePath(3, 0, 6), none, true},
		{"an empty object", dm.Path{}, dm.ObjectPath(3), none, false},
		{"an empty resource instance", dm.Path{}, dm.ResourceInstancePath(3, 0, 6, 1), none, false},
		{"a value of an instance", dm.Path{}, dm.InstancePath(3, 0), text, false},
		{"a path outside of the base", dm.InstancePath(3, 0), dm.ResourcePath(3, 1, 1), text, false},
		{"a String that is not UTF-8", dm.Path{}, dm.ResourcePath(3, 0, 1), dm.StringValue("\xff"), false},
		{"a Corelnk that is not UTF-8", dm.Path{}, dm.ResourcePath(3, 0, 1), dm.CoreLinkValue("\xff"), false},
		{"an Opaque that is not UTF-8", dm.Path{}, dm.ResourcePath(3, 0, 1), dm.OpaqueValue([]byte{0xff}), true},
	} {
		err := fault.Entry(v.base, &dm.Entry{Path: v.path, Value: v.value})
		if (err == nil) != v.ok || !v.ok && dm.CodeOf(err) != dm.InternalServerError {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

func TestPrefix(t *testing.T) {
	for prefix, ok := range map[string]bool{
		"": true, "dev0": true, "A-z.0_~": true, "a/b": false, "a b": false, `a"`: false, "é": false, "a%20": false,
	} {
		if err := fault.Prefix(prefix); (err == nil) != ok {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// TestTime covers the boundary below which a time is relative to now (RFC 8428 §4.5.3).
func TestTime(t *testing.T) {
	for seconds, ok := range map[float64]bool{
		1 << 28: true, 1<<28 - 1: false, 0: false, -5: false, math.MaxFloat64: true, math.Inf(1): false, math.Inf(-1): false,
	} {
		if fault.Time(seconds) != ok {
			t.Errorf("%v: %v", seconds, !ok)
		}
	}
	if fault.Time(math.NaN()) {
		t.Error("NaN is a time")
	}
}

func TestDecimal(t *testing.T) {
	for _, v := range []struct {
		value dm.Value
		time  float64
		ok    bool
	}{
		{dm.FloatValue(22.5), 0, true},
		{dm.IntegerValue(1), 1 << 28, true},
		{dm.FloatValue(math.NaN()), 0, false},
		{dm.FloatValue(math.Inf(1)), 0, false},
		{dm.FloatValue(math.Inf(-1)), 0, false},
		{dm.IntegerValue(1), 1, false},
		{dm.IntegerValue(1), math.NaN(), false},
	} {
		err := fault.Decimal(&dm.Entry{Path: dm.ResourcePath(3, 0, 1), Value: v.value, Time: v.time})
		if (err == nil) != v.ok || !v.ok && dm.CodeOf(err) != dm.NotAcceptable {
			t.Errorf("%v at %v: %v", v.value, v.time, err)
		}
	}
}
