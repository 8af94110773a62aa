package leaktest

import (
	"strings"
	"testing"
	"testing/synctest"
)

// recorder is a testing.TB that keeps errors and clean-ups to itself.
type recorder struct {
	testing.TB
	errors   int
	cleanups []func()
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.errors++ }
func (r *recorder) Cleanup(f func())      { r.cleanups = append(r.cleanups, f) }

func TestLeft(t *testing.T) {
	before := Snapshot()
	stop := make(chan struct{})
	go waitHere(stop)
	if left := quick(before); len(left) != 1 || !strings.Contains(left[0], "leaktest.TestLeft") {
		t.Fatalf("left = %q, want the one goroutine", left)
	}
	close(stop)
	if left := Left(before); len(left) != 0 {
		t.Fatalf("left = %q, want none", left)
	}
}

func TestCheck(t *testing.T) {
	r := &recorder{TB: t}
	Check(r)
	r.cleanups[0]()
	if r.errors != 0 {
		t.Errorf("%d errors without a leak", r.errors)
	}
}

// TestCheckReports a goroutine that stays, when its grace is over: in a bubble that takes no time.
func TestCheckReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		Check(r)
		stop := make(chan struct{})
		go waitHere(stop)
		r.cleanups[0]()
		close(stop)
		if r.errors != 1 {
			t.Errorf("%d errors for one goroutine", r.errors)
		}
	})
}

func waitHere(stop chan struct{}) { <-stop }

// quick is Left without the waiting.
func quick(before map[string]string) []string {
	var left []string
	for id, s := range stacks() {
		if _, old := before[id]; !old {
			left = append(left, s)
		}
	}
	return left
}
