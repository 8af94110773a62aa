package sched

// A Job is a function with a deadline. Embed it in the value that it works for, so that scheduling
// does not allocate:
//
//	type transfer struct {
//		idle sched.Job
//	}
//	t.idle.Func = t.expire
//	s.After(&t.idle, 30*time.Second)
//
// The zero Job is not scheduled and does nothing when run. A Job must not be copied while it is
// pending. It belongs to the goroutine of its scheduler.
type Job struct {
	// Func is called when the job is due. The job is no longer pending then, so Func may schedule
	// it again. The zero value means that nothing is called.
	Func func()

	owner *Scheduler // nil: not pending
	index int        // place in owner.heap
}

// Pending reports whether the job is scheduled.
func (j *Job) Pending() bool { return j.owner != nil }

// Deadline returns when the job runs, on the clock of its scheduler. ok is false if the job is not
// scheduled.
func (j *Job) Deadline() (t Time, ok bool) {
	if j.owner == nil {
		return 0, false
	}
	return j.owner.heap[j.index].at, true
}
