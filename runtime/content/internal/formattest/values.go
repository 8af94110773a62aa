package formattest

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Values returns values of every type, including the limits of each.
func Values() []dm.Value {
	var all []dm.Value
	for _, v := range []int64{0, 1, -1, 23, 24, -24, -25, 127, 128, -128, -129, 255, 256, math.MaxInt16, math.MinInt16,
		math.MaxInt16 + 1, math.MinInt16 - 1, math.MaxInt32, math.MinInt32, math.MaxInt32 + 1, math.MinInt32 - 1,
		1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64, math.MinInt64} {
		all = append(all, dm.IntegerValue(v), dm.TimeValue(v))
	}
	for _, v := range []uint64{0, 1, 255, 256, math.MaxUint16, math.MaxUint16 + 1, math.MaxUint32, math.MaxUint32 + 1,
		1<<53 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		all = append(all, dm.UnsignedValue(v))
	}
	for _, v := range []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 22.5, -273.15, 1e-7, 1e20, 1e21, 100, 65504, 65520,
		math.MaxFloat32, math.SmallestNonzeroFloat32, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64,
		1 << 53, 1<<63 + 1<<11, 5.960464477539063e-8} {
		all = append(all, dm.FloatValue(v))
	}
	for _, n := range []int{0, 1, 7, 8, 23, 24, 255, 256, 70000} {
		all = append(all, dm.StringValue(strings.Repeat("a", n)), dm.OpaqueValue(bytes.Repeat([]byte{0xfe}, n)))
	}
	return append(all,
		dm.StringValue("\x00\"\\/\b\n 水 𝄞 </script>"),
		dm.OpaqueValue([]byte{0, 0xff, 0xfb, 0xef, 0xbe}),
		dm.BooleanValue(true), dm.BooleanValue(false),
		dm.LinkValue(dm.NullLink), dm.LinkValue(dm.ObjectLink{}), dm.LinkValue(dm.ObjectLink{Object: 65534, Instance: 65534}),
		dm.LinkValue(dm.ObjectLink{Object: 3303, Instance: 65535}),
		dm.CoreLinkValue(`</3303/0>;ver="1.1"`), dm.CoreLinkValue(""),
	)
}

// Instance returns an instance with all Values: the first of each type as a resource, and all of
// each type as resource instances.
func Instance() []dm.Entry {
	var single, multiple []dm.Entry
	for t := registry.String; t <= registry.Corelnk; t++ {
		n := dm.ResourceInstanceID(0)
		for _, v := range Values() {
			if v.Type() != t {
				continue
			}
			if n == 0 {
				single = append(single, dm.Entry{Path: Every(t), Value: v})
			}
			p := dm.ResourceInstancePath(EveryID, 0, dm.ResourceID(EveryMultiple+t), n*100)
			multiple = append(multiple, dm.Entry{Path: p, Value: v})
			n++
		}
	}
	return append(single, multiple...)
}

// Small returns the short entries of Instance, as seeds for fuzzing.
func Small() []dm.Entry {
	return slices.DeleteFunc(Instance(), func(e dm.Entry) bool {
		return len(e.Value.Text()) > 24 || len(e.Value.Opaque()) > 24 || e.Path.ResourceInstance() > 500
	})
}
