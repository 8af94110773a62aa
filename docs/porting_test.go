package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPort extracts the port that docs/porting.md begins with, compiles it and runs package
// sockettest on it, as printed. The other end of its serial line is in testdata/porting.
func TestPort(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var port string
	for _, block := range goBlocks(read(t, "porting.md")) {
		if isFile(block) {
			port = block
		}
	}
	_, body, _ := strings.Cut(code(port), ")\n") // after the imports
	if n := strings.Count(body, "\n"); n < 30 || n > 50 {
		t.Errorf("the port has %d lines", n)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"port.go":       port,
		"modem_test.go": read(t, "testdata/porting/modem_test.go"),
		"go.sum":        read(t, "../go.sum"),
		"go.mod": "module example.com/muxnet\n\ngo 1.25\n\nrequire github.com/lwm2mgen/toolkit v0.0.0\n\n" +
			"replace github.com/lwm2mgen/toolkit => " + root + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"vet", "."}, {"test", "-count", "1", "."}} {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// isFile reports whether the code of a page is a whole file.
func isFile(block string) bool { return strings.Contains("\n"+code(block), "\npackage ") }
