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

// Every package that a program can import has an example in its documentation. Generated ones are
// alike, and shown by those of runtime/dm.
func TestEveryPackageHasAnExample(t *testing.T) {
	packages := 0
	for _, room := range []string{"../registry", "../gen", "../net", "../runtime"} {
		err := filepath.WalkDir(room, func(dir string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return err
			case d.Name() == "internal" || d.Name() == "testdata":
				return filepath.SkipDir
			}
			public, shown := api(t, dir)
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

// api reports whether a folder has a package with something to call, and one of its examples.
func api(t *testing.T, dir string) (public, shown bool) {
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
