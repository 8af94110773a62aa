package omaxml

import (
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/registry"
)

// TestHostile reads malicious files and files of other formats.
func TestHostile(t *testing.T) {
	plain := definition(head, value)
	doctype := func(subset string) string {
		return strings.Replace(plain, "<LWM2M ", "<!DOCTYPE LWM2M "+subset+">\n<LWM2M ", 1)
	}
	const (
		noDoctype = "error: f.xml: the file has a document type declaration, remove it: definitions need none, and entities are not expanded"
		large     = "error: f.xml: the file has more tags or attributes than any object definition needs, split it into one file per object"
	)
	for _, test := range []struct {
		name, file, want string
	}{
		{
			"billion laughs",
			strings.Replace(doctype(`[<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]`),
				"A probe.", "&c;", 1),
			noDoctype,
		},
		{
			"external entity",
			strings.Replace(doctype(`[<!ENTITY x SYSTEM "file:///etc/passwd">]`), "A probe.", "&x;", 1),
			noDoctype,
		},
		{"external subset", doctype(`SYSTEM "http://localhost/LWM2M.dtd"`), noDoctype},
		{"parameter entity", doctype(`[<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]`), noDoctype},
		{
			"undeclared entity", strings.Replace(plain, "A probe.", "&nbsp;", 1),
			"error: f.xml: the file is not well-formed XML: invalid character entity &nbsp;, correct it",
		},
		{
			"endless entity name", "<LWM2M>&" + strings.Repeat("ä", 1<<16) + ";</LWM2M>",
			"error: f.xml: the file is not well-formed XML: invalid character entity &" +
				strings.Repeat("ä", 77) + "..., correct it",
		},
		{"too large", plain + strings.Repeat(" ", MaxSize),
			"error: f.xml: the file is larger than 4194304 bytes, split it into one file per object"},
		{"too many tags", strings.Replace(plain, "<Resources>", "<Resources>"+
			strings.Repeat("<a/>", maxTags), 1), large},
		{"too many comments", strings.Repeat("<!---->", maxTags) + plain, large},
		{"too many attributes", strings.Replace(plain, "<Item ", "<Item "+
			strings.Repeat(`a="" `, maxAttributes), 1), large},
		{
			"too deep", strings.Repeat("<LWM2M>", 1<<15) + strings.Repeat("</LWM2M>", 1<<15),
			"error: f.xml: elements are nested more than 16 deep, follow the structure of LWM2M.xsd",
		},
		{"empty", "", "error: f.xml: the file has no elements, let it hold a <LWM2M> element with <Object> elements"},
		{"no XML", "ID,Name\n3303,Temperature\n",
			"error: f.xml: the file has no elements, let it hold a <LWM2M> element with <Object> elements"},
		{"another root", "<html><body/></html>",
			`error: f.xml: the root element is <html>, let it be <LWM2M>, as LWM2M.xsd has it`},
		{"two roots", plain + "<LWM2M/>", `error: f.xml: there is a second root element <LWM2M>, put everything into one <LWM2M> element`},
		{"no objects", "<LWM2M/>", "error: f.xml: the file defines no object, let <LWM2M> hold an <Object> element"},
		{"unclosed", plain[:len(plain)-len("</LWM2M>")],
			"error: f.xml: the element <LWM2M> is not closed, write </LWM2M> where it ends"},
		{"closed twice", plain + "</LWM2M>", "error: f.xml: </LWM2M> closes no element, remove it"},
		{"crossed", "<LWM2M><Object></LWM2M></Object>",
			"error: f.xml: </LWM2M> comes before the end of <Object> in line 1, close <Object> first"},
		{
			"not UTF-8", strings.Replace(plain, "A probe.", "A\xFFprobe.", 1),
			"error: f.xml: the file is not well-formed XML: invalid UTF-8, correct it",
		},
		{
			"null", strings.Replace(plain, "A probe.", "A\x00probe.", 1),
			"error: f.xml: the file is not well-formed XML: illegal character code U+0000, correct it",
		},
		{"UTF-16 little-endian", "\xFF\xFE<\x00L\x00", "error: f.xml: the file is in UTF-16, save it as UTF-8"},
		{"UTF-16 big-endian", "\xFE\xFF\x00<\x00L", "error: f.xml: the file is in UTF-16, save it as UTF-8"},
		{"EBCDIC", strings.Replace(plain, "UTF-8", "IBM037", 1),
			`error: f.xml: the file declares the encoding "IBM037", save it as UTF-8`},
		{
			"decoders on decoders", "<?xml version='1.0' encoding='latin1'?>" +
				strings.Repeat("<?xml version='1.0' encoding='latin1'?>", 1000) + "<LWM2M/>",
			`error: f.xml: the file declares the encoding "latin1", save it as UTF-8`,
		},
		{
			"another XML", strings.Replace(plain, `version="1.0"`, `version="2.0"`, 1),
			`error: f.xml: the file is not well-formed XML: xml: unsupported version "2.0"; only version 1.0 is supported, correct it`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, faults := ReadBytes("f.xml", []byte(test.file))
			if len(objects) != 0 {
				t.Errorf("%d objects", len(objects))
			}
			if diff := cmp.Diff([]string{test.want}, texts(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEndlessReader stops after the size of the largest file on a reader that never ends.
func TestEndlessReader(t *testing.T) {
	r := &endless{}
	_, faults, err := Read("f.xml", r)
	if err != nil || len(faults) != 1 || faults[0].Severity != registry.Error {
		t.Errorf("got %v, %v", faults, err)
	}
	if r.n > 2*MaxSize {
		t.Errorf("%d bytes were read", r.n)
	}
}

type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	for i := range p {
		p[i] = '<'
	}
	return len(p), nil
}

// TestPrefixes reads every prefix of a file: all but the whole file are refused.
func TestPrefixes(t *testing.T) {
	file := strings.TrimSpace(definition(head, value))
	for n := range len(file) {
		if objects, faults := ReadBytes("f.xml", []byte(file[:n])); len(objects) != 0 || len(faults) == 0 {
			t.Fatalf("%d bytes: %d objects, faults %v", n, len(objects), faults)
		}
	}
}

// TestSlowReader reads single bytes, in every encoding.
func TestSlowReader(t *testing.T) {
	for _, encoding := range []string{"UTF-8", "ISO-8859-1"} {
		file := strings.Replace(definition(head, value), "UTF-8", encoding, 1)
		objects, faults, err := Read("f.xml", iotest.OneByteReader(strings.NewReader(file)))
		if err != nil || faults != nil {
			t.Errorf("%s: %v, %v", encoding, faults, err)
		}
		if diff := cmp.Diff([]registry.Object{probe(nil)}, withoutLines(objects)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", encoding, diff)
		}
	}
}

// TestWorstCases reads the largest files that the limits allow, of every shape, and bounds what
// they allocate. None may take disproportionate time: the test would not end.
func TestWorstCases(t *testing.T) {
	// fill repeats one unit up to size bytes.
	fill := func(unit string, size int) string { return strings.Repeat(unit, size/len(unit)) }
	start, end, _ := strings.Cut(definition(head, "@"), "@")
	// items returns a file of some items with texts of the largest length.
	items := func(description, span string) string {
		i := item("1", "<Description>"+description+"</Description><RangeEnumeration>"+span+"</RangeEnumeration>")
		return start + strings.Repeat(i, 2) + end
	}
	for name, file := range map[string]string{
		"elements":       start + strings.Repeat("<a/>", maxTags-200) + end,
		"empty items":    start + strings.Repeat("<Item/>", maxTags-200) + end,
		"attributes":     "<LWM2M " + strings.Repeat(`a="" `, maxAttributes) + "/>",
		"long attribute": "<LWM2M " + strings.Repeat("a", MaxSize/8) + "=''/>",
		"objects": "<LWM2M>" + strings.Repeat("<Object><Name>a</Name><ObjectID>1</ObjectID></Object>",
			maxTags/6-1) + "</LWM2M>",
		"long name": "<LWM2M><Object><Name>" + fill("ä", MaxSize/8) + "</Name></Object></LWM2M>",
		"long ID": "<LWM2M><Object><Resources><Item ID='" + fill("1", MaxSize/8) +
			"'/></Resources></Object></LWM2M>",
		"long description": start + item("1", "<Description>"+fill("0: a\n", MaxSize/4)+"</Description>") + end,
		"long range":       start + item("1", "<RangeEnumeration>"+fill("1,", MaxSize/8)+"</RangeEnumeration>") + end,
		"blanks":           items(fill(" ", maxText), ""),
		"line ends":        items(fill("\n", maxText), ""),
		"spelt line ends":  items(fill(`\n\t`, maxText), ""),
		"values on lines":  items(fill("0: a\n", maxText), ""),
		"values in a line": items(fill("0: a,", maxText), ""),
		"sentences":        items(fill("0: a. ", maxText), ""),
		"lines that go on": items(fill("0: a\nb\n", maxText), ""),
		"digits":           items(fill("1", maxText), ""),
		"brackets":         items("0: a"+fill("(", maxText-20)+"\n1: b", ""),
		"more brackets":    items("0: a"+fill("()", maxText-20)+"\n1: b", ""),
		"range of commas":  items("", fill("1,", maxText)),
		"range of numbers": items("", fill("1.5,", maxText)),
		"range of dots":    items("", fill(".", maxText)),
		"range of names":   items("", fill("0: a\n", maxText)),
		"range of digits":  items("", fill("1", maxText)),
		"range of lines":   items("", fill("\n", maxText)),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, faults := ReadBytes("f.xml", []byte(file))
			runtime.ReadMemStats(&after)
			if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 128 {
				t.Errorf("%d bytes took %d MB", len(file), used)
			}
			for _, f := range faults {
				if len(f.Error()) > 1000 {
					t.Fatalf("a fault of %d bytes: %.100s", len(f.Error()), f.Error())
				}
			}
		})
	}
}
