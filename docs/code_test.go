package docs_test

import (
	"os"
	"strings"
	"testing"
)

// compiled names, for each page with Go code, the files that the code is part of. The quick start's
// code is compiled and run by TestQuickStart, and the port of porting.md by TestPort.
var compiled = map[string][]string{
	"../README.md":     {"snippets_test.go"},
	"accesscontrol.md": {"accesscontrol_test.go"},
	"bootstrap.md":     {"bootstrap_test.go"},
	"coap.md":          {"snippets_test.go"},
	"formats.md":       {"snippets_test.go"},
	"loop.md":          {"snippets_test.go", "poll_linux_test.go"},
	"management.md":    {"snippets_test.go"},
	"testing.md":       {"testing_test.go"},
	"objects.md": {"../examples/objects/main.go", "../examples/objects/main_test.go", "../runtime/dm/example_test.go",
		"../runtime/dm/examplechange_test.go", "../runtime/dm/examplelist_test.go", "keep_test.go", "options_test.go"},
	"components.md":      {"components_test.go"},
	"downloads.md":       {"downloads_test.go"},
	"software.md":        {"software_test.go"},
	"updates.md":         {"updates_test.go"},
	"porting.md":         {"snippets_test.go"},
	"standardobjects.md": {"standardobjects_test.go"},
	"persistence.md":     {"persistence_test.go", "packagecode_test.go"},
	"reporting.md":       {"reporting_test.go"},
	"registration.md":    {"snippets_test.go", "poll_linux_test.go"},
	"lifecycle.md":       {"persistence_test.go"},
}

// TestCode checks that the Go code of a page is part of a file that compiles, with the same lines
// in the same order. Only indentation and comments may differ.
func TestCode(t *testing.T) {
	for page, files := range compiled {
		var sources []string
		for _, file := range files {
			sources = append(sources, code(read(t, file)))
		}
		blocks := goBlocks(read(t, page))
		for _, block := range blocks {
			found := page == "porting.md" && isFile(block)
			for _, s := range sources {
				found = found || strings.Contains(s, code(block))
			}
			if !found {
				t.Errorf("this code of %s is in none of %q:\n%s", page, files, block)
			}
		}
		if len(blocks) == 0 {
			t.Errorf("%s has no code", page)
		}
	}
}

// TestEveryPageWithCodeIsCompiled checks that no page with Go code is missing from compiled.
func TestEveryPageWithCodeIsCompiled(t *testing.T) {
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
			t.Errorf("%s has %d blocks of Go code that no test compiles", name, n)
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

// code returns the lines of a source without indentation, alignment and comments. Directives such
// as go:generate count as comments.
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

// comment returns the index of a line's comment, or -1. The // of a URI begins no comment.
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
