package sched

// A Job is something to do at a point in time. It is meant to be embedded in
// what it works for, so that scheduling allocates nothing:
//
//	type transfer struct {
//		idle sched.Job
//	}
//	t.idle.Func = t.expire
//	s.After(&t.idle, 30*time.Second)
//
// The zero Job is not scheduled and does nothing when run. A Job must not be
// copied while it is pending. A Job belongs to the goroutine of its scheduler.
type Job struct {
	// Func is called when the job is due. The job is no longer pending then,
	// so Func may schedule it again. Nil means that nothing is called.
	Func func()

	owner *Scheduler // nil: not pending
	index int        // place in owner.heap
}

// Pending reports whether the job waits to be run.
func (j *Job) Pending() bool { return j.owner != nil }

// When is the deadline of a pending job; ok is false for one that is not
// pending.
func (j *Job) When() (t Time, ok bool) {
	if j.owner == nil {
		return 0, false
	}
	return j.owner.heap[j.index].at, true
}
