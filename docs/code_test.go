package docs_test

import (
	"os"
	"strings"
	"testing"
)

// compiled says in which files the Go code of each page stands; those compile. The quick start's code
// is compiled and run by TestQuickStart.
var compiled = map[string][]string{
	"../README.md":    {"snippets_test.go"},
	"coap.md":         {"snippets_test.go"},
	"formats.md":      {"snippets_test.go"},
	"loop.md":         {"snippets_test.go", "poll_linux_test.go"},
	"management.md":   {"snippets_test.go"},
	"testing.md":      {"testing_test.go"},
	"objects.md":      {"../examples/objects/main.go", "../examples/objects/main_test.go", "../runtime/dm/example_test.go", "keep_test.go"},
	"porting.md":      {"snippets_test.go"},
	"registration.md": {"snippets_test.go", "poll_linux_test.go"},
}

// The Go code of a page is that of files which compile, lines and order alike. Indentation and comments
// may differ.
func TestCode(t *testing.T) {
	for page, files := range compiled {
		var sources []string
		for _, file := range files {
			sources = append(sources, code(read(t, file)))
		}
		blocks := goBlocks(read(t, page))
		for _, block := range blocks {
			found := false
			for _, s := range sources {
				found = found || strings.Contains(s, code(block))
			}
			if !found {
				t.Errorf("this code of %s stands in none of %q:\n%s", page, files, block)
			}
		}
		if len(blocks) == 0 {
			t.Errorf("%s has no code", page)
		}
	}
}

// Every page with Go code is looked at.
func TestPages(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".md") || name == "quickstart.md" || compiled[name] != nil {
			continue
		}
		if n := len(goBlocks(read(t, name))); n > 0 {
			t.Errorf("%s has %d pieces of Go code that nothing compiles", name, n)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// goBlocks returns the fenced Go code of a page.
func goBlocks(page string) []string {
	var blocks []string
	for i, part := range strings.Split(page, "```") {
		if block, ok := strings.CutPrefix(part, "go\n"); ok && i%2 == 1 {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// code returns the lines without indentation, alignment and comments. Directives such as go:generate
// are comments, too.
func code(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if at := comment(line); at >= 0 {
			line = line[:at]
		}
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// comment returns where a line's comment begins, or -1. The // of a URI is none.
func comment(line string) int {
	for from := 0; ; {
		at := strings.Index(line[from:], "//")
		if at < 0 {
			return -1
		}
		at += from
		if at == 0 || line[at-1] != ':' {
			return at
		}
		from = at + 2
	}
}
