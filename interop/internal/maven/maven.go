// Package maven gets the Java libraries of peers, for tests that run them.
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

// oldest is the Java that the peers' programs are written for.
const oldest = 17

// Libraries returns the folder of the libraries that pom.xml in the working directory names, and fetches
// them into the module's cache the first time. The test is skipped where there is no Java Development Kit
// or no Maven, or where the libraries are not to be had within a minute.
func Libraries(t testing.TB, name string) string {
	t.Helper()
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s needs %s, which is not here", name, tool)
		}
	}
	if v := javaVersion(); v < oldest {
		t.Skipf("%s needs Java %d, here is %d", name, oldest, v)
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
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+lib)
	mvn.WaitDelay = 5 * time.Second // for what it has started
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Skipf("the libraries of %s are not to be had within a minute: %v\n%s", name, err, out)
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return lib
}

// javaVersion returns the compiler's major version, 0 where it does not tell.
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
