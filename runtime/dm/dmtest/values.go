package dmtest

import (
	"math"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// longest is the largest length of the texts and bytes that are written to resources with a length
// range.
const longest = 1 << 16

// samples returns values that the definition allows, at the bounds of its range and between them.
func samples(def *registry.Resource) []dm.Value {
	var list []dm.Value
	for _, v := range proposals(def) {
		if allowed(def, v) {
			list = append(list, v)
		}
	}
	return distinct(list)
}

// outside returns values that the definition does not allow: just outside of every bound, and of
// other types.
func outside(def *registry.Resource) []dm.Value {
	var list []dm.Value
	for _, v := range proposals(def) {
		if !allowed(def, v) {
			list = append(list, v)
		}
	}
	for _, v := range []dm.Value{
		dm.IntegerValue(1), dm.UnsignedValue(1), dm.FloatValue(1), dm.BooleanValue(true), dm.StringValue("1"),
		dm.OpaqueValue([]byte{1}), dm.TimeValue(1), dm.LinkValue(dm.ObjectLink{}), dm.CoreLinkValue("</1>"),
	} {
		if v.Type() != def.Type {
			list = append(list, v)
		}
	}
	switch def.Type {
	case registry.String:
		list = append(list, dm.StringValue("\xff"))
	case registry.Corelnk:
		list = append(list, dm.CoreLinkValue("\xff"))
	case registry.Objlnk:
		list = append(list, dm.LinkValue(dm.ObjectLink{Object: registry.ReservedID, Instance: 1}))
	}
	return distinct(list)
}

// proposals returns values of the resource's type: common ones, those at and next to every bound,
// and those of an enumeration with similar ones.
func proposals(def *registry.Resource) []dm.Value {
	list := usual(def.Type)
	for _, i := range def.Range {
		for _, bound := range []float64{i.Min, i.Max, (i.Min + i.Max) / 2} {
			if math.IsInf(bound, 0) || math.IsNaN(bound) {
				continue
			}
			list = append(list, around(def.Type, bound)...)
		}
	}
	for _, value := range def.Strings {
		list = append(list, dm.StringValue(value), dm.StringValue(value+"x"))
	}
	if def.Type == registry.Float {
		list = append(list, dm.FloatValue(math.NaN()), dm.FloatValue(math.Inf(1)), dm.FloatValue(math.Inf(-1)))
	}
	return list
}

func usual(t registry.Type) []dm.Value {
	switch t {
	case registry.Integer:
		return []dm.Value{dm.IntegerValue(1), dm.IntegerValue(0), dm.IntegerValue(-7), dm.IntegerValue(math.MaxInt64),
			dm.IntegerValue(math.MinInt64)}
	case registry.UnsignedInteger:
		return []dm.Value{dm.UnsignedValue(1), dm.UnsignedValue(0), dm.UnsignedValue(math.MaxUint64)}
	case registry.Float:
		return []dm.Value{dm.FloatValue(21.5), dm.FloatValue(0), dm.FloatValue(-273.15), dm.FloatValue(math.MaxFloat64)}
	case registry.Boolean:
		return []dm.Value{dm.BooleanValue(true), dm.BooleanValue(false)}
	case registry.String:
		return []dm.Value{dm.StringValue("text"), dm.StringValue(""), dm.StringValue("Größe 😀")}
	case registry.Opaque:
		return []dm.Value{dm.OpaqueValue([]byte("bytes")), dm.OpaqueValue(nil), dm.OpaqueValue([]byte{0, 255})}
	case registry.Time:
		return []dm.Value{dm.TimeValue(1_700_000_000), dm.TimeValue(0), dm.TimeValue(1 << 33)}
	case registry.Objlnk:
		return []dm.Value{dm.LinkValue(dm.ObjectLink{Object: 3}), dm.LinkValue(dm.NullLink),
			dm.LinkValue(dm.ObjectLink{Object: 65534, Instance: 65534})}
	case registry.Corelnk:
		return []dm.Value{dm.CoreLinkValue("</3/0>"), dm.CoreLinkValue("")}
	}
	return nil
}

// around returns the value at a bound, or with that length, and its two neighbours.
func around(t registry.Type, bound float64) []dm.Value {
	var list []dm.Value
	switch t {
	case registry.Float:
		for _, v := range []float64{math.Nextafter(bound, math.Inf(-1)), bound, math.Nextafter(bound, math.Inf(1))} {
			list = append(list, dm.FloatValue(v))
		}
	case registry.Integer, registry.Time, registry.UnsignedInteger:
		for _, v := range []float64{math.Ceil(bound) - 1, math.Floor(bound), math.Floor(bound) + 1} {
			switch {
			case t == registry.UnsignedInteger && v >= 0:
				list = append(list, dm.UnsignedValue(uint64(v)))
			case t == registry.Integer:
				list = append(list, dm.IntegerValue(int64(v)))
			case t == registry.Time:
				list = append(list, dm.TimeValue(int64(v)))
			}
		}
	case registry.String, registry.Corelnk, registry.Opaque:
		for n := max(0, int(bound)-1); n <= int(bound)+1 && n <= longest; n++ {
			list = append(list, ofLength(t, n))
		}
	}
	return list
}

func ofLength(t registry.Type, n int) dm.Value {
	switch t {
	case registry.String:
		return dm.StringValue(strings.Repeat("ü", n)) // a character of two bytes
	case registry.Corelnk:
		return dm.CoreLinkValue(dm.CoreLink(strings.Repeat("ü", n)))
	}
	return dm.OpaqueValue([]byte(strings.Repeat("b", n)))
}

// allowed reports whether a value of the resource's type is in its range.
func allowed(def *registry.Resource, v dm.Value) bool {
	switch v.Type() {
	case registry.Integer:
		return def.Range.AllowsInt(v.Integer())
	case registry.UnsignedInteger:
		return def.Range.AllowsUint(v.Unsigned())
	case registry.Float:
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0) && def.Range.Allows(v.Float())
	case registry.Time:
		return def.Range.AllowsInt(v.Seconds())
	case registry.String, registry.Corelnk:
		return def.Strings.Allows(v.Text()) && def.Range.AllowsLen(len([]rune(v.Text())))
	case registry.Opaque:
		return def.Range.AllowsLen(len(v.Opaque()))
	}
	return true
}

// limits returns the range or the enumerated values of a resource for a message.
func limits(def *registry.Resource) string {
	if def.Strings != nil {
		return def.Strings.String()
	}
	return def.Range.String()
}

// distinct returns the list without duplicates.
func distinct(list []dm.Value) []dm.Value {
	var once []dm.Value
next:
	for _, v := range list {
		for _, w := range once {
			if v.Equal(w) {
				continue next
			}
		}
		once = append(once, v)
	}
	return once
}
