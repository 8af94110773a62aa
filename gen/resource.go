package gen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lwm2mgen/toolkit/gen/internal/goname"
	"github.com/lwm2mgen/toolkit/registry"
)

// resource is one resource to generate.
type resource struct {
	registry.Resource
	name   string // the name of the field; the constant of the ID has "ID" appended
	chosen bool   // whether the name is from the names file
	values []value
}

// value is one named value of an enumeration.
type value struct {
	registry.EnumValue
	name     string
	suffix   string // distinguishes the name from others
	unnamed  string // the name, if the meaning has no letter that a Go name can have
	resource uint16
	isString bool
}

// reserved are the names that every generated package declares.
var reserved = []string{"ObjectID", "Instance", "Hooks", "Tx", "Object", "Config", "New"}

// nameResources sets p.resources and reports whether the object can be generated.
func (p *pkg) nameResources(names *Names) bool {
	o := &p.object
	p.resources = make([]resource, len(o.Resources))
	for i := range o.Resources {
		r := &p.resources[i]
		r.Resource = o.Resources[i]
		r.name = names.identifier(o.ID, o.Version, r.ID)
		r.chosen = r.name != ""
		if !r.chosen {
			r.name = goname.Exported(r.Name)
		}
		if r.name == "" {
			p.renameResource(r, "Resource"+strconv.Itoa(int(r.ID)),
				fmt.Sprintf("the name %q cannot become a Go name", oneLine(r.Name)))
		}
		p.hide(r, names)
		p.limit(r, names)
	}
	for _, line := range names.unknown(o) {
		p.fault(-1, registry.Warning,
			fmt.Sprintf("line %d of the names file names a resource that the object does not have", line), "remove the line")
	}
	p.separateResources()
	p.nameValues()
	return !failed(p.faults)
}

// hide decides whether a resource is secret. An Opaque that only the bootstrap server can access is
// a key or an identity, unless the names file marks it as public.
func (p *pkg) hide(r *resource, names *Names) {
	mark := names.mark(p.object.ID, p.object.Version, r.ID)
	if mark == markSecret && r.Type != registry.String && r.Type != registry.Opaque {
		p.fault(int(r.ID), registry.Error,
			fmt.Sprintf("the names file marks a resource of type %q as secret", r.Type), "mark String and Opaque resources only")
	}
	key := r.Ops.BootstrapOnly() && r.Type == registry.Opaque
	r.Secret = mark == markSecret || mark != markPublic && (r.Secret || key)
}

// limit replaces the range of a resource by the one of the names file. Named values that it does
// not allow are left out.
func (p *pkg) limit(r *resource, names *Names) {
	e, ok := names.limits(p.object.ID, p.object.Version, r.ID)
	if !ok {
		return
	}
	r.Range, r.Strings = e.span, e.strings
	check := registry.Object{ID: p.object.ID, Name: p.object.Name, Resources: []registry.Resource{r.Resource}}
	for _, f := range check.Validate() {
		p.fault(int(r.ID), registry.Error, fmt.Sprintf("line %d of the names file: %s", e.line, f.What), f.Do)
	}
	r.Enum = slices.DeleteFunc(slices.Clone(r.Enum), func(v registry.EnumValue) bool {
		return r.Type == registry.String && !r.Strings.Allows(v.Text) || r.Type.Numeric() && !r.Range.AllowsInt(v.Value)
	})
	for _, s := range r.Strings {
		if !slices.ContainsFunc(r.Enum, func(v registry.EnumValue) bool { return v.Text == s }) {
			r.Enum = append(r.Enum, registry.EnumValue{Text: s, Name: s})
		}
	}
}

// separateResources renames the resources that share a name. The name Object is not available: with
// ID appended it is the constant for the ID of the object.
func (p *pkg) separateResources() {
	name := func(r *resource) string { return r.name }
	why := func(r *resource) string {
		if r.name == "Object" {
			return "ObjectID is already the constant for the object's ID"
		}
		return fmt.Sprintf("several resources have the Go name %s", r.name)
	}
	for _, r := range clashing(p.resources, name, "Object") {
		if !r.chosen {
			p.renameResource(r, r.name+strconv.Itoa(int(r.ID)), why(r))
		}
	}
	for _, r := range clashing(p.resources, name, "Object") {
		if r.chosen {
			p.fault(int(r.ID), registry.Error, why(r), "choose another name in the names file")
			continue
		}
		p.renameResource(r, fmt.Sprintf("%s_%d", r.name, r.ID), why(r))
	}
}

func (p *pkg) renameResource(r *resource, name, why string) {
	p.fault(int(r.ID), registry.Warning, fmt.Sprintf("%s, so this one is named %s", why, name),
		fmt.Sprintf("add a line \"%d/%d Name\" to the names file to choose another name", p.object.ID, r.ID))
	r.name = name
}

// nameValues names the constants for the values of enumerations.
func (p *pkg) nameValues() {
	var all []value
	taken := append([]string(nil), reserved...)
	for i := range p.resources {
		r := &p.resources[i]
		taken = append(taken, r.name+"ID")
		all = append(all, r.enumeration()...)
	}
	plain := make([]string, len(all))
	for i := range all {
		plain[i] = all[i].name
	}
	name := func(v *value) string { return v.name }
	for _, between := range []string{"", "_"} {
		for _, v := range clashing(all, name, taken...) {
			v.name += between + v.suffix
		}
	}
	for i := range all {
		if all[i].name != plain[i] && plain[i] != all[i].unnamed {
			p.fault(int(all[i].resource), registry.Warning,
				fmt.Sprintf("several declarations have the Go name %s, so the constant for the value %s is named %s",
					plain[i], all[i].text(), all[i].name),
				"let the meanings of the values begin with different words")
		}
	}
	for i := range p.resources {
		r := &p.resources[i]
		n := len(r.enumeration())
		r.values, all = all[:n:n], all[n:]
	}
}

// enumeration returns the named values that the resource's type can hold. The values of a secret
// are not shown.
func (r *resource) enumeration() []value {
	isString := r.Type == registry.String
	if r.Secret || !isString && r.Type != registry.Integer && r.Type != registry.UnsignedInteger {
		return nil
	}
	var values []value
	for i, e := range r.Enum {
		if r.Type == registry.UnsignedInteger && e.Value < 0 {
			continue
		}
		meaning := goname.Suffix(e.Name)
		unnamed := ""
		if meaning == "" {
			meaning = "Value"
			unnamed = r.name + meaning
		}
		suffix := strings.Replace(strconv.FormatInt(e.Value, 10), "-", "Minus", 1)
		if isString {
			suffix = strconv.Itoa(i + 1)
		}
		values = append(values, value{
			EnumValue: e, name: r.name + meaning, unnamed: unnamed, suffix: suffix, resource: r.ID, isString: isString,
		})
	}
	return values
}

// text returns the value as a fault names it.
func (v *value) text() string {
	if v.isString {
		return strconv.Quote(v.Text)
	}
	return strconv.FormatInt(v.Value, 10)
}

// clashing returns pointers to the elements whose name is taken or shared, in their order.
func clashing[T any](all []T, name func(*T) string, taken ...string) []*T {
	count := make(map[string]int, len(all)+len(taken))
	for _, n := range taken {
		count[n]++
	}
	for i := range all {
		count[name(&all[i])]++
	}
	var out []*T
	for i := range all {
		if count[name(&all[i])] > 1 {
			out = append(out, &all[i])
		}
	}
	return out
}

func failed(faults []registry.Fault) bool {
	for _, f := range faults {
		if f.Severity == registry.Error {
			return true
		}
	}
	return false
}
