package omaxml

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestItemFaults reads one resource in the many forms that cause a fault. A nil want means that the
// object is left out.
func TestItemFaults(t *testing.T) {
	for _, test := range []struct {
		name, item string
		want       *registry.Resource
		faults     []string
	}{
		{
			name: "no type",
			item: item("5", "<Type></Type><Operations>RW</Operations>"),
			want: &registry.Resource{ID: 5, Name: "Value", Ops: registry.RW, Type: registry.Opaque},
			faults: []string{
				"warning: f.xml: 3999/5: the resource has no type and is read as Opaque, write the type into <Type>",
			},
		},
		{
			name: "executable with a type",
			item: item("5", "<Operations>E</Operations><Type>String</Type>"),
			want: &registry.Resource{ID: 5, Name: "Value", Ops: registry.E},
			faults: []string{
				`warning: f.xml: 3999/5: the executable has the type "String", which is left out, let <Type> be empty`,
			},
		},
		{
			name: "executable with an unknown type and a range",
			item: item("5", "<Operations>E</Operations><Type>none</Type><RangeEnumeration>0..1</RangeEnumeration>"),
			want: &registry.Resource{ID: 5, Name: "Value", Ops: registry.E, RangeText: "0..1"},
			faults: []string{
				`warning: f.xml: 3999/5: the executable has the type "none", which is left out, let <Type> be empty`,
				`warning: f.xml: 3999/5: the range "0..1" stays documentation: an executable has no range, remove it, or explain it in <Description>`,
			},
		},
		{
			name: "executable with several instances",
			item: item("6", "<Operations>E</Operations><Type/><MultipleInstances>Multiple</MultipleInstances>"),
			want: &registry.Resource{ID: 6, Name: "Value", Ops: registry.E},
			faults: []string{
				"warning: f.xml: 3999/6: the executable has several instances and is served as one, let <MultipleInstances> be Single",
			},
		},
		{
			name: "plain executable",
			item: item("6", "<Operations>E</Operations><Type/>"),
			want: &registry.Resource{ID: 6, Name: "Value", Ops: registry.E},
		},
		{
			name: "executable that can be read",
			item: item("6", "<Operations>RE</Operations>"),
			faults: []string{
				"error: f.xml: 3999/6: the resource can be executed as well as read or written, let an executable have the operation E alone",
			},
		},
		{
			name: "bootstrap server only",
			item: item("1", "<Operations></Operations>"),
			want: &registry.Resource{ID: 1, Name: "Value", Type: registry.Integer},
		},
		{
			name: "secret",
			item: item("5", "<Operations/><Type>Opaque</Type>"),
			want: &registry.Resource{ID: 5, Name: "Value", Type: registry.Opaque, Secret: true},
		},
		{
			name: "bootstrap server only, without a type",
			item: item("5", "<Operations/><Type/>"),
			want: &registry.Resource{ID: 5, Name: "Value", Type: registry.Opaque, Secret: true},
			faults: []string{
				"warning: f.xml: 3999/5: the resource has no type and is read as Opaque, write the type into <Type>",
			},
		},
		{
			name: "no operations element",
			item: without(item("1", ""), "Operations"),
			want: &registry.Resource{ID: 1, Name: "Value", Type: registry.Integer},
			faults: []string{
				"warning: f.xml: 3999/1: <Operations> is missing and read as empty: only the bootstrap server reaches the resource, write R, W, RW or E, or an empty <Operations>",
			},
		},
		{
			name: "unknown operations",
			item: item("1", "<Operations>Read</Operations>"),
			faults: []string{
				`error: f.xml: 3999/1: the operations are "Read", write R, W, RW or E, or nothing for resources of the bootstrap server`,
			},
		},
		{
			name: "unknown type",
			item: item("1", "<Type>Int\u00A0 8</Type>"),
			faults: []string{
				`error: f.xml: 3999/1: the type "Int 8" is unknown, write String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, Objlnk or Corelnk`,
			},
		},
		{
			name: "multiplicity missing and unknown",
			item: item("1", "<MultipleInstances/><Mandatory>perhaps</Mandatory>"),
			faults: []string{
				`error: f.xml: 3999/1: <Mandatory> is "perhaps", write Mandatory or Optional`,
				"warning: f.xml: 3999/1: <MultipleInstances> is missing or empty and read as Single, write Multiple or Single",
			},
		},
		{
			name:   "no name",
			item:   item("1", "<Name>\u00A0</Name>"),
			faults: []string{"error: f.xml: 3999/1: the resource has no name, give it one"},
		},
		{
			name: "very long name",
			item: item("1", "<Name>"+strings.Repeat("ä", 200)+"</Name>"),
			faults: []string{
				`error: f.xml: 3999/1: the name "` + strings.Repeat("ä", 30) +
					`"... is longer than 255 bytes, shorten it`,
			},
		},
		{
			name:   "no ID",
			item:   "<Item><Name>Value</Name></Item>",
			faults: []string{`error: f.xml: 3999: <Item> number 1 has no ID, write it as an attribute, such as <Item ID="5700">`},
		},
		{
			name:   "ID of another namespace",
			item:   `<Item xml:ID="7" Id="5"><Name>Value</Name><Operations>E</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory></Item>`,
			want:   &registry.Resource{ID: 5, Name: "Value", Ops: registry.E},
			faults: nil,
		},
		{
			name: "ID out of bounds",
			item: item("0", "") + item("65536", ""),
			faults: []string{
				`error: f.xml: 3999: the ID "65536" of <Item> number 2 is not a number up to 65534, correct it`,
			},
		},
		{
			name:   "reserved ID",
			item:   item("65535", ""),
			faults: []string{"error: f.xml: 3999/65535: the resource ID 65535 is reserved, use another"},
		},
		{
			name:   "exact copy",
			item:   item("2", "<Type>Time</Type>") + item("2", "<Type>Time</Type>"),
			want:   &registry.Resource{ID: 2, Name: "Value", Ops: registry.R, Type: registry.Time},
			faults: []string{"warning: f.xml: 3999/2: the resource is defined twice in the same way, remove one"},
		},
		{
			name:   "two resources with one ID",
			item:   item("2", "") + item("2", "<Type>Time</Type>"),
			faults: []string{"error: f.xml: 3999/2: the resource is defined twice in different ways, remove one, or give it another ID"},
		},
		{
			name: "unknown elements",
			item: item("2", "<Color>red</Color> stray ") + "<Extra/> text ",
			want: &registry.Resource{ID: 2, Name: "Value", Ops: registry.R, Type: registry.Integer},
			faults: []string{
				`warning: f.xml: 3999: the element <Extra> is unknown and left out, remove it`,
				`warning: f.xml: 3999: the text "text" is outside of any element and left out, remove it`,
				`warning: f.xml: 3999/2: the element <Color> is unknown and left out, remove it`,
				`warning: f.xml: 3999/2: the text "stray" is outside of any element and left out, remove it`,
			},
		},
		{
			name:   "one element twice",
			item:   item("2", "<Units>V</Units><Units>V</Units><Name>A</Name><Name>B</Name>"),
			faults: []string{`error: f.xml: 3999/2: there is a second element <Name> with another text, remove one`},
		},
		{
			name: "range that is not understood",
			item: item("2", "<RangeEnumeration>255</RangeEnumeration>"),
			want: &registry.Resource{ID: 2, Name: "Value", Ops: registry.R, Type: registry.Integer, RangeText: "255"},
			faults: []string{
				`warning: f.xml: 3999/2: the range "255" stays documentation: one number may be a limit, a size or the only value, write a..b, or a list of values such as 0, 5, 10`,
			},
		},
		{
			name: "enumerations",
			item: item("2", "<RangeEnumeration>\n\t0: off \n\t1: on - all the time\n</RangeEnumeration><Description>The state.</Description>"),
			want: &registry.Resource{
				ID: 2, Name: "Value", Ops: registry.R, Type: registry.Integer,
				RangeText: "0: off; 1: on - all the time", Range: registry.OneOf(0, 1),
				Enum:        []registry.EnumValue{{Value: 0, Name: "off"}, {Value: 1, Name: "on", Doc: "all the time"}},
				Description: "The state.",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, faults := ReadBytes("f.xml", []byte(definition(head, test.item)))
			var want []registry.Object
			if test.want != nil {
				want = []registry.Object{probe(func(o *registry.Object) { o.Resources = []registry.Resource{*test.want} })}
			}
			if diff := cmp.Diff(want, withoutLines(objects)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.faults, texts(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestObjectFaults changes the head of an object. The object stays usable unless left is set.
func TestObjectFaults(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		left           bool
		version        registry.Version
		faults         []string
	}{
		{
			name: "version of one number", old: "<ObjectVersion>1.1", new: "<ObjectVersion>1",
			version: registry.V(1, 0),
			faults: []string{
				`warning: f.xml: 3999: the ObjectVersion "1" has no minor number and is read as 1.0, write major.minor, such as 1.0`,
				`warning: f.xml: 3999: the URN "urn:oma:lwm2m:ext:3999:1.1" names version 1.1 but the object has version 1.0, which is used, let <ObjectURN> and <ObjectVersion> agree`,
			},
		},
		{
			name: "no version", old: "<ObjectVersion>1.1", new: "<ObjectVersion>latest", left: true,
			faults: []string{`error: f.xml: 3999: the ObjectVersion "latest" is not a version, 1.1 is used instead, write major.minor, such as 1.0`},
		},
		{
			name: "version before the first", old: "1.1<", new: "0.2<", version: registry.V(0, 2),
		},
		{
			name: "URN without the version", old: ":1.1", new: "", version: registry.V(1, 1),
			faults: []string{`warning: f.xml: 3999: the URN "urn:oma:lwm2m:ext:3999" names version 1.0 but the object has version 1.1, which is used, let <ObjectURN> and <ObjectVersion> agree`},
		},
		{
			name: "URN of another object", old: "ext:3999", new: "ext:3303", version: registry.V(1, 1),
			faults: []string{`warning: f.xml: 3999: the URN "urn:oma:lwm2m:ext:3303:1.1" names object 3303, let <ObjectURN> and <ObjectID> agree`},
		},
		{
			name: "URN of another form", old: "urn:oma:lwm2m:ext", new: "urn:oma:dm", version: registry.V(1, 1),
			faults: []string{`warning: f.xml: 3999: the URN "urn:oma:dm:3999:1.1" is not of the form urn:oma:lwm2m:...:ID:version, correct it`},
		},
		{
			name: "no URN", old: "urn:oma:lwm2m:ext:3999:1.1", new: " ", version: registry.V(1, 1),
			faults: []string{`warning: f.xml: 3999: the object has no URN, write urn:oma:lwm2m:...:3999:1.1 into <ObjectURN>`},
		},
		{
			name: "no ID", old: "<ObjectID>3999", new: "<ObjectID>", left: true,
			faults: []string{`error: f.xml: an object has no ID, write a number up to 65534 into <ObjectID>`},
		},
		{
			name: "ID in words", old: "<ObjectID>3999", new: "<ObjectID>4k", left: true,
			faults: []string{`error: f.xml: the object ID "4k" is not a number up to 65534, correct <ObjectID>`},
		},
		{
			name: "reserved ID", old: "3999", new: "65535", left: true,
			faults: []string{`error: f.xml: 65535: the object ID 65535 is reserved, use another`},
		},
		{
			name: "no name", old: "Probe", new: "", left: true,
			faults: []string{`error: f.xml: 3999: the object has no name, give it one`},
		},
		{
			name: "unknown element", old: "<Mandatory>", new: "<Owner>me</Owner><Mandatory>", version: registry.V(1, 1),
			faults: []string{`warning: f.xml: 3999: the element <Owner> is unknown and left out, remove it`},
		},
		{
			name: "second resources", old: "<Mandatory>", new: "<Resources/><Mandatory>", left: true,
			faults: []string{
				`error: f.xml: 3999: the object has no resources, list them in <Resources>, each in an <Item>`,
				`error: f.xml: 3999: there is a second <Resources>, put all items into one`,
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, faults := ReadBytes("f.xml",
				[]byte(definition(strings.ReplaceAll(head, test.old, test.new), item("0", ""))))
			if diff := cmp.Diff(test.faults, texts(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			switch {
			case test.left && len(objects) > 0:
				t.Errorf("the object was used: %v", objects)
			case !test.left && (len(objects) != 1 || objects[0].Version != test.version):
				t.Errorf("got %v, want one object in version %v", objects, test.version)
			}
		})
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("the disk is gone")
	objects, faults, err := Read("f.xml", iotest.ErrReader(broken))
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "f.xml: ") || objects != nil || faults != nil {
		t.Errorf("got %v, %v, %v", objects, faults, err)
	}
}
