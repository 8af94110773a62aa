package coap

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunc = regexp.MustCompile(`^func (Test\w+)\(`)
	ruleLine = regexp.MustCompile(`^\t\t\{"([^"/]+)/([^"]+)", `)
	pageRow  = regexp.MustCompile(`^\| ([^|]+) \| ([^|]+) \| (Test[^|]+) \|$`)
)

// TestChecklist compares docs/coap.md with the tested rules: every rule is on the page, with its
// section, and every row of the page is a rule or names tests that exist.
func TestChecklist(t *testing.T) {
	rules, tests := collectRules(t)
	if len(rules) < 100 {
		t.Fatalf("only %d rules were found", len(rules))
	}
	page, err := os.ReadFile("../../docs/coap.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\r\n")
		m := pageRow.FindStringSubmatch(line)
		switch {
		case m == nil:
		case strings.HasPrefix(m[3], "TestRFC"):
			if _, known := rules[line]; !known {
				t.Errorf("the page has %s, which is not a rule", line)
			}
			rules[line] = true
		default:
			for name := range strings.SplitSeq(m[3], ", ") {
				if !tests[name] {
					t.Errorf("the page has %s, but %s is no test", line, name)
				}
			}
		}
	}
	for row, there := range rules {
		if !there {
			t.Errorf("the page lacks %s", row)
		}
	}
}

// collectRules returns the rules of the tests, in the form of the page's rows, and the names of all
// tests.
func collectRules(t *testing.T) (rules, tests map[string]bool) {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rules, tests = map[string]bool{}, map[string]bool{}
	for _, f := range files {
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := ""
		for line := range strings.Lines(string(source)) {
			if m := testFunc.FindStringSubmatch(line); m != nil {
				name = m[1]
				tests[name] = true
			}
			if m := ruleLine.FindStringSubmatch(line); m != nil && strings.HasPrefix(name, "TestRFC") {
				section := m[1][strings.LastIndex(m[1], "-")+1:] // of another RFC, with its name
				if section == "none" {
					section = "-"
				}
				rules["| "+section+" | "+m[2]+" | "+name+" |"] = false
			}
		}
	}
	return rules, tests
}
