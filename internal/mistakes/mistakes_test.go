package mistakes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

var update = flag.Bool("update", false, "write testdata")

// mistake is a typical mistake. Its function makes it and returns what the programmer reads.
type mistake struct {
	name string
	make func(t *testing.T) string
	// bubble says that the mistake is made in virtual time, in which the text must come within two
	// seconds of the first sign.
	bubble bool
}

func mistakes() []mistake {
	return []mistake{
		{name: "mistyped XML", make: mistypedXML},
		{name: "missing mandatory resource", make: missingMandatory},
		{name: "wrong type", make: wrongType},
		{name: "wrong scheme", make: wrongScheme},
		{name: "scheme of another port", make: schemeOfAnotherPort, bubble: true},
		{name: "missing dialer", make: missingDialer},
		{name: "port in use", make: portInUse},
		{name: "wrong PSK", make: wrongPSK, bubble: true},
		{name: "duplicate instance", make: duplicateInstance},
		{name: "old runtime", make: oldRuntime},
		{name: "value out of range", make: outOfRange},
	}
}

// TestMistakes: each mistake is answered with a text that says what is wrong and what to do.
func TestMistakes(t *testing.T) {
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			run := func(t *testing.T) { compare(t, m.name, m.make(t)) }
			if m.bubble {
				synctest.Test(t, run)
				return
			}
			run(t)
		})
	}
}

// TestNoOtherFiles: testdata has a file for each mistake and no other.
func TestNoOtherFiles(t *testing.T) {
	known := make(map[string]bool)
	for _, m := range mistakes() {
		known[golden(m.name)] = true
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[f] {
			t.Errorf("%s belongs to no mistake", f)
		}
	}
}

func golden(name string) string {
	return filepath.Join("testdata", strings.ReplaceAll(strings.ToLower(name), " ", "-")+".txt")
}

// compare compares a text with its file.
func compare(t *testing.T, name, got string) {
	t.Helper()
	got = strings.TrimSpace(got) + "\n"
	if *update {
		if err := os.WriteFile(golden(name), []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden(name))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the programmer reads\n%s\nwant\n%s", got, want)
	}
}
