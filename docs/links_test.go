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
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	outside = regexp.MustCompile("\\.\\./shared|(^|[\\s\"'=(`])/(work|home|root|Users|opt|tmp)/")
)

// TestLinks checks that every relative link of a page leads to a file of the repository, and to a
// heading of that file.
func TestLinks(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(read(t, page)), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if abs, err := filepath.Abs(file); err != nil || !strings.HasPrefix(abs, root) {
				t.Errorf("%s: the link %s leaves the repository", page, m[1])
				continue
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: the link %s names no heading of %s", page, m[1], file)
			}
		}
	}
}

// Pages and comments name nothing outside of the repository: no folder beside it and no path of one
// machine.
func TestDocumentationNamesNothingOutside(t *testing.T) {
	for _, page := range pages(t) {
		checkLines(t, page, "")
	}
	for _, file := range goFiles(t) {
		checkLines(t, filepath.Join("..", file), "//")
	}
}

// checkLines reports the lines of a file that have a prefix and name something outside.
func checkLines(t *testing.T, file, prefix string) {
	t.Helper()
	n := 0
	for line := range strings.Lines(read(t, file)) {
		n++
		if !strings.HasPrefix(strings.TrimSpace(line), prefix) {
			continue
		}
		if m := outside.FindString(line); m != "" {
			t.Errorf("%s:%d names %q, which is not in the repository", file, n, strings.TrimSpace(m))
		}
	}
}

// pages returns every page of the repository, relative to this folder.
func pages(t *testing.T) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git" || d.Name() == ".cache"):
			return filepath.SkipDir
		case strings.HasSuffix(file, ".md"):
			list = append(list, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 15 {
		t.Fatalf("only %d pages were found", len(list))
	}
	return list
}

// withoutCode returns a page without its fenced and its inline code.
func withoutCode(page string) string {
	var b strings.Builder
	for i, part := range strings.Split(page, "```") {
		if i%2 == 0 {
			b.WriteString(regexp.MustCompile("`[^`\n]*`").ReplaceAllString(part, "code"))
		}
	}
	return b.String()
}

// anchors returns the names of a page's headings in links, as hosting sites make them: in lower
// case, with hyphens for spaces, without punctuation.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z':
				return r
			}
			return -1
		}, strings.ToLower(m[1]))
		all[name] = true
	}
	return all
}
