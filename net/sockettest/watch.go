package sockettest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hangs is how long a check may go on without a step before the kit ends it. Waiting for the peer
// is bounded by patience, so only a call that does not return takes as long.
const hangs = 90 * time.Second

// watched is the testing.TB of a check, which runs in a goroutine of its own so that the test can
// go on when the check hangs. Afterwards the check has no effect on the test.
type watched struct {
	testing.TB

	mu        sync.Mutex
	abandoned bool
	skipped   string
	cleanups  []func()
	last      time.Time // when the check took its last step
}

// watch runs f with a testing.TB that is t's. If f hangs it fails t with the name of the check and
// the call that has not returned for the time of patience, and reports true.
func watch(t testing.TB, name string, patience time.Duration, f func(t testing.TB)) (hung bool) {
	t.Helper()
	w := &watched{TB: t, last: time.Now()}
	ended := make(chan struct{})
	go w.run(f, ended)
	for left := patience; left > 0; left = patience - w.idle() {
		timer := time.NewTimer(left)
		select {
		case <-ended:
			timer.Stop()
			if w.skipped != "" {
				t.Skip(w.skipped)
			}
			return false
		case <-timer.C:
		}
	}
	w.abandon()
	t.Errorf("the check %s hangs: this call has not returned for %v:\n%s", name, patience, stackOf("(*watched).run"))
	return true
}

// limit is hangs, or less if the test must end earlier, as "go test -timeout" says.
func limit(t *testing.T) time.Duration {
	end, ok := t.Deadline()
	if !ok {
		return hangs
	}
	return max(time.Second, min(hangs, time.Until(end)-5*time.Second))
}

func (w *watched) run(f func(t testing.TB), ended chan struct{}) {
	defer close(ended)
	defer w.cleanUp()
	f(w)
}

// cleanUp runs the functions of Cleanup, the last one first.
func (w *watched) cleanUp() {
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		w.Helper()
		w.cleanups[i]()
	}
}

func (w *watched) idle() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last)
}

func (w *watched) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abandoned = true
}

// Helper is called at each step of a check.
func (w *watched) Helper() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
}

// Cleanup implements testing.TB. The functions run where the check does, because they can hang,
// too.
func (w *watched) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

// Errorf implements testing.TB.
func (w *watched) Errorf(format string, args ...any) {
	w.TB.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.abandoned {
		w.TB.Errorf(format, args...)
	}
}

// Logf implements testing.TB.
func (w *watched) Logf(format string, args ...any) {
	w.TB.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.abandoned {
		w.TB.Logf(format, args...)
	}
}

// Fatalf implements testing.TB. It ends the goroutine of the check.
func (w *watched) Fatalf(format string, args ...any) {
	w.TB.Helper()
	w.Errorf(format, args...)
	runtime.Goexit()
}

// Fatal implements testing.TB.
func (w *watched) Fatal(args ...any) {
	w.TB.Helper()
	w.Fatalf("%s", fmt.Sprint(args...))
}

// Skip implements testing.TB.
func (w *watched) Skip(args ...any) {
	w.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

// watchOutside is for a check in a bubble: there a call that waits for a lock or for the system
// stops virtual time, and the check cannot be ended from within. It ends the whole test then, with
// the name of the check. The returned function ends the watch.
func watchOutside(t *testing.T, name string) (stop func() bool) {
	return time.AfterFunc(limit(t), func() {
		panic(fmt.Sprintf("the check %s hangs in its bubble:\n%s", name, stackOf("(*watched).run")))
	}).Stop
}

// stackOf returns the stack of the goroutine that has called the function with this name.
func stackOf(function string) string {
	buf := make([]byte, 1<<20)
	for s := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(s, function) {
			return s
		}
	}
	return "(it has returned in the meantime)"
}
