package main

import (
	"os"
	"strings"
	"testing"
)

// The code of docs/objects.md is that of files which compile, lines and order alike. Indentation and
// comments may differ.
func TestDocs(t *testing.T) {
	sources := []string{}
	for _, name := range []string{"main.go", "main_test.go", "../../runtime/dm/example_test.go"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, code(string(b)))
	}
	page, err := os.ReadFile("../../docs/objects.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for i, part := range strings.Split(string(page), "```") {
		block, ok := strings.CutPrefix(part, "go\n")
		if i%2 == 0 || !ok || strings.HasPrefix(block, "//go:generate ") {
			continue
		}
		blocks++
		found := false
		for _, s := range sources {
			found = found || strings.Contains(s, code(block))
		}
		if !found {
			t.Errorf("this code of docs/objects.md is nowhere compiled:\n%s", block)
		}
	}
	if blocks == 0 {
		t.Error("docs/objects.md has no code")
	}
}

// code returns the lines without indentation, alignment and comments.
func code(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "//")
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
