package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	exported = regexp.MustCompile(`(?m)^(func (\(\w* ?\*?[A-Z]\w*\) )?[A-Z]|type [A-Z])`)
	example  = regexp.MustCompile(`(?m)^func Example`)
)

// TestEveryPackageHasAnExample checks the documentation of every public package. Generated packages
// are alike, and the examples of runtime/dm show them.
func TestEveryPackageHasAnExample(t *testing.T) {
	packages := 0
	for _, top := range []string{"../registry", "../gen", "../net", "../runtime"} {
		err := filepath.WalkDir(top, func(dir string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return err
			case d.Name() == "internal" || d.Name() == "testdata":
				return filepath.SkipDir
			}
			public, shown := examplesOf(t, dir)
			if public {
				packages++
			}
			if public && !shown {
				t.Errorf("%s has no example", strings.TrimPrefix(filepath.ToSlash(dir), "../"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if packages < 20 {
		t.Errorf("only %d packages were found", packages)
	}
}

// examplesOf reports whether a folder holds a package with exported functions or types, and whether
// the package has an example.
func examplesOf(t *testing.T, dir string) (public, shown bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			shown = shown || example.Match(source)
		} else {
			public = public || exported.Match(source)
		}
	}
	return public, shown
}
