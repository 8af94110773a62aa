package coap

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestChecklist compares docs/coap.md with the rules that are tested.
func TestChecklist(t *testing.T) {
	page, err := os.ReadFile("../../docs/coap.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("rfc*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	test := regexp.MustCompile(`^func (TestRFC\w+)\(`)
	ruled := regexp.MustCompile(`^\t\t\{"([^"/]+)/([^"]+)", `)
	n := 0
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		for line := range strings.Lines(string(source)) {
			if m := test.FindStringSubmatch(line); m != nil {
				name = m[1]
			}
			m := ruled.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			n++
			if row := "| " + m[2] + " | " + name + " |"; !strings.Contains(string(page), row) {
				t.Errorf("%s: the page has no row %q for section %s", f, row, m[1])
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d rules were found", n)
	}
}
