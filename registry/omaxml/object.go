package omaxml

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/lwm2mgen/toolkit/registry"
)

// field is the text of an element of one <Object> or <Item>. The zero value means that there is no
// such element.
type field struct {
	text string
	line int
}

// fields are the elements of one <Object> or <Item>, in the order of their names in inObject or
// inItem.
type fields struct {
	names []string
	all   [maxFields]field
}

const maxFields = 10

// get returns the field of an element, which is the zero value if there is none.
func (v *fields) get(name string) field { return v.all[slices.Index(v.names, name)] }

// readFields reads the elements of an <Object> or an <Item>, which may come in any order. It
// returns the first <Resources> among them, if there is one.
func (f *file) readFields(e *etree.Element, parent string, names []string) (v fields, resources *etree.Element) {
	v.names = names
	f.checkAttributes(e)
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			f.warnStrayText(t)
		case *etree.Element:
			switch name := f.checkElement(t, parent, names); {
			case name == "":
			case name != "Resources":
				f.setField(&v, name, t)
			case resources != nil:
				f.fail("there is a second <Resources>", "put all items into one")
			default:
				resources = t
			}
		}
	}
	return v, resources
}

// readObject reads one <Object>. It keeps the object unless it has an error.
func (f *file) readObject(e *etree.Element) {
	f.at(e)
	f.home = f.line
	before := len(f.faults)
	v, resources := f.readFields(e, "Object", inObject)
	id, ok := f.objectID(v.get("ObjectID"))
	f.own = !ok || registeredName(id) == ""
	if ok {
		f.object = int(id)
		for i := range f.faults[before:] {
			f.faults[before+i].Object = int(id)
		}
	}
	o := registry.Object{
		ID:           id,
		Line:         int32(f.home),
		Name:         f.title(v.get("Name")),
		URN:          line(v.get("ObjectURN").text),
		LWM2MVersion: f.version("LWM2MVersion", v.get("LWM2MVersion"), registry.Version{}),
		Multiple:     f.choice("MultipleInstances", v.get("MultipleInstances"), "Multiple", "Single"),
		Mandatory:    f.choice("Mandatory", v.get("Mandatory"), "Mandatory", "Optional"),
		Description:  prose(v.get("Description1").text),
	}
	if more := prose(v.get("Description2").text); more != "" {
		o.Description = strings.TrimPrefix(o.Description+"\n\n"+more, "\n\n")
	}
	f.readVersion(&o, v.get("ObjectURN"), v.get("ObjectVersion"))
	f.readResources(&o, resources)
	f.keep(o)
}

// keep adds a valid object, unless the file already has a copy of it.
func (f *file) keep(o registry.Object) {
	for _, fault := range o.Validate() {
		f.line, f.resource = fault.Line, fault.Resource
		f.add(fault.Severity, fault.What, fault.Do)
	}
	f.line, f.resource = int(o.Line), -1
	if key := (objectVersion{o.ID, o.Version.OrDefault()}); f.object >= 0 {
		if f.seen[key] {
			f.fail(fmt.Sprintf("the file defines version %s of the object twice", o.Version), "remove one")
		}
		f.seen[key] = true
	}
	if !f.broken {
		f.objects = append(f.objects, o)
	}
}

// setField stores the text of an element in its field.
func (f *file) setField(v *fields, name string, e *etree.Element) {
	s := text(e)
	if len(s) > maxText {
		f.fail(fmt.Sprintf("the text of the element <%s> is longer than %d bytes", name, maxText), "shorten it")
		return
	}
	to := &v.all[slices.Index(v.names, name)]
	if to.text != "" && s != to.text {
		f.fail(fmt.Sprintf("there is a second element <%s> with another text", name), "remove one")
		return
	}
	*to = field{s, f.line}
	f.checkMarkup(e)
}

// warnStrayText warns of text between elements.
func (f *file) warnStrayText(c *etree.CharData) {
	if f.texts[c] > 0 && line(c.Data) != "" {
		f.line = int(f.texts[c])
		f.warn(fmt.Sprintf("the text %s is outside of any element and left out", quote(c.Data)), "remove it")
	}
}

func (f *file) objectID(v field) (uint16, bool) {
	f.atField(v)
	s := line(v.text)
	id, err := strconv.ParseUint(s, 10, 16)
	switch {
	case s == "":
		f.fail("an object has no ID", "write a number up to 65534 into <ObjectID>")
	case err != nil:
		f.fail(fmt.Sprintf("the object ID %s is not a number up to 65534", quote(s)), "correct <ObjectID>")
	}
	return uint16(id), err == nil
}

// title reads the name of an object or a resource. Validate reports a missing name.
func (f *file) title(v field) string {
	s := line(v.text)
	if len(s) > maxName {
		f.atField(v)
		f.fail(fmt.Sprintf("the name %s is longer than %d bytes", quote(s), maxName), "shorten it")
		return s[:1]
	}
	return s
}

// choice reads an element that has one of two texts, and reports whether it is the first one.
func (f *file) choice(element string, v field, yes, no string) bool {
	f.atField(v)
	switch s := line(v.text); {
	case strings.EqualFold(s, yes):
		return true
	case strings.EqualFold(s, no):
	case s == "":
		f.warn(fmt.Sprintf("<%s> is missing or empty and read as %s", element, no),
			fmt.Sprintf("write %s or %s", yes, no))
	default:
		f.fail(fmt.Sprintf("<%s> is %s", element, quote(s)), fmt.Sprintf("write %s or %s", yes, no))
	}
	return false
}

// readResources reads the items in any order.
func (f *file) readResources(o *registry.Object, e *etree.Element) {
	items := 0
	if e != nil {
		f.at(e)
		f.checkAttributes(e)
		o.Resources = make([]registry.Resource, 0, (len(e.Child)+1)/2)
		items = f.readItems(o, e)
	}
	if items == 0 {
		f.resource = -1
		f.line = f.home
		if e != nil {
			f.at(e)
		}
		f.fail("the object has no resources", "list them in <Resources>, each in an <Item>")
	}
	slices.SortStableFunc(o.Resources, func(a, b registry.Resource) int { return cmp.Compare(a.ID, b.ID) })
	o.Resources = slices.CompactFunc(o.Resources, f.sameResource)
}

// readItems reads the elements of <Resources> and returns the number of items.
func (f *file) readItems(o *registry.Object, e *etree.Element) (items int) {
	for _, t := range e.Child {
		f.resource = -1
		switch t := t.(type) {
		case *etree.CharData:
			f.warnStrayText(t)
		case *etree.Element:
			if f.checkElement(t, "Resources", inResources) == "" {
				continue
			}
			items++
			if r, ok := f.readItem(t, items); ok {
				o.Resources = append(o.Resources, r)
			}
		}
	}
	return items
}

// sameResource reports whether two resources have the same ID. An exact copy is left out with a
// warning. If the two differ, it is not clear which one is meant, which is an error.
func (f *file) sameResource(a, b registry.Resource) bool {
	if a.ID != b.ID {
		return false
	}
	f.resource, f.line = int(a.ID), int(a.Line)
	if equal(a, b) {
		f.warn("the resource is defined twice in the same way", "remove one")
	} else {
		f.fail("the resource is defined twice in different ways", "remove one, or give it another ID")
	}
	return true
}

func equal(a, b registry.Resource) bool {
	return a.Name == b.Name && a.Ops == b.Ops && a.Type == b.Type && a.Multiple == b.Multiple &&
		a.Mandatory == b.Mandatory &&
		a.Units == b.Units && a.RangeText == b.RangeText && a.Description == b.Description &&
		slices.Equal(a.Enum, b.Enum)
}
