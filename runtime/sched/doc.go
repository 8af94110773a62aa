// Package sched is the scheduler under the toolkit's event loop: jobs with
// deadlines, run one after the other by whoever calls [Scheduler.Run].
//
// A scheduler starts no goroutine and never sleeps by itself. A loop asks
// [Scheduler.Wait] how long it may sleep, sleeps (on a socket, a channel or
// anything else), and calls [Scheduler.Run]. The order of jobs is
// deterministic: by deadline, and first in, first out among equal deadlines.
// The clock is read once when Run begins, and a job that is added for "now"
// while a round is running runs in the next round, so that no job can keep a
// round from ending.
//
// One scheduler can serve any number of clients, and user code is welcome to
// put its own jobs on it. Adding, moving and removing a job costs O(log n).
//
// A scheduler belongs to one goroutine, the one that runs it. Only
// [Scheduler.Post], [Scheduler.Wake] and [Scheduler.Woken] may be called from
// others.
package sched
