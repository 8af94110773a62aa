package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// standardMethods are the methods of well-known interfaces, by name and signature. They need no
// row.
var standardMethods = map[string]string{
	"As":              "func(any) bool",
	"Close":           "func() error",
	"Enabled":         "func(context.Context, slog.Level) bool",
	"Error":           "func() string",
	"Format":          "func(fmt.State, rune)",
	"GoString":        "func() string",
	"Handle":          "func(context.Context, slog.Record) error",
	"Is":              "func(error) bool",
	"Len":             "func() int",
	"Less":            "func(int, int) bool",
	"LogValue":        "func() slog.Value",
	"MarshalBinary":   "func() ([]byte, error)",
	"MarshalJSON":     "func() ([]byte, error)",
	"MarshalText":     "func() ([]byte, error)",
	"Read":            "func([]byte) (int, error)",
	"ReadAt":          "func([]byte, int64) (int, error)",
	"String":          "func() string",
	"Swap":            "func(int, int)",
	"Temporary":       "func() bool",
	"Timeout":         "func() bool",
	"UnmarshalBinary": "func([]byte) error",
	"UnmarshalJSON":   "func([]byte) error",
	"UnmarshalText":   "func([]byte) error",
	"Unwrap":          "func() error",
	"Write":           "func([]byte) (int, error)",
}

// TestAPI compares the exported identifiers of every public package with its page in docs/api: each
// identifier is in exactly one row, each row has a reason, and no row names what does not
// exist.
func TestAPI(t *testing.T) {
	pages := map[string]bool{"README.md": true}
	for _, dir := range publicPackages(t) {
		page := apiPage(dir)
		pages[page] = true
		t.Run(dir, func(t *testing.T) { comparePage(t, dir, filepath.Join("api", page)) })
	}
	entries, err := os.ReadDir("api")
	if err != nil {
		t.Fatal(err)
	}
	overview := read(t, filepath.Join("api", "README.md"))
	for _, e := range entries {
		if !pages[e.Name()] {
			t.Errorf("docs/api/%s belongs to no public package", e.Name())
		}
		if e.Name() != "README.md" && !strings.Contains(overview, "]("+e.Name()+")") {
			t.Errorf("docs/api/README.md has no link to %s", e.Name())
		}
	}
}

// apiPage returns the name of a package's page in docs/api.
func apiPage(dir string) string { return strings.ReplaceAll(dir, "/", "-") + ".md" }

func comparePage(t *testing.T, dir, page string) {
	for _, fault := range pageFaults(dir, read(t, page), exportedOf(t, dir)) {
		t.Errorf("docs/%s: %s", filepath.ToSlash(page), fault)
	}
}

// pageFaults compares the page of a package with the package's identifiers.
func pageFaults(dir, page string, public identifiers) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if heading := "# " + dir + "\n"; !strings.HasPrefix(page, heading) {
		fault("the page does not begin with %q", heading)
	}
	rows := map[string]int{}
	for _, r := range apiRows(page) {
		if r.reason == "" {
			fault("the row of %q gives no reason", r.names)
		}
		for _, name := range r.names {
			rows[name]++
			if !public.required[name] && !public.optional[name] {
				fault("%s does not exist", name)
			}
			if rows[name] == 2 {
				fault("%s is in more than one row", name)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(public.required)) {
		if rows[name] == 0 {
			fault("%s is missing: give the reason why a user needs it, or unexport it", name)
		}
	}
	return faults
}

func TestFaultsOfPagesAreFound(t *testing.T) {
	public := identifiers{
		required: map[string]bool{"Conn": true, "Conn.Do": true},
		optional: map[string]bool{"Conn.Close": true},
	}
	const head = "# p\n\nA package.\n\n| identifiers | why a user needs them |\n|---|---|\n"
	for page, want := range map[string][]string{
		head + "| `Conn`, `Conn.Do` | it talks |\n":                          nil,
		head + "| `Conn` | it talks |\n| `Conn.Do()`, `Conn.Close` | so |\n": nil,
		head + "| `Conn`, `Conn.Do` | |\n":                                   {`the row of ["Conn" "Conn.Do"] gives no reason`},
		head + "| `Conn`, `Conn.Do` | a |\n| `Conn`, `Gone` | b |\n":         {"Conn is in more than one row", "Gone does not exist"},
		head + "| `Conn` | it talks |\n":                                     {"Conn.Do is missing: give the reason why a user needs it, or unexport it"},
		"# q\n\n| `Conn`, `Conn.Do` | it talks |\n":                          {`the page does not begin with "# p\n"`},
	} {
		if got := pageFaults("p", page, public); !slices.Equal(got, want) {
			t.Errorf("the faults are %q, want %q, of:\n%s", got, want, page)
		}
	}
}

// apiRow is a row of a page in docs/api.
type apiRow struct {
	names  []string
	reason string
}

var backquoted = regexp.MustCompile("`([^`]+)`")

// apiRows returns the rows of the tables of a page that name identifiers.
func apiRows(page string) []apiRow {
	var rows []apiRow
	for line := range strings.Lines(page) {
		cells := strings.SplitN(strings.Trim(strings.TrimSpace(line), "|"), "|", 2)
		if !strings.HasPrefix(line, "|") || len(cells) != 2 {
			continue
		}
		r := apiRow{reason: strings.TrimSpace(cells[1])}
		for _, m := range backquoted.FindAllStringSubmatch(cells[0], -1) {
			r.names = append(r.names, strings.TrimSuffix(m[1], "()"))
		}
		if r.names != nil {
			rows = append(rows, r)
		}
	}
	return rows
}

// publicPackages returns the folders of the packages that a program can import, below the root of
// the module. Generated packages are alike and are left out.
func publicPackages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, top := range []string{"registry", "gen", "net", "runtime"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(dir string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return err
			case d.Name() == "internal" || d.Name() == "testdata":
				return filepath.SkipDir
			}
			name := path.Clean(strings.TrimPrefix(filepath.ToSlash(dir), "../"))
			if e := exportedOf(t, name); len(e.required) > 0 {
				dirs = append(dirs, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(dirs) < 15 {
		t.Fatalf("only %d public packages were found: %q", len(dirs), dirs)
	}
	return dirs
}

// identifiers are the exported identifiers of a package: "Conn" for a package-level one, "Conn.Do"
// for a method.
type identifiers struct {
	// required need a row in docs/api.
	required map[string]bool
	// optional may have one: methods of standard interfaces, and methods and fields of a type's own
	// declaration.
	optional map[string]bool
}

// exportedOf returns the exported identifiers of the package in a folder below the root of the
// module, those of all platforms together.
func exportedOf(t *testing.T, dir string) identifiers {
	t.Helper()
	e := identifiers{required: map[string]bool{}, optional: map[string]bool{}}
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name.Name == "main" {
			return identifiers{}
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				e.addFunc(d)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					e.addSpec(s)
				}
			}
		}
	}
	return e
}

func (e *identifiers) addFunc(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		e.required[d.Name.Name] = true
		return
	}
	receiver := typeName(d.Recv.List[0].Type)
	if !ast.IsExported(receiver) {
		return
	}
	name := receiver + "." + d.Name.Name
	if standardMethods[d.Name.Name] == typeText(d.Type) {
		e.optional[name] = true
	} else {
		e.required[name] = true
	}
}

func (e *identifiers) addSpec(s ast.Spec) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			if n.IsExported() {
				e.required[n.Name] = true
			}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		e.required[s.Name.Name] = true
		var members *ast.FieldList
		switch typ := s.Type.(type) {
		case *ast.StructType:
			members = typ.Fields
		case *ast.InterfaceType:
			members = typ.Methods
		default:
			return
		}
		for _, m := range members.List {
			for _, n := range m.Names {
				if n.IsExported() {
					e.optional[s.Name.Name+"."+n.Name] = true
				}
			}
		}
	}
}

// typeName returns the name of a receiver's type, without a pointer and type parameters.
func typeName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.IndexExpr:
		return typeName(x.X)
	case *ast.IndexListExpr:
		return typeName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// typeText returns a type as text. Parameters of a function have no names in it.
func typeText(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return typeText(x.X) + "." + x.Sel.Name
	case *ast.StarExpr:
		return "*" + typeText(x.X)
	case *ast.ArrayType:
		if x.Len == nil {
			return "[]" + typeText(x.Elt)
		}
	case *ast.FuncType:
		params, results := fieldTypes(x.Params), fieldTypes(x.Results)
		text := "func(" + strings.Join(params, ", ") + ")"
		switch len(results) {
		case 0:
			return text
		case 1:
			return text + " " + results[0]
		}
		return text + " (" + strings.Join(results, ", ") + ")"
	}
	return fmt.Sprintf("%T", x)
}

func fieldTypes(list *ast.FieldList) []string {
	if list == nil {
		return nil
	}
	var types []string
	for _, f := range list.List {
		for range max(len(f.Names), 1) {
			types = append(types, typeText(f.Type))
		}
	}
	return types
}
