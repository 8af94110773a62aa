package registry_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

func TestObjectResource(t *testing.T) {
	o := &registry.Object{Resources: []registry.Resource{{ID: 0}, {ID: 5}, {ID: 5700}, {ID: 65534}}}
	for _, id := range []uint16{0, 5, 5700, 65534} {
		if r := o.Resource(id); r == nil || r.ID != id {
			t.Errorf("resource %d: %v", id, r)
		}
	}
	for _, id := range []uint16{1, 4, 6, 5699, 65533, 65535} {
		if r := o.Resource(id); r != nil {
			t.Errorf("resource %d: %v, want none", id, r)
		}
	}
	if (&registry.Object{}).Resource(0) != nil {
		t.Error("an empty object has a resource")
	}
	if n := testing.AllocsPerRun(100, func() { o.Resource(5700) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestOperations(t *testing.T) {
	for _, test := range []struct {
		ops                             registry.Operations
		read, write, execute, bootstrap bool
		text                            string
	}{
		{0, false, false, false, true, ""},
		{registry.R, true, false, false, false, "R"},
		{registry.W, false, true, false, false, "W"},
		{registry.RW, true, true, false, false, "RW"},
		{registry.E, false, false, true, false, "E"},
	} {
		o := test.ops
		if o.Readable() != test.read || o.Writable() != test.write || o.Executable() != test.execute ||
			o.BootstrapOnly() != test.bootstrap || o.String() != test.text {
			t.Errorf("%q: %v %v %v %v", o, o.Readable(), o.Writable(), o.Executable(), o.BootstrapOnly())
		}
	}
}

func TestTypes(t *testing.T) {
	numeric := []registry.Type{registry.Integer, registry.UnsignedInteger, registry.Float, registry.Time}
	measured := []registry.Type{registry.String, registry.Opaque, registry.Corelnk}
	seen := map[string]bool{}
	for k := registry.None; k <= registry.Corelnk; k++ {
		if k.Numeric() != slices.Contains(numeric, k) || k.Measured() != slices.Contains(measured, k) {
			t.Errorf("%v: numeric %v, measured %v", k, k.Numeric(), k.Measured())
		}
		if seen[k.String()] {
			t.Errorf("two types are called %q", k)
		}
		seen[k.String()] = true
	}
	if got := (registry.Corelnk + 1).String(); got != "Type(invalid)" {
		t.Errorf("an unknown type is %q", got)
	}
}

// TestValidate breaks a valid definition in every way.
func TestValidate(t *testing.T) {
	for _, test := range []struct {
		name string
		o    registry.Object
		want []string
	}{
		{name: "object", o: registry.Object{ID: 65535}, want: []string{
			"65535: the object ID 65535 is reserved, use another",
			"65535: the object has no name, give it one",
		}},
		{name: "order", o: with(registry.Resource{ID: 7, Name: "a", Type: registry.Time},
			registry.Resource{ID: 7, Name: "b", Type: registry.Time}), want: []string{
			"3303/7: resource IDs are not in ascending order, sort them and let no ID occur twice",
		}},
		{name: "ID and name", o: with(registry.Resource{ID: 65535, Name: " ", Type: registry.Time}), want: []string{
			"3303/65535: the resource ID 65535 is reserved, use another",
			"3303/65535: the resource has no name, give it one",
		}},
		{name: "no type", o: with(registry.Resource{Name: "a", Ops: registry.R}), want: []string{
			"3303/0: the resource has no type, name one of the data types",
		}},
		{name: "unknown type", o: with(registry.Resource{Name: "a", Ops: registry.R,
			Type: registry.Corelnk + 1}), want: []string{
			"3303/0: the resource has no type, name one of the data types",
		}},
		{name: "executable that can be read",
			o: with(registry.Resource{Name: "a", Ops: registry.E | registry.R}), want: []string{
				"3303/0: the resource can be executed as well as read or written, let an executable have the operation E alone",
			}},
		{name: "executable with a type", o: with(registry.Resource{Name: "a", Ops: registry.E,
			Type: registry.Time}), want: []string{
			"3303/0: the executable has the type Time, leave the type out",
		}},
		{name: "executable with several instances",
			o: with(registry.Resource{Name: "a", Ops: registry.E, Multiple: true}), want: []string{
				"3303/0: the executable has several instances, let it have one: Execute names no resource instance",
			}},
		{name: "range of a Boolean", o: ranged(registry.Boolean, registry.Between(0, 1)), want: []string{
			"3303/0: the resource has the range 0..1 but no values or lengths that it can bound, leave the range out",
		}},
		{name: "empty range", o: ranged(registry.Integer, registry.Range{}), want: []string{
			"3303/0: the range allows no value, leave the range out",
		}},
		{name: "swapped", o: ranged(registry.Integer, registry.Between(1, 0)), want: []string{
			"3303/0: the range 1..0 is not ascending, write intervals from low to high",
		}},
		{name: "not ascending", o: ranged(registry.Integer, registry.OneOf(1, 0)), want: []string{
			"3303/0: the range 1, 0 is not ascending, write intervals from low to high",
		}},
		{name: "NaN", o: ranged(registry.Float, registry.AtLeast(math.NaN())), want: []string{
			"3303/0: the range NaN.. is not ascending, write intervals from low to high",
		}},
		{name: "infinite", o: ranged(registry.Float, registry.AtLeast(math.Inf(1))), want: []string{
			"3303/0: the range +Inf is not ascending, write intervals from low to high",
		}},
		{name: "too large", o: ranged(registry.Integer, registry.Between(0, 1<<53)), want: []string{
			"3303/0: the range 0..9.007199254740992e+15 has a bound that is not a whole number below 2^53, leave the bound open",
		}},
		{name: "part of an integer", o: ranged(registry.Opaque, registry.Between(0, 0.5)), want: []string{
			"3303/0: the range 0..0.5 has a bound that is not a whole number below 2^53, leave the bound open",
		}},
		{name: "large float", o: ranged(registry.Float, registry.Between(-0.5, 1e300))},
		{name: "strings of an Integer", o: enumerated(registry.Integer, nil, "a", "b", "c", "d", "e", "f"), want: []string{
			`3303/0: the resource enumerates the values "a", "b", "c", "d", "e", ... but is no String, leave the values out`,
		}},
		{name: "no strings", o: enumerated(registry.String, nil), want: []string{
			"3303/0: the enumeration allows no value, leave it out",
		}},
		{name: "strings and a range", o: enumerated(registry.String, registry.Between(0, 9), "a"), want: []string{
			"3303/0: the resource has the range 0..9 as well as enumerated values, leave the range out",
		}},
		{name: "faulty strings", o: enumerated(registry.String, nil, "a", "b", "a", "\xff"), want: []string{
			`3303/0: the value "a" is enumerated twice, remove one`,
			`3303/0: the value "\xff" is not valid UTF-8, correct it`,
		}},
		{name: "strings", o: enumerated(registry.String, nil, "a", "")},
		{name: "no fault", o: with(
			registry.Resource{ID: 0, Name: "a", Ops: registry.E},
			registry.Resource{ID: 1, Name: "a", Ops: registry.RW, Type: registry.Integer,
				Range: registry.Between(0, registry.MaxExact), Multiple: true},
			registry.Resource{ID: 65534, Name: "b", Type: registry.Opaque, Range: registry.AtMost(64), Secret: true},
		)},
	} {
		var got []string
		for _, f := range test.o.Validate() {
			got = append(got, f.Error())
			if f.Severity != registry.Error {
				t.Errorf("%s: %v is not an error", test.name, f)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func with(resources ...registry.Resource) registry.Object {
	return registry.Object{ID: 3303, Name: "Temperature", Resources: resources}
}

func ranged(k registry.Type, r registry.Range) registry.Object {
	return with(registry.Resource{Name: "a", Ops: registry.R, Type: k, Range: r})
}

func enumerated(k registry.Type, r registry.Range, values ...string) registry.Object {
	if values == nil {
		values = []string{}
	}
	return with(registry.Resource{Name: "a", Ops: registry.R, Type: k, Range: r, Strings: values})
}

func TestFault(t *testing.T) {
	faults := []registry.Fault{
		{File: "3.xml", Object: -1, Resource: -1, What: "no root", Do: "add one"},
		{File: "3.xml", Object: 3, Resource: -1, What: "no name", Do: "give it one"},
		{File: "3.xml", Line: 12, Object: 3, Resource: 1, What: "no range"},
		{File: "3.xml", Line: 9, Object: 3, Resource: 2, What: "no units"},
		{File: "3.xml", Object: 3, Resource: 0, What: "no type"},
		{File: "3.xml", Object: 3, Resource: 0, What: "of no use"},
		{Object: -1, Resource: -1, What: "nothing to read"},
	}
	slices.SortFunc(faults, registry.Fault.Compare)
	var got []string
	for _, f := range faults {
		got = append(got, f.Error())
	}
	if diff := cmp.Diff([]string{
		"nothing to read",
		"3.xml: no root, add one",
		"3.xml: 3: no name, give it one",
		"3.xml: 3/0: no type",
		"3.xml: 3/0: of no use",
		"3.xml:9: 3/2: no units",
		"3.xml:12: 3/1: no range",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ExampleObject_Validate() {
	o := registry.Object{ID: 33000, Name: "Boiler", Resources: []registry.Resource{
		{ID: 0, Name: "Temperature", Ops: registry.R},
		{ID: 1, Name: "Refill", Ops: registry.E},
	}}
	for _, fault := range o.Validate() {
		fmt.Println(fault)
	}
	// Output: 33000/0: the resource has no type, name one of the data types
}

func ExampleObject_Resource() {
	o := registry.Object{ID: 3303, Name: "Temperature", Resources: []registry.Resource{
		{ID: 5700, Name: "Sensor Value", Ops: registry.R, Type: registry.Float, Mandatory: true, Units: "Cel"},
	}}
	r := o.Resource(5700)
	fmt.Println(r.Name, r.Ops, r.Type, r.Units)
	fmt.Println(o.Resource(5701) == nil)
	// Output:
	// Sensor Value R Float Cel
	// true
}
