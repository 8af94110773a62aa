// Package maven fetches the Java libraries of peers for tests that run them.
package maven

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oldest is the major version of Java that the peers' programs need at least.
const oldest = 17

// Libraries returns the folder of the libraries that pom.xml in the working directory names. It
// fetches them into the module's cache the first time. It skips the test if there is no Java
// Development Kit or no Maven, or if the libraries cannot be fetched within a minute.
func Libraries(t testing.TB, name string) string {
	t.Helper()
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s needs %s, which is not installed", name, tool)
		}
	}
	if v := javaVersion(); v < oldest {
		t.Skipf("%s needs Java %d or newer, and %d is installed", name, oldest, v)
	}
	lib, err := filepath.Abs(filepath.Join("..", ".cache", name))
	if err != nil {
		t.Fatal(err)
	}
	done := filepath.Join(lib, "complete")
	if _, err := os.Stat(done); err == nil {
		return lib
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+lib)
	mvn.WaitDelay = 5 * time.Second // for processes that Maven started
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Skipf("fetch the libraries of %s: %v\n%s", name, err, out)
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return lib
}

// javaVersion returns the major version of the Java compiler, 0 if it is unknown.
func javaVersion() int {
	out, err := exec.Command("javac", "-version").CombinedOutput()
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(out)) // javac 17.0.19
	if len(fields) < 2 {
		return 0
	}
	major, _, _ := strings.Cut(fields[1], ".")
	major, _, _ = strings.Cut(major, "-")
	v, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return v
}
