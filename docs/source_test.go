package docs_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	commentColumns = 100 // the column at which a comment ends, a tab counting 4
	fileLines      = 500 // the most lines of a file
)

// Comments end at column 100 in the whole repository. Lines with a URL, directives (//go:generate,
// //nolint), the expected output of examples and generated files are exempt.
func TestCommentsEndAtColumn100(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, n := range longComments(read(t, filepath.Join("..", file))) {
			t.Errorf("%s:%d: the comment ends beyond column %d", file, n, commentColumns)
		}
	}
}

// A file is one concept, and short enough to read in one go.
func TestFilesAreShort(t *testing.T) {
	for _, file := range goFiles(t) {
		if n := strings.Count(read(t, filepath.Join("..", file)), "\n"); n >= fileLines {
			t.Errorf("%s has %d lines: split it below %d", file, n, fileLines)
		}
	}
}

func TestLongCommentsAreFound(t *testing.T) {
	long := strings.Repeat("x", commentColumns)
	for src, want := range map[string][]int{
		"package p\n\n// " + long + "\n":                                      {3},
		"package p\n\nvar a = 1 // " + long + "\n":                            {3},
		"package p\n\n/*\nshort\n" + long + "x\n*/\n":                         {5},
		"package p\n\n// " + long[:97] + "\n":                                 nil,
		"package p\n\n\t// " + long[:94] + "\n":                               {3},
		"package p\n\n// https://" + long + "\n":                              nil,
		"package p\n\n//go:generate " + long + "\n":                           nil,
		"package p\n\nvar a = `\n// " + long + "\n`\n":                        nil,
		"package p\n\nvar a = \"" + long + "\" //nolint:x\n":                  nil,
		"package p\n\n// Output:\n// " + long + "\n":                          nil,
		"package p\n\n// Ends.\n\n// Output: a\nvar a int\n// " + long + "\n": {7},
	} {
		if got := longComments(src); !slices.Equal(got, want) {
			t.Errorf("long comments in lines %v, want %v, of:\n%s", got, want, src)
		}
	}
}

// goFiles returns the Go files of the repository that people write, below its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != ".." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go"):
			return nil
		}
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(string(source), "// Code generated ") {
			files = append(files, strings.TrimPrefix(filepath.ToSlash(file), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 300 {
		t.Fatalf("only %d Go files were found", len(files))
	}
	return files
}

// longComments returns the numbers of the lines in which a comment ends beyond commentColumns.
func longComments(source string) []int {
	var (
		s       scanner.Scanner
		numbers []int
		output  int // the line of the last comment that is an example's expected output
	)
	file := token.NewFileSet().AddFile("", -1, len(source))
	lines := strings.Split(source, "\n")
	s.Init(file, []byte(source), nil, scanner.ScanComments)
	for {
		pos, kind, text := s.Scan()
		if kind == token.EOF {
			return numbers
		}
		if kind != token.COMMENT {
			continue
		}
		first := file.Line(pos)
		if isOutput(text) || output > 0 && first == output+1 {
			output = first
			continue
		}
		for i := range strings.Split(text, "\n") {
			if line := lines[first-1+i]; columns(line) > commentColumns && !isDirective(text) && !strings.Contains(line, "://") {
				numbers = append(numbers, first+i)
			}
		}
	}
}

func isOutput(comment string) bool {
	return strings.HasPrefix(comment, "// Output:") || strings.HasPrefix(comment, "// Unordered output:")
}

// isDirective reports whether a comment is for a tool, such as //go:build and //nolint.
func isDirective(comment string) bool {
	return strings.HasPrefix(comment, "//") && len(comment) > 2 && comment[2] >= 'a' && comment[2] <= 'z'
}

// columns returns the width of a line, in which a tab counts 4.
func columns(line string) int {
	return len([]rune(line)) + 3*strings.Count(line, "\t")
}
