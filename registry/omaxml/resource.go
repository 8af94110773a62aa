package omaxml

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/lwm2mgen/toolkit/registry"
)

// readItem reads one <Item>, the n-th of its object. It returns false for an item without an ID.
func (f *file) readItem(e *etree.Element, n int) (registry.Resource, bool) {
	id, ok := f.itemID(e, n)
	if !ok {
		return registry.Resource{}, false
	}
	f.resource = int(id)
	f.home = f.line
	v, _ := f.readFields(e, "Item", inItem)
	if v.get("Operations").line == 0 {
		f.line = f.home
		f.warn("<Operations> is missing and read as empty: only the bootstrap server reaches the resource",
			"write R, W, RW or E, or an empty <Operations>")
	}
	r := registry.Resource{
		ID:        id,
		Line:      int32(f.home),
		Name:      f.title(v.get("Name")),
		Ops:       f.operations(v.get("Operations")),
		Multiple:  f.choice("MultipleInstances", v.get("MultipleInstances"), "Multiple", "Single"),
		Mandatory: f.choice("Mandatory", v.get("Mandatory"), "Mandatory", "Optional"),
		Units:     line(v.get("Units").text),
		RangeText: strings.ReplaceAll(prose(v.get("RangeEnumeration").text), "\n", "; "),
	}
	r.Type = f.kind(v.get("Type"), &r)
	r.Secret = r.Ops.BootstrapOnly() && r.Type == registry.Opaque
	f.limit(&r, v.get("RangeEnumeration"), unescape(v.get("Description").text))
	r.Description = prose(r.Description)
	f.countValues(&r)
	return r, true
}

// limit reads the allowed values of a resource and their names, from its range and its description.
func (f *file) limit(r *registry.Resource, span field, description string) {
	text := span.text
	l := parseRange(text, r.Type, r.Units)
	isInt := r.Type == registry.Integer || r.Type == registry.UnsignedInteger
	isBits := isInt && (namesBits(r.Name) || namesBits(text) || namesBits(description))
	if isBits {
		l = l.withoutBits(text)
	}
	f.atField(span)
	for _, fault := range l.faults {
		if f.own && l.span != nil {
			fault.Severity = registry.Error // the range was repaired, as a repair by f.repair is
		}
		f.add(fault.Severity, fault.What, fault.Do)
		f.faults[len(f.faults)-1].Element = "RangeEnumeration"
	}
	r.Range, r.Strings, r.Enum, r.Description = l.span, l.strings, l.enum, description
	if r.Enum == nil && !isBits {
		r.Enum, r.Description = splitEnum(description, r.Type, r.Range)
	}
}

// countValues bounds the number of values of a file.
func (f *file) countValues(r *registry.Resource) {
	n := max(len(r.Range), len(r.Enum))
	if f.values+n > maxValues {
		f.line = f.home
		f.fail(fmt.Sprintf("the file lists more than %d values", maxValues), "write an interval, such as 0..100")
		r.Range, r.Strings, r.Enum = nil, nil, nil
		return
	}
	f.values += n
}

func (f *file) itemID(e *etree.Element, n int) (uint16, bool) {
	for i := range e.Attr {
		a := &e.Attr[i]
		if a.Space != "" || !strings.EqualFold(a.Key, "ID") {
			continue
		}
		id, err := strconv.ParseUint(line(a.Value), 10, 16)
		if err != nil {
			f.fail(fmt.Sprintf("the ID %s of <Item> number %d is not a number up to 65534", quote(a.Value),
				n), "correct it")
			return 0, false
		}
		return uint16(id), true
	}
	f.fail(fmt.Sprintf("<Item> number %d has no ID", n), `write it as an attribute, such as <Item ID="5700">`)
	return 0, false
}

// operations parses the letters of <Operations>. No letter means that only the bootstrap server
// reaches the resource. Validate reports sets that make no sense.
func (f *file) operations(v field) registry.Operations {
	f.atField(v)
	var ops registry.Operations
	for _, c := range line(v.text) {
		switch c {
		case 'R', 'r':
			ops |= registry.R
		case 'W', 'w':
			ops |= registry.W
		case 'E', 'e':
			ops |= registry.E
		case ' ', ',', '/':
		default:
			f.fail(fmt.Sprintf("the operations are %s", quote(v.text)),
				"write R, W, RW or E, or nothing for resources of the bootstrap server")
			return registry.R // one error is enough
		}
	}
	return ops
}

// kind reads the data type and repairs the two cases in which it contradicts the operations: an
// executable has no value, and every other resource has one. An executable with several instances
// is served as a single one, because Execute names no resource instance (Core 1.2.2 §6.3.5).
func (f *file) kind(v field, r *registry.Resource) registry.Type {
	f.atField(v)
	s := line(v.text)
	t, ok := parseType(s)
	if r.Ops.Executable() {
		if r.Multiple {
			f.warn("the executable has several instances and is served as one", "let <MultipleInstances> be Single")
			r.Multiple = false
		}
		if s != "" && r.Ops == registry.E {
			f.warn(fmt.Sprintf("the executable has the type %s, which is left out", quote(s)), "let <Type> be empty")
			return registry.None
		}
		return t
	}
	switch {
	case s == "":
		f.warn("the resource has no type and is read as Opaque", "write the type into <Type>")
		return registry.Opaque
	case !ok:
		f.fail(fmt.Sprintf("the type %s is unknown", quote(s)),
			"write String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk or Corelnk")
		return registry.Opaque
	}
	return t
}

func parseType(s string) (registry.Type, bool) {
	for t := registry.String; t <= registry.Corelnk; t++ {
		if strings.EqualFold(s, t.String()) {
			return t, true
		}
	}
	return registry.None, false
}
