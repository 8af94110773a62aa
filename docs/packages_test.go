package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPackageComments checks that the code in the comment of every package compiles: it is part of
// packagecode_test.go, or of another test that compiles. A line with three dots leaves lines out.
func TestPackageComments(t *testing.T) {
	sources := code(read(t, "packagecode_test.go")) + code(read(t, "porting_test.go")) + code(read(t, "standardobjects_test.go")) +
		code(read(t, "downloads_test.go")) + code(read(t, "updates_test.go")) + code(read(t, "components_test.go")) +
		code(read(t, "software_test.go"))
	// These are commands, tables and what no language compiles.
	other := regexp.MustCompile(`^(go |lwm2mgen |ability |waker: |//go:generate )`)
	blocks := 0
	for _, top := range []string{"../gen", "../registry", "../net", "../runtime"} {
		err := filepath.WalkDir(top, func(file string, d os.DirEntry, err error) error {
			if err != nil || d.Name() == "internal" || d.Name() == "testdata" {
				if err == nil && d.IsDir() {
					return filepath.SkipDir
				}
				return err
			}
			if d.Name() != "doc.go" {
				return nil
			}
			for _, block := range commentBlocks(read(t, file)) {
				if other.MatchString(block) {
					continue
				}
				blocks++
				// The name of a test may be taken: its body counts.
				if body, ok := strings.CutPrefix(block, "func Test"); ok {
					_, body, _ = strings.Cut(body, "\n")
					block = strings.TrimSuffix(body, "}\n")
				}
				for _, part := range regexp.MustCompile(`(?m)^\s*\.\.\.\n`).Split(block, -1) {
					if !strings.Contains(sources, code(part)) {
						t.Errorf("this code of %s is in no test that compiles:\n%s", file, part)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if blocks < 20 {
		t.Errorf("%d blocks of code", blocks)
	}
}

// commentBlocks returns the indented blocks of a package comment.
func commentBlocks(source string) []string {
	var blocks []string
	var b strings.Builder
	for line := range strings.Lines(source + "\n") {
		text, ok := strings.CutPrefix(line, "//\t")
		switch {
		case ok:
			b.WriteString(text)
		case line == "//\n" && b.Len() > 0:
			b.WriteString("\n")
		case b.Len() > 0:
			for _, block := range regexp.MustCompile(`\n\n+`).Split(b.String(), -1) {
				if strings.TrimSpace(block) != "" {
					blocks = append(blocks, strings.TrimRight(block, "\n")+"\n")
				}
			}
			b.Reset()
		}
	}
	return blocks
}
