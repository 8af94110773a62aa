// Package leaktest finds goroutines that a test leaves behind.
package leaktest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grace is the time that goroutines get to finish.
const grace = 5 * time.Second

// Check records the goroutines that exist now and fails tb at its end if there are others then,
// naming them. Call it first in a test, so that it runs after every other clean-up. A test that
// uses it must not run in parallel with others. Inside a testing/synctest bubble it is not needed:
// there the bubble itself fails if a goroutine stays.
func Check(tb testing.TB) {
	tb.Helper()
	before := stacks()
	tb.Cleanup(func() {
		for _, s := range Left(before) {
			tb.Errorf("goroutine left behind:\n%s", s)
		}
	})
}

// Main is the TestMain of a package: it runs the tests and then fails if any of them has left a
// goroutine behind. Tests that also call Check learn which of them it was. While fuzzing it does
// not look.
func Main(m *testing.M) {
	code := m.Run()
	if f := flag.Lookup("test.fuzz"); code == 0 && (f == nil || f.Value.String() == "") {
		for _, s := range Left(nil) {
			fmt.Fprintf(os.Stderr, "goroutine left behind by a test of the package:\n%s\n", s)
			code = 1
		}
	}
	os.Exit(code)
}

// Snapshot is the set of goroutines that exist now.
func Snapshot() map[string]string { return stacks() }

// Left waits until every goroutine that is not in before has gone, for a few seconds at most, and
// returns the stacks of those that stay.
func Left(before map[string]string) []string {
	pause := time.Millisecond
	for end := time.Now().Add(grace); ; pause = min(2*pause, 100*time.Millisecond) {
		var left []string
		for id, s := range stacks() {
			if _, old := before[id]; !old {
				left = append(left, s)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
		time.Sleep(pause)
	}
}

// stacks returns the stack of every goroutine of the program under test by its identifier, apart
// from the caller's and the testing package's.
func stacks() map[string]string {
	buf := make([]byte, 1<<16)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	all := strings.Split(string(buf), "\n\n")
	m := make(map[string]string, len(all))
	for _, s := range all[1:] { // the first is the caller
		id, _, _ := strings.Cut(strings.TrimPrefix(s, "goroutine "), " ")
		if !ours(s) {
			continue
		}
		m[id] = s
	}
	return m
}

// ours reports whether code under test may have started a goroutine, as opposed to the runtime and
// package testing.
func ours(stack string) bool {
	for _, foreign := range []string{
		"testing.Main(", "testing.tRunner(", "testing.(*M).", "testing.runFuzz", "testing.(*F).",
		"created by runtime.", "created by os/signal.", "runtime.ensureSigM", "testing.(*B).", "testing.runTests",
	} {
		if strings.Contains(stack, foreign) {
			return false
		}
	}
	return true
}
