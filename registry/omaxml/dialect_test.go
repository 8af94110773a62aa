package omaxml

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// definition returns a file with one object, with the given head and items.
func definition(head, items string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://openmobilealliance.org/tech/profiles/LWM2M.xsd">
	<Object ObjectType="MODefinition">` + head + `<Resources>` + items + `</Resources><Description2/></Object>
</LWM2M>`
}

const (
	head = `<Name>Probe</Name><Description1>A probe.</Description1><ObjectID>3999</ObjectID>
		<ObjectURN>urn:oma:lwm2m:ext:3999:1.1</ObjectURN><LWM2MVersion>1.1</LWM2MVersion><ObjectVersion>1.1</ObjectVersion>
		<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>`
	value = `<Item ID="5700"><Name>Value</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances>
		<Mandatory>Mandatory</Mandatory><Type>Float</Type><RangeEnumeration></RangeEnumeration><Units>Cel</Units>
		<Description>The value.</Description></Item>`
)

// item returns a complete item with the given ID; the given elements replace the defaults.
func item(id, elements string) string {
	for _, e := range []struct{ tag, text string }{
		{"Name", "Value"}, {"Operations", "R"}, {"MultipleInstances", "Single"}, {"Mandatory", "Optional"},
		{"Type", "Integer"},
		{"RangeEnumeration", ""}, {"Units", ""}, {"Description", ""},
	} {
		if !strings.Contains(elements, "<"+e.tag) {
			elements += "<" + e.tag + ">" + e.text + "</" + e.tag + ">"
		}
	}
	return `<Item ID="` + id + `">` + elements + `</Item>`
}

func probe(change func(*registry.Object)) registry.Object {
	o := registry.Object{
		ID: 3999, Version: registry.V(1, 1), LWM2MVersion: registry.V(1, 1), Name: "Probe", Multiple: true,
		URN: "urn:oma:lwm2m:ext:3999:1.1", Description: "A probe.",
		Resources: []registry.Resource{{
			ID: 5700, Name: "Value", Ops: registry.R, Type: registry.Float, Mandatory: true, Units: "Cel",
			Description: "The value.",
		}},
	}
	if change != nil {
		change(&o)
	}
	return o
}

// withoutLines returns objects whose lines are not known, as the tests that do not look at lines
// write them.
func withoutLines(objects []registry.Object) []registry.Object {
	for i := range objects {
		objects[i].Line = 0
		for j := range objects[i].Resources {
			objects[i].Resources[j].Line = 0
		}
	}
	return objects
}

// texts returns faults with their severity and without their lines, which TestLines checks.
func texts(faults []registry.Fault) []string {
	var all []string
	for _, f := range faults {
		f.Line = 0
		all = append(all, f.Severity.String()+": "+f.Error())
	}
	return all
}

// TestDialects reads one object in the forms of the three schemas and of their many authors.
func TestDialects(t *testing.T) {
	plain := definition(head, value)
	older := func(o *registry.Object) { o.Version, o.LWM2MVersion = registry.Version{}, registry.Version{} }
	for _, test := range []struct {
		name, file string
		change     func(*registry.Object)
		faults     []string
	}{
		{name: "as in the schema", file: plain},
		{name: "byte-order mark", file: "\uFEFF" + plain},
		{name: "no declaration", file: plain[strings.Index(plain, "<LWM2M"):]},
		{name: "declaration in lower case", file: strings.Replace(plain, "UTF-8", "utf-8", 1)},
		{name: "CRLF", file: strings.ReplaceAll(plain, "\n", "\r\n")},
		{name: "comments everywhere", file: strings.ReplaceAll(plain, "><", "><!-- <Name>no</Name> --><")},
		{name: "comment within a text", file: strings.Replace(plain, "A probe.", "A <!-- small -->probe.", 1)},
		{name: "CDATA", file: strings.Replace(plain, "A probe.", "<![CDATA[A probe.]]>", 1)},
		{name: "CDATA in parts", file: strings.Replace(plain, "A probe.", "<![CDATA[A ]]>pro<![CDATA[be.]]>", 1)},
		{name: "namespace prefix", file: strings.NewReplacer("<LWM2M ", `<o:LWM2M xmlns:o="urn:x" `, "</LWM2M>",
			"</o:LWM2M>").Replace(plain)},
		{name: "markup in a text", file: strings.Replace(plain, "A probe.", "A <b>probe</b>.", 1)},
		{name: "schema of 1.1", file: strings.Replace(plain, "LWM2M.xsd", "LWM2M-v1_1.xsd", 1)},
		{
			name:   "schema of 1.0: no versions",
			file:   definition(without(head, "LWM2MVersion", "ObjectVersion", ":1.1"), value),
			change: func(o *registry.Object) { older(o); o.URN = "urn:oma:lwm2m:ext:3999" },
		},
		{
			name: "empty versions",
			file: strings.NewReplacer("<ObjectVersion>1.1<", "<ObjectVersion><", "<LWM2MVersion>1.1<",
				"<LWM2MVersion> <", ":1.1", "").Replace(plain),
			change: func(o *registry.Object) { older(o); o.URN = "urn:oma:lwm2m:ext:3999" },
		},
		{
			name:   "version in the URN only",
			file:   definition(without(head, "LWM2MVersion", "ObjectVersion"), value),
			change: func(o *registry.Object) { o.LWM2MVersion = registry.Version{} },
		},
		{
			name: "version 1.0 given, and missing in the URN",
			file: strings.NewReplacer("<ObjectVersion>1.1<", "<ObjectVersion>1.0<", "3999:1.1", "3999").Replace(plain),
			change: func(o *registry.Object) {
				o.Version, o.URN = registry.V(1, 0), "urn:oma:lwm2m:ext:3999"
			},
		},
		{
			name: "blanks in names",
			file: strings.NewReplacer("Probe<", "\u00A0 Pro\u00A0\tbe \n<", ">Value<", ">Val\u200B\u00A0ue\uFEFF<",
				">Cel<", "> Cel\u00A0<").Replace(plain),
			change: func(o *registry.Object) { o.Name, o.Resources[0].Name = "Pro be", "Val ue" },
		},
		{
			name: "both descriptions, with line ends written as \\n",
			file: strings.NewReplacer("A probe.", "\n\t\tA probe.  \n\n\n\n\t\t\tIt\tmeasures.\n", "<Description2/>",
				"<Description2> And C:\\new more.\\n\\t\\t\\nThe end. </Description2>").Replace(plain),
			change: func(o *registry.Object) {
				o.Description = "A probe.\n\nIt measures.\n\nAnd C:\\new more.\n\nThe end."
			},
		},
		{
			name: "children in another order",
			file: definition("", "")[:strings.Index(definition("", ""), "<Resources>")] + "<Resources>" + value +
				"</Resources>" + head + "</Object></LWM2M>",
			change: nil,
		},
		{
			name:   "no RangeEnumeration, Units or Description",
			file:   definition(head, without(value, "RangeEnumeration", "Units", "Description")),
			change: func(o *registry.Object) { o.Resources[0].Units, o.Resources[0].Description = "", "" },
		},
		{
			name: "other letter case",
			file: strings.NewReplacer(">Float<", ">float <", ">R<", ">r<", ">Single<", ">single<", ">Multiple<",
				">MULTIPLE<").Replace(plain),
			change: nil,
		},
		{
			name: "items not in order",
			file: definition(head, value+item("12", "")+item("0", "<Type>Unsigned Integer</Type>")),
			change: func(o *registry.Object) {
				o.Resources = []registry.Resource{
					{ID: 0, Name: "Value", Ops: registry.R, Type: registry.UnsignedInteger},
					{ID: 12, Name: "Value", Ops: registry.R, Type: registry.Integer},
					o.Resources[0],
				}
			},
		},
		{
			name:   "ISO-8859-1",
			file:   strings.NewReplacer("UTF-8", "ISO-8859-1", "A probe.", "\xC4 probe \xB0C\x85.").Replace(plain),
			change: func(o *registry.Object) { o.Description = "Ä probe °C ." },
		},
		{name: "US-ASCII", file: strings.Replace(plain, "UTF-8", "US-ASCII", 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, faults, err := Read("3999.xml", strings.NewReader(test.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]registry.Object{probe(test.change)}, withoutLines(objects)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.faults, texts(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// without removes elements with their text, and other text, from a part of a file.
func without(s string, parts ...string) string {
	for _, p := range parts {
		start := strings.Index(s, "<"+p+">")
		end := strings.Index(s, "</"+p+">")
		if start < 0 {
			s = strings.ReplaceAll(s, p, "")
			continue
		}
		s = s[:start] + s[end+len("</>")+len(p):]
	}
	return s
}

func TestSeveralObjects(t *testing.T) {
	one := definition(head, value)
	start, end := strings.Index(one, "<Object "), strings.Index(one, "</LWM2M>")
	object := one[start:end]
	other := strings.ReplaceAll(object, "3999", "4000")
	newer := strings.NewReplacer("3999:1.1", "3999:2.0", "<ObjectVersion>1.1", "<ObjectVersion>2.0").Replace(object)
	broken := strings.NewReplacer("3999", "4001", "<Type>Float", "<Type>Double").Replace(object)
	objects, faults := ReadBytes("all.xml", []byte(one[:start]+"<Info/>"+object+other+broken+newer+object+one[end:]))
	var got []string
	for _, o := range objects {
		got = append(got, o.URN)
	}
	want := []string{"urn:oma:lwm2m:ext:3999:1.1", "urn:oma:lwm2m:ext:4000:1.1", "urn:oma:lwm2m:ext:3999:2.0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		`warning: all.xml: the element <Info> is unknown and left out, remove it`,
		`error: all.xml: 4001/5700: the type "Double" is unknown, write String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk or Corelnk`,
		"error: all.xml: 3999: the file defines version 1.1 of the object twice, remove one",
	}, texts(faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
