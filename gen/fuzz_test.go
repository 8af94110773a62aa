package gen_test

import (
	"go/ast"
	"go/build/constraint"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

// FuzzDocument generates from any bytes: nothing panics, every package is formatted by gofmt and
// passes the type checker, no comment is a directive, and every fault is one line with a place.
// Fuzz it with -fuzzminimizetime=20x, because shrinking documents takes most of the time by
// default.
func FuzzDocument(f *testing.F) {
	for _, seed := range documents {
		f.Add([]byte(seed))
	}
	check := newTypeChecker(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, faults := omaxml.ReadBytes("f.xml", data)
		var defs []gen.Definition
		for _, o := range objects {
			defs = append(defs, gen.Definition{File: "f.xml", Object: o})
		}
		for _, docs := range []gen.Docs{gen.DocsFull, gen.DocsShort} {
			files, more := gen.Generate(defs, gen.Options{Docs: docs})
			checkFaults(t, append(faults, more...))
			for _, file := range files {
				checkSource(t, file)
				checkComments(t, file)
				if docs == gen.DocsFull {
					check(t, file)
				}
			}
		}
	})
}

// documents are the seeds of FuzzDocument: short ones, because every byte costs time.
var documents = []string{
	document("A", item("1", "RW", "Integer", "0..3", "State: 0=off, 1=on, 2=hot, 3=lost.")),
	document("Bit Mask", item("1", "R", "Unsigned Integer", "0: off\n1: on - all day\n2: go:embed", "")),
	document("LwM2M Location", item("1", "R", "Float", "-90..90", "e.g. 3 (m).")+item("2", "E", "", "", "")),
	document("time", item("7", "", "Opaque", "16..32", "A key.\n\nBUG(me): +build\n- one\n- two")),
	document("Object", item("0", "R", "String", `"A", "B"`, "Deprecated: use [x]: y\n# head")),
	document("Tx", item("0", "R", "Time", "", "nolint")+item("1", "W", "Objlnk", "", "0: a\n1: a")),
	document("\u00c4", item("3", "R", "Boolean", "", strings.Repeat(".", 240)+"see manual")),
	document("A", item("1", "R", "Corelnk", "1-64 bytes", "a #b #c")+item("2", "R", "Integer", "0..2^31-1", "")),
}

func document(name, items string) string {
	return "<LWM2M><Object><Name>" + name + "</Name><ObjectID>42769</ObjectID>" +
		"<ObjectURN>urn:oma:lwm2m:x:42769:0.2</ObjectURN><ObjectVersion>0.2</ObjectVersion>" +
		"<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources>" +
		items + "</Resources><Description1>d</Description1></Object></LWM2M>"
}

func item(id, operations, kind, span, description string) string {
	return "<Item ID='" + id + "'><Name>N</Name><Operations>" + operations + "</Operations><Type>" + kind +
		"</Type><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory>" +
		"<RangeEnumeration>" + span + "</RangeEnumeration><Description>" + description + "</Description></Item>"
}

// checkFaults checks that no fault is one of the generator's own, and that each is one line.
func checkFaults(t *testing.T, faults []registry.Fault) {
	t.Helper()
	for _, fault := range faults {
		fault.File = "" // a name may be anything
		s := fault.Error()
		if strings.Contains(s, "report this") {
			t.Fatal(s)
		}
		if len(s) > 2000 || strings.ContainsAny(s, "\r\n") {
			t.Errorf("fault %q", s)
		}
	}
}

// newTypeChecker returns a function that type-checks a generated file. It reads the packages that
// generated code imports from their sources, once and before the first file: that takes seconds,
// and a fuzzed call that takes ten counts as hanging.
func newTypeChecker(tb testing.TB) func(*testing.T, gen.File) {
	tb.Helper()
	imports := importer.ForCompiler(token.NewFileSet(), "source", nil)
	for _, path := range []string{"math", "time", "github.com/lwm2mgen/toolkit/registry", "github.com/lwm2mgen/toolkit/runtime/dm"} {
		if _, err := imports.Import(path); err != nil {
			tb.Fatal(err)
		}
	}
	var lock sync.Mutex
	return func(t *testing.T, f gen.File) {
		t.Helper()
		lock.Lock()
		defer lock.Unlock()
		own := token.NewFileSet() // the other one would grow
		file, err := parser.ParseFile(own, f.Path, f.Content, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		config := types.Config{Importer: imports, GoVersion: "go1.25"}
		if _, err := config.Check(f.Package, own, []*ast.File{file}, nil); err != nil {
			t.Fatalf("%v\n%s", err, f.Content)
		}
	}
}

// directive matches the comments that tools of Go read although a blank follows the slashes.
var directive = regexp.MustCompile(`^/*(\+build\b|[a-z0-9]+:[a-z0-9]|#|@|(?i:nolint|nosec|deprecated:|output:|unordered)|\[[^]]*\]:|[A-Z][A-Z0-9]+\()`)

// checkComments checks that no comment is one that a tool of Go reads.
func checkComments(t *testing.T, f gen.File) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), f.Path, f.Content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			text, isLine := strings.CutPrefix(c.Text, "//")
			if !isLine || text != "" && text[0] != ' ' || constraint.IsPlusBuild(c.Text) || constraint.IsGoBuild(c.Text) {
				t.Errorf("%s has the comment %q", f.Path, c.Text)
			}
			if directive.MatchString(strings.TrimPrefix(text, " ")) {
				t.Errorf("%s has a comment that a tool reads: %q", f.Path, c.Text)
			}
		}
	}
}

// FuzzGenerate checks that no text of a definition makes the output invalid.
func FuzzGenerate(f *testing.F) {
	f.Add("Temperature", "Sensor Value", "The value. More.", "Cel", "0..100", "3303.xml")
	f.Add("a\nb", "*/ panic() /*", "`\"\\n// +build x", "\x00\ufeff", "\u202e", "dir\\x\ny.xml")
	f.Add("", "", "e.g.", "", "", "")
	f.Fuzz(func(t *testing.T, objectName, name, description, units, rangeText, file string) {
		o := registry.Object{ID: 7, Name: objectName, Description: description, URN: units, Multiple: true, Resources: []registry.Resource{
			{ID: 1, Name: name, Ops: registry.RW, Type: registry.Integer, Units: units, RangeText: rangeText, Description: description,
				Enum: []registry.EnumValue{{Value: -1, Name: name, Doc: description}, {Value: 0, Name: units, Doc: rangeText}}},
			{ID: 2, Name: description, Ops: registry.E, Description: name},
			{ID: 3, Name: units, Type: registry.Opaque, Description: rangeText},
		}}
		files, faults := gen.Generate([]gen.Definition{{File: file, Object: o}}, gen.Options{Docs: gen.Docs(len(name) % 2)})
		checkFaults(t, faults)
		for _, file := range files {
			checkSource(t, file)
			checkComments(t, file)
			if strings.Contains(filepath.ToSlash(file.Path), "..") {
				t.Errorf("the path %s leaves the folder", file.Path)
			}
		}
	})
}
