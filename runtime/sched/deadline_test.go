package sched

import (
	"testing"
	"testing/synctest"
	"time"
)

// Deadline is that of the last call that has scheduled the job, whatever happens to other jobs.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		var j Job
		is := func(when string, want time.Duration, pending bool) {
			t.Helper()
			at, ok := j.Deadline()
			if ok != pending || ok && at.Sub(s.Now()) != want || !ok && at != 0 {
				t.Errorf("%s: due in %v, %v, want %v, %v", when, at.Sub(s.Now()), ok, want, pending)
			}
		}
		is("at first", 0, false)
		s.After(&j, time.Minute)
		is("scheduled", time.Minute, true)
		var others []*Job
		for i := range 50 { // the job moves in the heap
			others = append(others, s.AfterFunc(time.Duration(i)*3*time.Second, func() {}))
		}
		is("among others", time.Minute, true)
		for _, o := range others[:25] {
			s.Cancel(o)
		}
		is("others are cancelled", time.Minute, true)
		drive(s, 20*time.Second)
		is("time passes", 40*time.Second, true)
		s.Leap(10 * time.Second)
		is("the machine was suspended", 30*time.Second, true)
		s.After(&j, time.Hour)
		is("postponed", time.Hour, true)
		s.Cancel(&j)
		is("cancelled", 0, false)
		s.At(&j, s.Now().Add(-time.Second))
		if at, ok := j.Deadline(); !ok || at > s.Now() {
			t.Errorf("overdue: %v, %v", at, ok)
		}
		ran := false
		j.Func = func() { ran = true; is("running", 0, false) }
		drive(s, time.Second)
		if is("run", 0, false); !ran {
			t.Error("the job has not run")
		}
	})
}
