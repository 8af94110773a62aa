package sched

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Scheduler runs jobs at their deadlines. Make one with [New]. See the package documentation for
// which goroutine may call what.
type Scheduler struct {
	clock clock
	heap  heap
	seq   uint64
	round Time // clock reading of the current round, valid while running
	// running is true during Run; a Run inside a Run does nothing.
	running bool

	spare []func() // the posted functions of the last round, for reuse

	woken atomic.Bool // since the last round

	mu     sync.Mutex
	posted []func()
	onWake func()
	signal chan struct{}

	onResume func(time.Duration)
	resumed  time.Duration // of clock.extra, that onResume knows
}

// New makes a scheduler whose clock starts at zero now.
func New() *Scheduler { return newScheduler(timeSuspended) }

func newScheduler(asleep func() (time.Duration, bool)) *Scheduler {
	return &Scheduler{clock: newClock(asleep), signal: make(chan struct{}, 1)}
}

// Now is the current instant on the scheduler's clock.
func (s *Scheduler) Now() Time { return s.clock.now() }

// At schedules j for the instant t, after the jobs that already have that deadline. If j is
// pending, it is moved. An instant in the past means as soon as possible, which is the next round
// when a round is running. A job that is pending on another scheduler is cancelled there.
func (s *Scheduler) At(j *Job, t Time) {
	if s.running && t < s.round {
		t = s.round // after everything that is due in this round
	}
	s.seq++
	e := entry{at: t, seq: s.seq, job: j}
	switch j.owner {
	case s:
		s.heap.fix(j.index, e)
		return
	case nil:
	default:
		j.owner.Cancel(j)
	}
	j.owner = s
	s.heap.push(e)
}

// After is [Scheduler.At] for the instant d from now.
func (s *Scheduler) After(j *Job, d time.Duration) {
	now := s.Now()
	if d > 0 && now > math.MaxInt64-Time(d) {
		s.At(j, math.MaxInt64)
		return
	}
	s.At(j, now.Add(d))
}

// AfterFunc schedules fn for the instant d from now and returns its job, which can be moved or
// cancelled. It allocates; [Scheduler.After] with an embedded job does not.
func (s *Scheduler) AfterFunc(d time.Duration, fn func()) *Job {
	j := &Job{Func: fn}
	s.After(j, d)
	return j
}

// Cancel removes j and reports whether it was pending on s. A cancelled job does not run, not even
// if it was due already.
func (s *Scheduler) Cancel(j *Job) bool {
	if j.owner != s {
		return false
	}
	s.heap.remove(j.index)
	j.owner = nil
	return true
}

// Len is the number of pending jobs.
func (s *Scheduler) Len() int { return len(s.heap) }

// Next is the deadline of the job that runs next. ok is false when there is none. Functions that
// other goroutines posted have no deadline.
func (s *Scheduler) Next() (t Time, ok bool) {
	if len(s.heap) == 0 {
		return 0, false
	}
	return s.heap[0].at, true
}

// Wait is how long the loop may sleep before it has to call [Scheduler.Run]: the time to the next
// deadline, at most limit, and 0 when a job is due or another goroutine called [Scheduler.Post] or
// [Scheduler.Wake] since the last Run. Without any job it is limit. A negative limit counts as 0.
//
// Most ways to sleep do not count the time that the machine is suspended. A loop that must notice a
// resume soon sleeps with a limit of about a minute.
func (s *Scheduler) Wait(limit time.Duration) time.Duration {
	if s.woken.Load() || limit <= 0 {
		return 0
	}
	if len(s.heap) == 0 {
		return limit
	}
	now := s.clock.check()
	if s.onResume != nil && s.clock.extra > s.resumed {
		return 0
	}
	return min(limit, max(0, s.heap[0].at.Sub(now)))
}

// Run runs one round: the jobs that are due, then the functions that other goroutines posted. It
// returns how many of both it ran. It reads the clock once, at the beginning. Jobs that are added
// during a round wait for the next one, whatever their deadline. Called from a job, Run does
// nothing and returns 0.
func (s *Scheduler) Run() int {
	if s.running {
		return 0
	}
	posted := s.takePosted()
	s.round = s.clock.check()
	s.running = true
	defer func() { s.running = false }()
	left := posted
	defer func() { s.repost(left) }()
	if d := s.clock.extra - s.resumed; d > 0 {
		s.resumed = s.clock.extra
		if s.onResume != nil {
			s.onResume(d)
		}
	}
	last, n := s.seq, 0
	for len(s.heap) > 0 {
		e := s.heap[0]
		if e.at > s.round || e.seq > last {
			break
		}
		s.heap.remove(0)
		e.job.owner = nil
		if e.job.Func != nil {
			e.job.Func()
		}
		n++
	}
	for len(left) > 0 {
		fn := left[0]
		left[0], left = nil, left[1:]
		fn()
		n++
	}
	s.spare = posted[:0]
	return n
}

// repost puts functions that a panic kept from running first in the next round.
func (s *Scheduler) repost(fns []func()) {
	if len(fns) == 0 {
		return
	}
	s.mu.Lock()
	s.posted = append(slices.Clone(fns), s.posted...)
	s.mu.Unlock()
	s.Wake()
}

func (s *Scheduler) takePosted() []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken.Store(false)
	select {
	case <-s.signal:
	default:
	}
	posted := s.posted
	s.posted, s.spare = s.spare, nil
	return posted
}

// Leap moves the clock forward by d, as if that time had passed, for a suspension that the
// scheduler cannot detect itself. A d that is not positive does nothing. Leap calls the function
// given to [Scheduler.OnWake], because a sleep that was computed before is too long.
func (s *Scheduler) Leap(d time.Duration) {
	if d <= 0 || d >= math.MaxInt64-time.Duration(s.clock.now()) {
		return
	}
	s.clock.extra += d
	s.callOnWake()
}

// Post runs fn in the scheduler's next round, in the order of the calls, and wakes the loop. It is
// safe for concurrent use and never blocks.
func (s *Scheduler) Post(fn func()) {
	s.mu.Lock()
	s.posted = append(s.posted, fn)
	s.mu.Unlock()
	s.Wake()
}

// Wake ends the loop's sleep: the next [Scheduler.Wait] returns 0, the channel of [Scheduler.Woken]
// becomes readable, and the function given to [Scheduler.OnWake] is called. It is safe for
// concurrent use and never blocks.
func (s *Scheduler) Wake() {
	if s.woken.Swap(true) {
		return // woken already, and Run was not called since
	}
	select {
	case s.signal <- struct{}{}:
	default:
	}
	s.callOnWake()
}

func (s *Scheduler) callOnWake() {
	s.mu.Lock()
	fn := s.onWake
	s.mu.Unlock()
	if fn != nil {
		fn()
	}
}

// Woken is a channel with one element after [Scheduler.Wake] or [Scheduler.Post]. [Scheduler.Run]
// empties it. It is safe for concurrent use.
func (s *Scheduler) Woken() <-chan struct{} { return s.signal }

// OnWake sets the function that ends the loop's sleep, for a loop that does not sleep on a channel.
// For instance, it sets a past read deadline on the socket that the loop reads from. It is called
// on the goroutine that wakes and must not block. It replaces the previous function; nil means
// none. After a loop has made its sleep interruptible it must call [Scheduler.Wait] again, so that
// it does not miss an earlier wake-up.
func (s *Scheduler) OnWake(fn func()) {
	s.mu.Lock()
	s.onWake = fn
	s.mu.Unlock()
}

// OnResume sets the function that Run calls first in the round after the machine was suspended,
// with the time that was lost. A [Scheduler.Leap] counts as a suspension. Connections may be dead
// then, because the state of a NAT or a firewall has expired. It replaces the previous function;
// nil means none.
func (s *Scheduler) OnResume(fn func(suspended time.Duration)) { s.onResume = fn }

// Sleep waits until a job is due, the scheduler is woken, limit has passed or ctx is done. It is
// for loops that have nothing else to wait for. The error is that of ctx.
func (s *Scheduler) Sleep(ctx context.Context, limit time.Duration) error {
	d := s.Wait(limit)
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.signal:
		// Wait returns 0 until Run is called, so no wake-up is lost.
	}
	return ctx.Err()
}
