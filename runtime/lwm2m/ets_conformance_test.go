package lwm2m_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// etsCases is the number of cases in each section of the specification.
var etsCases = map[string]int{
	"Bootstrap": 14, "Registration": 11, "Device management": 39, "Information reporting": 13, "Security": 6,
	"Core objects": 54, "Additional objects": 18,
}

// etsRow is one case in docs/conformance.md.
type etsRow struct {
	id, status, note string
	test             string // that note names
}

var (
	etsHeading = regexp.MustCompile(`^## (.+) \((\d+)\)$`)
	etsLine    = regexp.MustCompile(`^\| (1\.[12]-int-\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$`)
	etsTest    = regexp.MustCompile("`(Test\\w+)`")
)

// etsPage reads the page. It returns the cases in order, their number by section and status, and
// the text.
func etsPage(t *testing.T) (rows []etsRow, counts map[string]map[string]int, text string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "conformance.md"))
	must(t, err)
	counts = map[string]map[string]int{}
	section := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\r\n")
		if m := etsHeading.FindStringSubmatch(line); m != nil {
			section = m[1]
			counts[section] = map[string]int{}
			if m[2] != fmt.Sprint(etsCases[section]) {
				t.Errorf("%s: the specification has %d cases", line, etsCases[section])
			}
		}
		m := etsLine.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "| 1.") {
				t.Errorf("not a case: %s", line)
			}
			continue
		}
		r := etsRow{id: m[1], status: m[2], note: m[3]}
		if m := etsTest.FindStringSubmatch(r.note); m != nil {
			r.test = m[1]
		}
		rows = append(rows, r)
		counts[section][r.status]++
		counts[section]["all"]++
	}
	return rows, counts, string(page)
}

// etsTests returns the names of the tests of cases in this package.
func etsTests(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	found := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		must(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "TestETS_") {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

// docs/conformance.md has every case once, names tests that exist, and no test of a case is
// missing.
func TestConformancePage(t *testing.T) {
	rows, counts, text := etsPage(t)
	tests := etsTests(t)
	for section, n := range etsCases {
		if counts[section]["all"] != n {
			t.Errorf("%s: %d cases, want %d", section, counts[section]["all"], n)
		}
	}
	seen, named, passing := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if seen[r.id] {
			t.Errorf("%s is there twice", r.id)
		}
		seen[r.id] = true
		if r.test != "" && !tests[r.test] {
			t.Errorf("%s names %s, which is no test", r.id, r.test)
		}
		mine := strings.HasPrefix(r.test, "TestETS_"+strings.NewReplacer(".", "_", "-", "_").Replace(r.id)+"_")
		switch r.status {
		case "passes":
			named[r.test], passing[r.id] = true, true
			if !mine {
				t.Errorf("%s passes, but names the test %q", r.id, r.test)
			}
		case "not yet", "no procedure":
			if r.test != "" {
				t.Errorf("%s is %q, but names the test %s", r.id, r.status, r.test)
			}
		case "delegated":
		default:
			t.Errorf("%s has the status %q", r.id, r.status)
		}
	}
	for _, r := range rows {
		if to := strings.TrimPrefix(strings.SplitN(r.note, ":", 2)[0], "to "); r.status == "delegated" &&
			passing[to] != (r.test != "") {
			t.Errorf("%s is delegated to %q, which passes: %v", r.id, to, passing[to])
		}
	}
	for name := range tests {
		if !named[name] {
			t.Errorf("%s is not on the page", name)
		}
	}
	checkTotals(t, counts, text)
}

// checkTotals compares the page's summary with its tables.
func checkTotals(t *testing.T, counts map[string]map[string]int, text string) {
	t.Helper()
	all := map[string]int{}
	line := func(name string, c map[string]int) string {
		return fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", name, c["passes"], c["not yet"], c["delegated"],
			c["no procedure"], c["all"])
	}
	for section, c := range counts {
		for k, n := range c {
			all[k] += n
		}
		if want := line(section, c); !strings.Contains(text, want) {
			t.Errorf("the summary lacks %s", want)
		}
	}
	if want := line("**All**", all); !strings.Contains(text, want) {
		t.Errorf("the summary lacks %s", want)
	}
}
