package docs_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNoTypeShowsSecrets prints every exported type of every public package, with a key in each of
// its fields that holds one, by testdata/secrets.go.txt, which finds the fields by reflection.
func TestNoTypeShowsSecrets(t *testing.T) {
	var imports, types strings.Builder
	for i, dir := range append(publicPackages(t), "generated/security") {
		list := exportedTypes(t, dir)
		if len(list) > 0 {
			fmt.Fprintf(&imports, "\tp%d %q\n", i, "github.com/lwm2mgen/toolkit/"+dir)
		}
		for _, name := range list {
			fmt.Fprintf(&types, "\treflect.TypeFor[p%d.%s](),\n", i, name)
		}
	}
	program, err := os.ReadFile(filepath.Join("testdata", "secrets.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	source := strings.NewReplacer("// IMPORTS", imports.String(), "// TYPES", types.String()).Replace(string(program))
	dir, err := filepath.Abs("secretsprobe") // it exists in the overlay only
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	overlay := filepath.Join(filepath.Dir(file), "overlay.json")
	files, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(dir, "main.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{file: []byte(source), overlay: files} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay, "./secretsprobe").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// exportedTypes returns the exported types of a package that are not interfaces. Generic ones come
// with a secret as argument.
func exportedTypes(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				ts, ok := s.(*ast.TypeSpec)
				if !ok || !ts.Name.IsExported() {
					continue
				}
				if _, ok := ts.Type.(*ast.InterfaceType); ok {
					continue
				}
				name := ts.Name.Name
				if ts.TypeParams != nil {
					name += "[secret]"
				}
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
