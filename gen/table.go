package gen

import (
	"math"
	"strconv"

	"github.com/dave/jennifer/jen"

	"github.com/lwm2mgen/toolkit/registry"
)

// table writes the definition for the runtime: without descriptions, one line for each resource.
func (p *pkg) table(f *jen.File) {
	o := &p.object
	head := []jen.Code{
		keyed("ID", jen.Lit(int(o.ID))),
		keyed("Version", version(o.Version)),
	}
	if v := o.LWM2MVersion.OrDefault(); v != registry.V(1, 0) {
		head = append(head, keyed("LWM2MVersion", version(v)))
	}
	head = append(head, keyed("Name", jen.Lit(o.Name)))
	head = flag(head, "Multiple", o.Multiple)
	head = flag(head, "Mandatory", o.Mandatory)
	fields := []jen.Code{jen.List(head...)}
	if len(p.resources) > 0 {
		rows := make([]jen.Code, len(p.resources))
		for i := range p.resources {
			rows[i] = p.resources[i].row()
		}
		fields = append(fields, keyed("Resources", jen.Index().Id("registry").Dot("Resource").Add(lines(rows))))
	}
	f.Var().Id("definition").Op("=").Id("registry").Dot("Object").Add(lines(fields))
}

func (r *resource) row() jen.Code {
	fields := []jen.Code{keyed("ID", jen.Lit(int(r.ID))), keyed("Name", jen.Lit(r.Name))}
	if !r.Ops.BootstrapOnly() {
		fields = append(fields, keyed("Ops", jen.Id("registry").Dot(r.Ops.String())))
	}
	if r.Type != registry.None {
		fields = append(fields, keyed("Type", jen.Id("registry").Dot(typeNames[r.Type])))
	}
	fields = flag(fields, "Multiple", r.Multiple)
	fields = flag(fields, "Mandatory", r.Mandatory)
	fields = flag(fields, "Secret", r.Secret)
	if r.Range != nil && !unlimited(r.Range) {
		fields = append(fields, keyed("Range", span(r.Range)))
	}
	if r.Strings != nil {
		fields = append(fields, keyed("Strings", jen.Id("registry").Dot("StringSet").ValuesFunc(func(g *jen.Group) {
			for _, s := range r.Strings {
				g.Lit(s)
			}
		})))
	}
	if r.Units != "" {
		fields = append(fields, keyed("Units", jen.Lit(r.Units)))
	}
	return jen.Values(fields...)
}

// typeNames are the names of the constants in package registry.
var typeNames = map[registry.Type]string{
	registry.String: "String", registry.Integer: "Integer", registry.UnsignedInteger: "UnsignedInteger",
	registry.Float: "Float", registry.Boolean: "Boolean", registry.Opaque: "Opaque", registry.Time: "Time",
	registry.Objlnk: "Objlnk", registry.Corelnk: "Corelnk",
}

// span returns the shortest expression for a range.
func span(r registry.Range) jen.Code {
	call := func(name string, args ...jen.Code) jen.Code {
		return jen.Id("registry").Dot(name).Call(args...)
	}
	if len(r) == 1 {
		switch i := r[0]; {
		case i.Min == i.Max:
		case math.IsInf(i.Min, -1) && !math.IsInf(i.Max, 1):
			return call("AtMost", number(i.Max))
		case math.IsInf(i.Max, 1) && !math.IsInf(i.Min, -1):
			return call("AtLeast", number(i.Min))
		default:
			return call("Between", number(i.Min), number(i.Max))
		}
	}
	var single, intervals []jen.Code
	for _, i := range r {
		if i.Min == i.Max {
			single = append(single, number(i.Min))
		}
		intervals = append(intervals, jen.Values(keyed("Min", number(i.Min)), keyed("Max", number(i.Max))))
	}
	if len(single) == len(r) {
		return call("OneOf", single...)
	}
	return jen.Id("registry").Dot("Range").Values(intervals...)
}

// usesInfinity reports whether a range of the table needs package math: a range of several
// intervals with an open end does.
func (p *pkg) usesInfinity() bool {
	for i := range p.resources {
		r := p.resources[i].Range
		if len(r) > 1 && (math.IsInf(r[0].Min, -1) || math.IsInf(r[len(r)-1].Max, 1)) {
			return true
		}
	}
	return false
}

func unlimited(r registry.Range) bool {
	return len(r) == 1 && math.IsInf(r[0].Min, -1) && math.IsInf(r[0].Max, 1)
}

func number(v float64) jen.Code {
	switch {
	case math.IsInf(v, 0):
		sign := 1
		if v < 0 {
			sign = -1
		}
		return jen.Id("math").Dot("Inf").Call(jen.Lit(sign))
	case v == math.Trunc(v) && math.Abs(v) <= registry.MaxExact:
		return jen.Id(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return jen.Id(strconv.FormatFloat(v, 'g', -1, 64))
}

func version(v registry.Version) jen.Code {
	v = v.OrDefault()
	return jen.Id("registry").Dot("V").Call(jen.Lit(int(v.Major)), jen.Lit(int(v.Minor)))
}

func keyed(key string, value jen.Code) jen.Code { return jen.Id(key).Op(":").Add(value) }

// flag appends a field that is true. It omits a field that is false.
func flag(fields []jen.Code, key string, set bool) []jen.Code {
	if set {
		fields = append(fields, keyed(key, jen.True()))
	}
	return fields
}

// lines returns a composite literal's body with one element per line.
func lines(elements []jen.Code) jen.Code {
	return jen.Custom(jen.Options{Open: "{", Close: "}", Separator: ",", Multi: true}, elements...)
}
