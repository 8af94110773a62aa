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

// fields are the texts of the elements of one <Object> or <Item>. Absent ones are empty.
type fields struct {
	name, description, description2 string
	id, urn, lwm2m, version         string
	operations, kind, span, units   string
	multiple, mandatory             string
	hasOperations                   bool
}

// field returns the place for the text of an element, or nil for an unknown element.
func (v *fields) field(tag string, item bool) *string {
	switch tag {
	case "Name":
		return &v.name
	case "MultipleInstances":
		return &v.multiple
	case "Mandatory":
		return &v.mandatory
	}
	if item {
		switch tag {
		case "Operations":
			v.hasOperations = true
			return &v.operations
		case "Type":
			return &v.kind
		case "RangeEnumeration":
			return &v.span
		case "Units":
			return &v.units
		case "Description":
			return &v.description
		}
		return nil
	}
	switch tag {
	case "Description1":
		return &v.description
	case "Description2":
		return &v.description2
	case "ObjectID":
		return &v.id
	case "ObjectURN":
		return &v.urn
	case "LWM2MVersion":
		return &v.lwm2m
	case "ObjectVersion":
		return &v.version
	}
	return nil
}

// readObject reads one <Object>, whose elements may come in any order. It keeps the object unless
// it has an error.
func (f *file) readObject(e *etree.Element) {
	f.startObject(-1)
	before := len(f.faults)
	var v fields
	var resources *etree.Element
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			f.warnStrayText(t)
		case *etree.Element:
			if t.Tag != "Resources" {
				f.setField(&v, t, false)
				continue
			}
			if resources != nil {
				f.fail("there is a second <Resources>", "put all items into one")
				continue
			}
			resources = t
		}
	}
	id, ok := f.objectID(v.id)
	if ok {
		f.object = int(id)
		for i := range f.faults[before:] {
			f.faults[before+i].Object = int(id)
		}
	}
	o := registry.Object{
		ID:           id,
		Name:         f.title(v.name),
		URN:          line(v.urn),
		LWM2MVersion: f.version("LWM2MVersion", v.lwm2m),
		Version:      f.version("ObjectVersion", v.version),
		Multiple:     f.choice("MultipleInstances", v.multiple, "Multiple", "Single"),
		Mandatory:    f.choice("Mandatory", v.mandatory, "Mandatory", "Optional"),
		Description:  prose(v.description),
	}
	if more := prose(v.description2); more != "" {
		o.Description = strings.TrimPrefix(o.Description+"\n\n"+more, "\n\n")
	}
	if ok {
		f.checkURN(&o)
	}
	f.readResources(&o, resources)
	f.resource = -1
	f.keep(o)
}

// keep adds a valid object, unless the file already has a copy of it.
func (f *file) keep(o registry.Object) {
	for _, fault := range o.Validate() {
		if f.object < 0 {
			fault.Object = -1
		}
		fault.File = f.name
		f.faults = append(f.faults, fault)
		f.broken = f.broken || fault.Severity == registry.Error
	}
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
func (f *file) setField(v *fields, e *etree.Element, item bool) {
	p := v.field(e.Tag, item)
	if p == nil {
		f.warn(fmt.Sprintf("the element %s is unknown and left out", quote(e.Tag)), "remove it")
		return
	}
	s := text(e)
	if len(s) > maxText {
		f.fail(fmt.Sprintf("the text of the element %s is longer than %d bytes", quote(e.Tag), maxText), "shorten it")
		return
	}
	if *p != "" && s != *p {
		f.fail(fmt.Sprintf("there is a second element %s with another text", quote(e.Tag)), "remove one")
		return
	}
	*p = s
}

// warnStrayText warns of text between elements.
func (f *file) warnStrayText(c *etree.CharData) {
	if !c.IsWhitespace() && line(c.Data) != "" {
		f.warn(fmt.Sprintf("the text %s is outside of any element and left out", quote(c.Data)), "remove it")
	}
}

func (f *file) objectID(s string) (uint16, bool) {
	s = line(s)
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
func (f *file) title(s string) string {
	s = line(s)
	if len(s) > maxName {
		f.fail(fmt.Sprintf("the name %s is longer than %d bytes", quote(s), maxName), "shorten it")
		return s[:1]
	}
	return s
}

// choice reads an element that has one of two texts, and reports whether it is the first one.
func (f *file) choice(element, s, yes, no string) bool {
	switch s = line(s); {
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
	if e == nil || len(e.Child) == 0 {
		f.warn("the object has no resources", "list them in <Resources>")
		return
	}
	o.Resources = make([]registry.Resource, 0, (len(e.Child)+1)/2)
	n := 0
	for _, t := range e.Child {
		f.resource = -1
		switch t := t.(type) {
		case *etree.CharData:
			f.warnStrayText(t)
		case *etree.Element:
			if t.Tag != "Item" {
				f.warn(fmt.Sprintf("the element %s is unknown and left out", quote(t.Tag)),
					"let <Resources> hold <Item> elements only")
				continue
			}
			n++
			if r, ok := f.readItem(t, n); ok {
				o.Resources = append(o.Resources, r)
			}
		}
	}
	slices.SortStableFunc(o.Resources, func(a, b registry.Resource) int { return cmp.Compare(a.ID, b.ID) })
	o.Resources = slices.CompactFunc(o.Resources, f.sameResource)
}

// sameResource reports whether two resources have the same ID. An exact copy is left out with a
// warning. If the two differ, it is not clear which one is meant, which is an error.
func (f *file) sameResource(a, b registry.Resource) bool {
	if a.ID != b.ID {
		return false
	}
	f.resource = int(a.ID)
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
