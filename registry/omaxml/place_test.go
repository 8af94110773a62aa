package omaxml

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestLines checks that every fault names the line that has to be changed.
func TestLines(t *testing.T) {
	const start = `<LWM2M>
<Object>
<Name>Probe</Name>
<ObjectID>42769</ObjectID>
<ObjectURN>urn:oma:lwm2m:x:42769</ObjectURN>
<MultipleInstances>Multiple</MultipleInstances>
<Mandatory>Optional</Mandatory>
`
	const items = `<Resources>
<Item ID="0">
<Name>Level</Name>
<Operations>RW</Operations>
<MultipleInstances>Single</MultipleInstances>
<Mandatory>Optional</Mandatory>
<Type>Integer</Type>
<RangeEnumeration>0..5</RangeEnumeration>
</Item>
</Resources>
`
	const end = "</Object>\n</LWM2M>\n"
	plain := start + items + end
	for _, test := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},
		{"a tag that is not closed", "<Name>Level</Name>", "<Name>Level",
			"16: error: </Item> comes before the end of <Name> in line 10, close <Name> first"},
		{"a tag that is closed by another", "</Operations>", "</Operation>",
			"11: error: </Operation> comes before the end of <Operations> in line 11, close <Operations> first"},
		{"an item that is not closed", "</Item>\n", "",
			"16: error: </Resources> comes before the end of <Item> in line 9, close <Item> first"},
		{"a file that ends early", end, "", "2: error: the element <Object> is not closed, write </Object> where it ends"},
		{"a tag too much", end, end + "</LWM2M>", "20: error: </LWM2M> closes no element, remove it"},
		{"an entity", "<Name>Level", "<Name>\nLe&vel;",
			"11: error: the file is not well-formed XML: invalid character entity &vel;, correct it"},
		{"<resources>", "Resources>", "resources>", "8: error: 42769: the element <resources> is misspelt, write <Resources>"},
		{"<item>", "Item", "item", "9: error: 42769: the element <item> is misspelt, write <Item>"},
		{"<MultipleInstance>", "MultipleInstances>S", "MultipleInstance>S", "12: error"},
		{"<Untis>", "</Item>", "<Untis>V</Untis>\n</Item>", "16: error: 42769/0: the element <Untis> is misspelt, write <Units>"},
		{"<Description> of an object", "<Resources>", "<Description>x</Description><Resources>",
			"8: error: 42769: the element <Description> is misspelt, write <Description1>"},
		{"an element of one's own", "</Item>", "<Colour/>\n</Item>",
			"16: warning: 42769/0: the element <Colour> is unknown and left out, remove it"},
		{"an attribute twice", `ID="0"`, `ID="0" ID="1"`, "9: error: 42769: the attribute ID of <Item> occurs twice, remove one"},
		{"nested resources", "<Item ID=\"0\">", "<Resources>\n</Resources>\n<Item ID=\"0\">",
			"9: error: 42769: the element <Resources> is within <Resources>, let <Object> hold it"},
		{"a nested item", "<Type>", "<Item ID=\"1\"/>\n<Type>",
			"14: error: 42769/0: the element <Item> is within <Item>, let <Resources> hold it"},
		{"no resources", items, "", "2: error: 42769: the object has no resources, list them in <Resources>, each in an <Item>"},
		{"blank resources", items, "<Resources>\n</Resources>",
			"8: error: 42769: the object has no resources, list them in <Resources>, each in an <Item>"},
		{"no ID", " ID=\"0\"", "", "9: error: 42769: <Item> number 1 has no ID, write it as an attribute, such as <Item ID=\"5700\">"},
		{"no operations", "<Operations>RW</Operations>\n", "", "9: warning: 42769/0: <Operations> is missing"},
		{"an unknown type", "Integer", "Int", "14: error: 42769/0: the type \"Int\" is unknown"},
		{"a range in words", "0..5", "a few", "15: warning: 42769/0: the range \"a few\" stays documentation"},
		{"swapped bounds of one's own", "0..5", "500..0", "15: error: 42769/0: the bounds of the range \"500..0\" are swapped"},
		{"a wrong version of one's own", "<Name>Probe", "<ObjectVersion>one</ObjectVersion><Name>Probe",
			"3: error: 42769: the ObjectVersion \"one\" is not a version, 1.0 is used instead, write major.minor, such as 1.0"},
		{"a wrong version of LwM2M", "<Name>Probe", "<LWM2MVersion>2.0.1</LWM2MVersion><Name>Probe",
			"3: error: 42769: the LWM2MVersion \"2.0.1\" is not a version, 1.0 is used instead, write major.minor, such as 1.0"},
		{"another URN", "x:42769", "x:42770", "5: warning: 42769: the URN \"urn:oma:lwm2m:x:42770\" names object 42770"},
		{"no name", "<Name>Level</Name>", "", "9: error: 42769/0: the resource has no name, give it one"},
		{"text", "<Type>", "\n\nwords\n<Type>", "16: warning: 42769/0: the text \"words\" is outside of any element and left out, remove it"},
		{"a resource twice", "</Resources>", items[len("<Resources>\n"):len(items)-len("</Resources>\n")] + "</Resources>",
			"17: warning: 42769/0: the resource is defined twice in the same way, remove one"},
	} {
		file := strings.ReplaceAll(plain, test.old, test.new)
		if test.old == "" {
			file = plain
		}
		_, faults := ReadBytes("f.xml", []byte(file))
		var got []string
		for _, f := range faults {
			if f.Line == 0 {
				t.Errorf("%s: a fault without a line: %v", test.name, f)
			}
			line, severity := f.Line, f.Severity
			f.File, f.Line = "", 0
			got = append(got, fmt.Sprintf("%d: %v: %v", line, severity, f))
		}
		found := test.want == "" && got == nil
		for _, g := range got {
			found = found || test.want != "" && strings.HasPrefix(g, test.want)
		}
		if !found {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestRegisteredAreRepaired checks that a mistake in a definition that OMA has registered is a
// warning, because nobody else can correct it.
func TestRegisteredAreRepaired(t *testing.T) {
	for _, test := range []struct{ old, new, want string }{
		{"<ObjectVersion>1.1", "<ObjectVersion>latest",
			`warning: f.xml: 3303: the ObjectVersion "latest" is not a version, 1.1 is used instead, write major.minor, such as 1.0`},
		{"<LWM2MVersion>1.1", "<LWM2MVersion>2.0.1",
			`warning: f.xml: 3303: the LWM2MVersion "2.0.1" is not a version, 1.0 is used instead, write major.minor, such as 1.0`},
		{"<RangeEnumeration>", "<RangeEnumeration>500..0",
			`warning: f.xml: 3303/5700: the bounds of the range "500..0" are swapped and read as 0..500, write the lower one first`},
	} {
		file := strings.Replace(definition(strings.ReplaceAll(head, "3999", "3303"), value), test.old, test.new, 1)
		objects, faults := ReadBytes("f.xml", []byte(file))
		if diff := cmp.Diff([]string{test.want}, texts(faults)); diff != "" || len(objects) != 1 {
			t.Errorf("%d objects, faults (-want +got):\n%s", len(objects), diff)
		}
	}
}

func TestManyFaults(t *testing.T) {
	_, faults := ReadBytes("f.xml", []byte("<LWM2M>"+strings.Repeat("<a/>", 5000)+"</LWM2M>"))
	if len(faults) != maxFaults+1 {
		t.Fatalf("%d faults", len(faults))
	}
}

func TestCheckIDs(t *testing.T) {
	const register = ", use an ID from 42769 to 42800 for tests, or ask OMA for one"
	for _, test := range []struct {
		id   uint16
		name string
		want string
	}{
		{3303, "Temperature", ""},
		{3, "device", ""},
		{0, "LWM2M Security", ""},
		{0, "Security", ""},
		{3303, "Heater", "3303: OMA has registered the ID 3303 for the object Temperature" + register},
		{900, "Heater", "900: OMA keeps the IDs from 0 to 1023 for its own objects, and 900 is not registered" + register},
		{2000, "Heater", "2000: OMA keeps the IDs from 1024 to 2047 for the future, and 2000 is not registered" + register},
		{9000, "Heater", "9000: OMA registers the IDs from 2048 to 10240 for standards organisations, and 9000 is not registered" + register},
		{26242, "Heater", "26242: OMA registers the IDs from 10241 to 32768 on request, and 26242 is not registered" + register},
		{32769, "Heater", ""},
		{42769, "Heater", ""},
		{42800, "Heater", ""},
		{42801, "Heater", "42801: OMA keeps the IDs from 42801 to 65534 for the future, and 42801 is not registered" + register},
	} {
		got := ""
		for _, f := range CheckIDs(registry.Object{ID: test.id, Name: test.name}) {
			got += f.Error()
		}
		if got != test.want {
			t.Errorf("%d %s: got %q, want %q", test.id, test.name, got, test.want)
		}
	}
	o := registry.Object{ID: 42769, Name: "Heater", Resources: []registry.Resource{{ID: 2047}, {ID: 26241}, {ID: 32768}, {ID: 32769, Line: 7}}}
	faults := CheckIDs(o)
	if len(faults) != 1 || faults[0].Resource != 32769 || faults[0].Line != 7 {
		t.Errorf("resources: %v", faults)
	}
}

// TestRegisteredList compares the list of registered objects with a copy of OMA's registry.
func TestRegisteredList(t *testing.T) {
	objects, _ := readRegistry(t)
	for id, o := range objects {
		if name := registeredName(id); name != o.Name {
			t.Errorf("object %d is %q in the list and %q in the registry", id, name, o.Name)
		}
		if faults := CheckIDs(o); faults != nil {
			t.Error(faults)
		}
	}
	if lines := strings.Count(registered, "\n"); lines != len(objects)+1 {
		t.Errorf("the list has %d lines for %d objects", lines, len(objects))
	}
}

// TestShippedSpelling checks that the lists of elements are those of the definitions.
func TestShippedSpelling(t *testing.T) {
	data, err := os.ReadFile("../../objects-xml/3303.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(append([]string{}, inObject...), inItem...) {
		if !strings.Contains(string(data), "<"+name+">") {
			t.Errorf("no definition has <%s>", name)
		}
	}
	if len(inObject) > maxFields || len(inItem) > maxFields {
		t.Error("fields has no room for the elements")
	}
}

// TestManyValues bounds the number of values of a file, of which each becomes code.
func TestManyValues(t *testing.T) {
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "%d: a\n", i)
	}
	var items strings.Builder
	for i := range 7 {
		items.WriteString(item(fmt.Sprint(i), "<RangeEnumeration>"+lines.String()+"</RangeEnumeration>"))
	}
	objects, faults := ReadBytes("f.xml", []byte(definition(head, items.String())))
	want := []string{"error: f.xml: 3999/6: the file lists more than 32768 values, write an interval, such as 0..100"}
	if diff := cmp.Diff(want, texts(faults)); diff != "" || len(objects) != 0 {
		t.Errorf("%d objects, faults (-want +got):\n%s", len(objects), diff)
	}
}
