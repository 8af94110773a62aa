package main

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/gotooltest"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect, and fail")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lwm2mgen": main})
}

// TestScripts runs the user sessions in testdata/script. $ROOT is the root of the module, $MIRROR a
// web server that serves the folder mirror. The go command works without a network.
func TestScripts(t *testing.T) {
	readRuntime(t)
	p := testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setupScript(t),
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"appendto": appendTo, "expand": expandVars},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
	}
	if err := gotooltest.Setup(&p); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, p)
	if *update {
		t.Fatal("scripts rewritten; run again without -update")
	}
}

func setupScript(t *testing.T) func(*testscript.Env) error {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return func(e *testscript.Env) error {
		mirror := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(e.WorkDir, "mirror"))))
		e.Defer(mirror.Close)
		e.Vars = append(e.Vars,
			"ROOT="+root, "MIRROR="+mirror.URL, "GOMODCACHE="+strings.TrimSpace(string(cache)),
			"GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=", "HOME="+e.WorkDir)
		return nil
	}
}

// TestUnchanged checks that a second run does not write a file that is up to date.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	args := []string{"lwm2mgen", "-out", dir, "../../objects-xml/3303.xml"}
	path := filepath.Join(dir, "temperature", "temperature.go")
	var before os.FileInfo
	for range 2 {
		if code := run(t.Context(), args, os.Stdout, os.Stderr); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && (!os.SameFile(before, info) || !before.ModTime().Equal(info.ModTime())) {
			t.Error("the second run wrote the file again")
		}
		before = info
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the package's folder has %v (%v), want the one file", entries, err)
	}
}

// TestShipped checks that the shipped packages are up to date with the shipped definitions.
func TestShipped(t *testing.T) {
	args := []string{"lwm2mgen", "-check", "-out", "../../generated", "-names", "../../objects-xml/names", "../../objects-xml/*.xml"}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d, run go generate ./...\n%s%s", code, stderr.String(), stdout.String())
	}
}

// BenchmarkRegistry generates all of OMA's registry in one call, into an empty folder.
// docs/performance.md compares the figure with the floor.
func BenchmarkRegistry(b *testing.B) {
	if _, err := os.Stat(registryDir); err != nil {
		b.Skipf("there is no copy of OMA's registry: %v", err)
	}
	b.ReportAllocs()
	for b.Loop() {
		dir := b.TempDir()
		if code := run(b.Context(), []string{"lwm2mgen", "-out", dir, registryDir + "/*.xml"}, io.Discard, io.Discard); code != 0 {
			b.Fatalf("exit code %d", code)
		}
	}
}

// appendTo is the script command "appendto FILE LINE".
func appendTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: appendto file line")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteString(args[1] + "\n")
	ts.Check(err)
	ts.Check(f.Close())
}

// expandVars is the script command "expand FILE": it replaces variables such as $ROOT in a file.
func expandVars(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand file")
	}
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string { return filepath.ToSlash(ts.Getenv(name)) })
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o666))
}
