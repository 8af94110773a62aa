package sched

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const long = time.Hour

// drive runs the scheduler for the time d.
func drive(s *Scheduler, d time.Duration) {
	end := s.Now().Add(d)
	for {
		s.Run()
		left := end.Sub(s.Now())
		if left <= 0 {
			return
		}
		_ = s.Sleep(context.Background(), left)
	}
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		var got []int
		add := func(n int, d time.Duration) *Job {
			return s.AfterFunc(d, func() { got = append(got, n) })
		}
		add(5, 2*time.Second)
		add(1, time.Second)
		add(2, time.Second)
		add(3, time.Second)
		moved := add(0, time.Second)
		add(4, time.Second)
		s.After(moved, time.Second) // after the others with this deadline
		drive(s, 3*time.Second)
		if want := []int{1, 2, 3, 4, 0, 5}; !slices.Equal(got, want) {
			t.Errorf("jobs ran in order %v, want %v", got, want)
		}
	})
}

func TestNowRunsInNextRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		var got []string
		var again Job
		again.Func = func() {
			got = append(got, "again")
			if len(got) < 10 {
				s.After(&again, 0)
			}
		}
		s.AfterFunc(0, func() {
			got = append(got, "first")
			s.At(&again, 0) // long past
			// Clamped to the round, so after again.
			s.AfterFunc(-time.Hour, func() { got = append(got, "past of the past") })
		})
		s.AfterFunc(0, func() { got = append(got, "second") })
		if n := s.Run(); n != 2 {
			t.Errorf("first round ran %d jobs, want 2", n)
		}
		if n := s.Run(); n != 2 {
			t.Errorf("second round ran %d jobs, want 2", n)
		}
		want := []string{"first", "second", "again", "past of the past"}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if w := s.Wait(long); w != 0 {
			t.Errorf("Wait = %v with a job due, want 0", w)
		}
	})
}

func TestRunInsideRun(t *testing.T) {
	s := New()
	inner := -1
	s.AfterFunc(0, func() { inner = s.Run() })
	s.AfterFunc(0, func() {})
	if n := s.Run(); n != 2 || inner != 0 {
		t.Errorf("outer Run = %d, inner = %d; want 2 and 0", n, inner)
	}
}

func TestCancel(t *testing.T) {
	s := New()
	ran := false
	var victim *Job
	s.AfterFunc(0, func() {
		if !s.Cancel(victim) {
			t.Error("a due job that has not run could not be cancelled")
		}
	})
	victim = s.AfterFunc(0, func() { ran = true })
	s.Run()
	if ran || victim.Pending() || s.Cancel(victim) {
		t.Errorf("ran=%v pending=%v after Cancel", ran, victim.Pending())
	}
	if _, ok := s.Next(); ok {
		t.Error("a cancelled job has a deadline")
	}
	var never Job
	if s.Cancel(&never) {
		t.Error("a job that was never scheduled could be cancelled")
	}
}

func TestMoveBetweenSchedulers(t *testing.T) {
	a, b := New(), New()
	j := a.AfterFunc(long, func() {})
	b.At(j, 5)
	if a.Len() != 0 || b.Len() != 1 {
		t.Fatalf("pending: %d and %d, want 0 and 1", a.Len(), b.Len())
	}
	if next, ok := b.Next(); !ok || next != 5 {
		t.Errorf("Next = %v, %v", next, ok)
	}
	if a.Cancel(j) || !b.Cancel(j) {
		t.Error("the job is not pending on the scheduler it was last added to")
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		if w := s.Wait(7 * time.Second); w != 7*time.Second {
			t.Errorf("Wait without jobs = %v, want the limit", w)
		}
		s.AfterFunc(3*time.Second, func() {})
		if w := s.Wait(7 * time.Second); w != 3*time.Second {
			t.Errorf("Wait = %v, want 3s", w)
		}
		if w := s.Wait(time.Second); w != time.Second {
			t.Errorf("Wait = %v, want the limit of 1s", w)
		}
		if w := s.Wait(-1); w != 0 {
			t.Errorf("Wait(-1) = %v, want 0", w)
		}
		<-time.After(5 * time.Second)
		if w := s.Wait(long); w != 0 {
			t.Errorf("Wait = %v for an overdue job, want 0", w)
		}
	})
}

func TestAfterDoesNotOverflow(t *testing.T) {
	s := New()
	s.AfterFunc(math.MaxInt64, func() {})
	if next, _ := s.Next(); next != math.MaxInt64 {
		t.Errorf("deadline %d overflowed", next)
	}
}

func TestLeap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		ran := 0
		s.AfterFunc(time.Minute, func() { ran++ })
		before := s.Now()
		s.Leap(59 * time.Second)
		if d := s.Now().Sub(before); d != 59*time.Second {
			t.Errorf("the clock moved by %v, want 59s", d)
		}
		if w := s.Wait(long); w != time.Second {
			t.Errorf("Wait = %v after the leap, want 1s", w)
		}
		s.Leap(-long)
		s.Leap(time.Second)
		s.Run()
		if ran != 1 {
			t.Errorf("the job ran %d times, want once", ran)
		}
	})
}

// A suspension and a Leap are reported once, at the beginning of the next round, which is due at
// once.
func TestOnResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept := time.Duration(0)
		s := newScheduler(func() (time.Duration, bool) { return slept, true })
		var got []time.Duration
		s.OnResume(func(d time.Duration) { got = append(got, d) })
		s.AfterFunc(100*time.Hour, func() {})
		wants := func(want ...time.Duration) {
			t.Helper()
			if due := s.Wait(time.Minute) == 0; due != (len(want) > 0) {
				t.Errorf("the next round is due: %v", due)
			}
			s.Run()
			if !slices.Equal(got, want) {
				t.Errorf("reported %v, want %v", got, want)
			}
			got = nil
		}
		wants()
		s.Leap(time.Hour)
		wants(time.Hour)
		wants()
		slept += 12 * time.Hour
		<-time.After(suspendCheck)
		wants(12 * time.Hour)
		s.OnResume(nil)
		s.Leap(time.Hour)
		wants()
	})
}

func TestSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slept, ok := time.Duration(5), true
		s := newScheduler(func() (time.Duration, bool) { return slept, ok })
		ran := 0
		s.AfterFunc(time.Hour, func() { ran++ })
		<-time.After(time.Second)
		slept += 30 * time.Minute
		ok = false // an interrupted reading has no result
		if w := s.Wait(2 * long); w != time.Hour-time.Second {
			t.Errorf("Wait = %v before the suspension is seen", w)
		}
		<-time.After(time.Second)
		ok = true
		if w := s.Wait(2 * long); w != 30*time.Minute-2*time.Second {
			t.Errorf("Wait = %v after 30 minutes of suspension", w)
		}
		<-time.After(time.Second)
		slept += suspendNoise - 1 // jitter of the reading, not a suspension
		if w := s.Wait(2 * long); w != 30*time.Minute-3*time.Second {
			t.Errorf("Wait = %v: jitter was taken for a suspension", w)
		}
		slept += 30 * time.Minute
		<-time.After(time.Second)
		s.Run()
		if ran != 1 {
			t.Errorf("the job ran %d times, want once", ran)
		}
	})
}

func TestSystemClocks(t *testing.T) {
	a, ok1 := timeSuspended()
	b, ok2 := timeSuspended()
	if !ok1 || !ok2 {
		t.Skip("the system does not report suspensions, or the process was interrupted")
	}
	if d := b - a; d < -suspendNoise || d > suspendNoise {
		t.Errorf("two readings of the suspended time differ by %v", d)
	}
}

func TestPost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		var got []int
		s.AfterFunc(0, func() { got = append(got, 0) })
		var wg sync.WaitGroup
		wg.Go(func() {
			s.Post(func() {
				got = append(got, 1)
				s.Post(func() { got = append(got, 3) })
			})
			s.Post(func() { got = append(got, 2) })
		})
		wg.Wait()
		if w := s.Wait(long); w != 0 {
			t.Errorf("Wait = %v after Post, want 0", w)
		}
		if n := s.Run(); n != 3 {
			t.Errorf("Run = %d, want 3", n)
		}
		if n := s.Run(); n != 1 {
			t.Errorf("second Run = %d, want 1", n)
		}
		if want := []int{0, 1, 2, 3}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if w := s.Wait(long); w != long {
			t.Errorf("Wait = %v after everything has run", w)
		}
	})
}

func TestWakeEndsSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New()
		start := time.Now()
		go func() {
			<-time.After(3 * time.Second)
			s.Wake()
			s.Wake()
		}()
		if err := s.Sleep(t.Context(), long); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("slept %v, want 3s", d)
		}
		synctest.Wait() // for the second Wake
		if err := s.Sleep(t.Context(), long); err != nil || time.Since(start) != 3*time.Second {
			t.Error("the loop slept after a wake-up without a Run in between")
		}
		s.Run()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Sleep(ctx, long); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Sleep = %v, want the context's error", err)
		}
		s.Run()
		s.AfterFunc(time.Second, func() {})
		start = time.Now()
		if err := s.Sleep(t.Context(), long); err != nil || time.Since(start) != time.Second {
			t.Errorf("slept %v until the job, want 1s", time.Since(start))
		}
	})
}

func TestOnWake(t *testing.T) {
	s := New()
	calls := 0
	s.OnWake(func() { calls++ })
	s.Wake()
	s.Wake() // no Run in between: one call is enough
	if calls != 1 {
		t.Errorf("OnWake was called %d times, want once", calls)
	}
	<-s.Woken()
	s.Run()
	s.Post(func() {})
	if calls != 2 {
		t.Errorf("OnWake was called %d times, want twice", calls)
	}
	s.OnWake(nil)
	s.Run()
	s.Wake()
	if calls != 2 {
		t.Error("the function was called after it was removed")
	}
}

// TestModel compares the heap with a sorted list under random operations.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	synctest.Test(t, func(t *testing.T) {
		s := New()
		type model struct {
			id  int
			at  Time
			seq int
		}
		var (
			jobs [200]Job
			want []model
			got  []int
			seq  int
		)
		for i := range jobs {
			jobs[i].Func = func() { got = append(got, i) }
		}
		drop := func(id int) {
			want = slices.DeleteFunc(want, func(m model) bool { return m.id == id })
		}
		for range 20000 {
			id := rng.IntN(len(jobs))
			switch rng.IntN(5) {
			case 0, 1, 2:
				at := s.Now() + Time(rng.IntN(50))
				s.At(&jobs[id], at)
				seq++
				drop(id)
				want = append(want, model{id, at, seq})
			case 3:
				pending := slices.ContainsFunc(want, func(m model) bool { return m.id == id })
				if s.Cancel(&jobs[id]) != pending {
					t.Fatalf("Cancel(%d) disagrees with the model", id)
				}
				drop(id)
			case 4:
				<-time.After(time.Duration(rng.IntN(10)))
				slices.SortFunc(want, func(a, b model) int {
					if a.at != b.at {
						return int(a.at - b.at)
					}
					return a.seq - b.seq
				})
				got = got[:0]
				n := s.Run()
				for i := range n {
					if want[i].id != got[i] || want[i].at > s.Now() {
						t.Fatalf("job %d ran, want %+v", got[i], want[i])
					}
				}
				want = want[n:]
				if len(want) > 0 && want[0].at <= s.Now() {
					t.Fatalf("job %d was due and did not run", want[0].id)
				}
			}
			if s.Len() != len(want) {
				t.Fatalf("%d jobs are pending, want %d", s.Len(), len(want))
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	s := New()
	var j, k Job
	s.After(&j, long)
	s.After(&k, 0)
	s.Run()
	if n := testing.AllocsPerRun(100, func() {
		s.After(&j, long)
		s.After(&k, 0)
		s.Cancel(&j)
		s.Wait(long)
		s.Run()
	}); n != 0 {
		t.Errorf("%v allocations a round, want 0", n)
	}
}

func BenchmarkSchedule(b *testing.B) {
	for _, n := range []int{1, 1000, 100000} {
		b.Run(map[int]string{1: "pending=1", 1000: "pending=1000", 100000: "pending=100000"}[n], func(b *testing.B) {
			s := New()
			rng := rand.New(rand.NewPCG(1, 2))
			jobs := make([]Job, n)
			for i := range jobs {
				s.After(&jobs[i], time.Duration(rng.Int64N(int64(long))))
			}
			b.ReportAllocs()
			for b.Loop() {
				s.After(&jobs[rng.IntN(n)], time.Duration(rng.Int64N(int64(long))))
			}
		})
	}
}

func BenchmarkRound(b *testing.B) {
	s := New()
	var idle [1000]Job
	for i := range idle {
		s.After(&idle[i], long)
	}
	var j Job
	j.Func = func() {}
	b.ReportAllocs()
	for b.Loop() {
		s.After(&j, 0)
		s.Wait(long)
		s.Run()
	}
}
