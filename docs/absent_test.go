package docs_test

import (
	"maps"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestNotThereYet compares the list of missing parts in the README with the table of the
// conformance page: every group of cases that waits for something is named, with its number.
func TestNotThereYet(t *testing.T) {
	_, list, _ := strings.Cut(read(t, "../README.md"), "## Not there yet")
	list, _, _ = strings.Cut(list, "\n## ")
	named := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^- ([A-Z][a-z ]+): (\d+)\.`).FindAllStringSubmatch(list, -1) {
		named[m[1]] = m[2]
	}
	waiting := map[string]string{}
	rows := regexp.MustCompile(`(?m)^\| ([A-Z][a-z ]+) \| \d+ \| (\d+) \|`)
	for _, m := range rows.FindAllStringSubmatch(read(t, "conformance.md"), -1) {
		if m[2] != "0" {
			waiting[m[1]] = m[2]
		}
	}
	if len(waiting) == 0 || !maps.Equal(named, waiting) {
		t.Errorf("the README names %v, the conformance page has %v", named, waiting)
	}
}

// TestTourOutput checks that the README's first command prints the lines that the README shows, up
// to the port and the temperature.
func TestTourOutput(t *testing.T) {
	_, block, _ := strings.Cut(read(t, "../README.md"), "prints, shortened:\n\n```\n")
	block, _, _ = strings.Cut(block, "```")
	port := regexp.MustCompile(`127\.0\.0\.1:\d+| 21\.\d`)
	cmd := exec.CommandContext(t.Context(), "go", "run", "./examples/thermometer")
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	printed := port.ReplaceAllString(string(out), "")
	lines := strings.Split(strings.TrimSpace(port.ReplaceAllString(block, "")), "\n")
	for _, line := range lines {
		if !strings.Contains(printed, line) {
			t.Errorf("the example does not print %q", line)
		}
	}
	if len(lines) < 5 {
		t.Errorf("the README shows %q", block)
	}
}
