package registry

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Validate returns everything that is wrong with the definition, errors and warnings, in order of
// resources. A definition without errors can be generated and served.
func (o *Object) Validate() []Fault {
	v := validation{object: int(o.ID), line: o.Line}
	if o.ID == ReservedID {
		v.add(-1, Error, "the object ID 65535 is reserved", "use another")
	}
	if strings.TrimSpace(o.Name) == "" {
		v.add(-1, Error, "the object has no name", "give it one")
	}
	for i := range o.Resources {
		v.line = o.Resources[i].Line
		if i > 0 && o.Resources[i-1].ID >= o.Resources[i].ID {
			v.add(int(o.Resources[i].ID), Error, "resource IDs are not in ascending order",
				"sort them and let no ID occur twice")
		}
		v.resource(&o.Resources[i])
	}
	return v.faults
}

type validation struct {
	object int
	line   int32 // of the next fault
	faults []Fault
}

func (v *validation) add(resource int, s Severity, what, do string) {
	v.faults = append(v.faults, Fault{
		Line: int(v.line), Object: v.object, Resource: resource, Severity: s, What: what, Do: do,
	})
}

func (v *validation) resource(r *Resource) {
	id := int(r.ID)
	if r.ID == ReservedID {
		v.add(id, Error, "the resource ID 65535 is reserved", "use another")
	}
	if strings.TrimSpace(r.Name) == "" {
		v.add(id, Error, "the resource has no name", "give it one")
	}
	switch {
	case r.Ops.Executable() && r.Ops != E:
		v.add(id, Error, "the resource can be executed as well as read or written",
			"let an executable have the operation E alone")
	case r.Ops.Executable() && r.Multiple:
		v.add(id, Error, "the executable has several instances", "let it have one: Execute names no resource instance")
	case r.Ops.Executable() && r.Type != None:
		v.add(id, Error, fmt.Sprintf("the executable has the type %s", r.Type), "leave the type out")
	case !r.Ops.Executable() && (r.Type == None || r.Type > Corelnk):
		v.add(id, Error, "the resource has no type", "name one of the data types")
	}
	v.span(id, r)
	v.strings(id, r)
}

func (v *validation) strings(id int, r *Resource) {
	switch {
	case r.Strings == nil:
		return
	case r.Type != String:
		v.add(id, Error, fmt.Sprintf("the resource enumerates the values %s but is no String", cutList(r.Strings)),
			"leave the values out")
	case len(r.Strings) == 0:
		v.add(id, Error, "the enumeration allows no value", "leave it out")
	case r.Range != nil:
		v.add(id, Error, fmt.Sprintf("the resource has the range %s as well as enumerated values", r.Range),
			"leave the range out")
	}
	for i, s := range r.Strings {
		switch {
		case !utf8.ValidString(s):
			v.add(id, Error, fmt.Sprintf("the value %q is not valid UTF-8", s), "correct it")
		case slices.Index(r.Strings, s) < i:
			v.add(id, Error, fmt.Sprintf("the value %q is enumerated twice", s), "remove one")
		}
	}
}

// cutList returns at most five of the values.
func cutList(set StringSet) string {
	if len(set) > 5 {
		return set[:5].String() + ", ..."
	}
	return set.String()
}

func (v *validation) span(id int, r *Resource) {
	if r.Range == nil {
		return
	}
	if !r.Type.Numeric() && !r.Type.Measured() {
		v.add(id, Error, fmt.Sprintf("the resource has the range %s but no values or lengths that it can bound",
			r.Range), "leave the range out")
		return
	}
	if len(r.Range) == 0 {
		v.add(id, Error, "the range allows no value", "leave the range out")
	}
	last := math.Inf(-1)
	for n, i := range r.Range {
		if !i.valid() || n > 0 && i.Min <= last {
			v.add(id, Error, fmt.Sprintf("the range %s is not ascending", r.Range), "write intervals from low to high")
			return
		}
		last = i.Max
		if r.Type != Float && (inexact(i.Min) || inexact(i.Max)) {
			v.add(id, Error, fmt.Sprintf("the range %s has a bound that is not a whole number below 2^53", r.Range),
				"leave the bound open")
			return
		}
	}
}

// valid reports whether the interval can contain a value.
func (i Interval) valid() bool {
	return i.Min <= i.Max && !math.IsInf(i.Min, 1) && !math.IsInf(i.Max, -1) // false for NaN
}

// inexact reports whether the comparison of an integer with the bound may be inexact.
func inexact(bound float64) bool {
	return !math.IsInf(bound, 0) && (math.Abs(bound) > MaxExact || bound != math.Trunc(bound))
}
