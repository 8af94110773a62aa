package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const registryDir = "../../../shared/oma-registry"

// TestWholeRegistry generates every object of OMA's registry in one call, without a names file. It
// compiles and vets the result as one module and runs staticcheck on it.
func TestWholeRegistry(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles hundreds of packages")
	}
	files, err := filepath.Glob(filepath.Join(registryDir, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skipf("there is no copy of OMA's registry in %s", registryDir)
	}
	dir := t.TempDir()
	var stderr bytes.Buffer
	args := slices.Concat([]string{"lwm2mgen", "-out", dir}, files)
	if code := run(t.Context(), args, os.Stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, stderr.String())
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*", "*.go"))
	if err != nil || len(packages) != len(files) {
		t.Fatalf("%d packages of %d files (%v)", len(packages), len(files), err)
	}
	for line := range strings.Lines(stderr.String()) {
		if !strings.Contains(line, ": warning: ") && !strings.HasSuffix(line, " packages written, 0 unchanged\n") {
			t.Errorf("unexpected: %s", line)
		}
	}
	if code := run(t.Context(), append(args, "-check"), os.Stdout, &stderr); code != 0 {
		t.Errorf("-check fails on what was just generated, exit code %d:\n%s", code, stderr.String())
	}
	checkModule(t, dir)
}

// checkModule builds a module of the packages in dir, vets it and runs staticcheck on it.
func checkModule(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod := fmt.Sprintf("module example.com/registry\n\ngo 1.25.0\n\nrequire github.com/lwm2mgen/toolkit v0.0.0\n\nreplace github.com/lwm2mgen/toolkit => %s\n", root)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		t.Fatal(err)
	}
	readRuntime(t)
	// Windows needs .exe, other systems accept it
	staticcheck := filepath.Join(t.TempDir(), "staticcheck.exe")
	command(t, root, "go", "build", "-modfile", filepath.Join(root, "tools", "go.mod"), "-o", staticcheck, "honnef.co/go/tools/cmd/staticcheck")
	command(t, dir, "go", "build", "./...")
	command(t, dir, "go", "vet", "./...")
	command(t, dir, staticcheck, "./...")
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	// The packages are never run: without inlining and symbols, compiling takes half the time. The
	// flags are in the environment so that staticcheck finds the packages in the build cache.
	cmd.Env = append(os.Environ(), "GOFLAGS='-gcflags=-l -dwarf=false'", "GOTOOLCHAIN=local")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
}

// readRuntime reads the packages that generated code imports. The go command does not see that the
// test depends on them; without this it would reuse the cached result of an earlier run.
func readRuntime(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"../../registry", "../../runtime/dm"} {
		sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(sources) == 0 {
			t.Fatalf("%s has no sources (%v)", dir, err)
		}
		for _, path := range sources {
			if _, err := os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}
