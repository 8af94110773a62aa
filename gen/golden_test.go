package gen_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

var update = flag.Bool("update", false, "rewrite the golden files, and fail")

// TestGolden generates from the XML files and the names file of each folder of testdata. It
// compares the packages with the golden packages in the folder, and the faults with faults.txt.
// TestGoldenCompiled compiles the packages.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/*.xml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for i := range cases {
		cases[i] = filepath.Dir(cases[i])
	}
	for _, dir := range slices.Compact(cases) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			files, faults := generateFolder(t, dir)
			got := map[string]string{}
			for _, f := range files {
				got[f.Path] = string(f.Content)
			}
			if text := faultText(faults); text != "" {
				got["faults.txt"] = text
			}
			if *update {
				rewrite(t, dir, got)
			}
			if diff := cmp.Diff(readGolden(t, dir), got); diff != "" {
				t.Errorf("the output differs from the golden files (-want +got); accept with: go test ./gen -update\n%s", diff)
			}
		})
	}
	if *update {
		t.Fatal("golden files rewritten; run again without -update")
	}
}

// generateFolder generates from the XML files and the names file of a folder.
func generateFolder(t *testing.T, dir string) ([]gen.File, []registry.Fault) {
	t.Helper()
	defs, faults := load(t, dir)
	var o gen.Options
	if text, err := os.ReadFile(filepath.Join(dir, "names")); err == nil {
		if o.Names, err = gen.ParseNames("names", text); err != nil {
			t.Fatal(err)
		}
	}
	faults = slices.DeleteFunc(faults, o.Names.Settles)
	files, more := gen.Generate(defs, o)
	return files, append(faults, more...)
}

// load reads the XML files of a folder.
func load(t testing.TB, dir string) (defs []gen.Definition, faults []registry.Fault) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		objects, more := omaxml.ReadBytes(filepath.Base(path), data)
		faults = append(faults, more...)
		for _, o := range objects {
			defs = append(defs, gen.Definition{File: path, Object: o})
		}
	}
	return defs, faults
}

func faultText(faults []registry.Fault) string {
	var b strings.Builder
	for _, f := range faults {
		f.File = filepath.Base(f.File)
		b.WriteString(f.Error() + "\n")
	}
	return b.String()
}

func readGolden(t *testing.T, dir string) map[string]string {
	t.Helper()
	want := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, filepath.Join(dir, "faults.txt")) {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			t.Fatal(err)
		}
		want[filepath.ToSlash(rel)] = string(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	}
	return want
}

func rewrite(t *testing.T, dir string, got map[string]string) {
	t.Helper()
	for path := range readGolden(t, dir) {
		if got[path] == "" {
			if err := os.Remove(filepath.Join(dir, path)); err != nil {
				t.Error(err)
			}
		}
	}
	for path, text := range got {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// TestShortDocs checks that short comments hold the first sentence of a description, and that a cut
// one ends in an ellipsis.
func TestShortDocs(t *testing.T) {
	defs, _ := load(t, "testdata/documentation")
	long := strings.Repeat("many words and ", 20)
	defs[0].Object.Resources[0].Description = "It has " + long
	files, _ := gen.Generate(defs, gen.Options{Docs: gen.DocsShort})
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	source := string(files[0].Content)
	for _, want := range []string{
		"// descriptions are long.\npackage manual\n",
		"words and many words and …\n\tParagraphs ",
		"\t// List (1, R, optional): what the pump does.\n",
		"\t// Filler (2, R, optional): …\n\tFiller ",
		"= 0 // \"nolint: nothing is to be done\"\n",
	} {
		if !strings.Contains(source, want) {
			t.Errorf("short comments lack %q", want)
		}
	}
	if t.Failed() {
		t.Log(source)
	}
}
