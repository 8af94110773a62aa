// Package sched is the scheduler of the toolkit's event loop: it runs jobs at their deadlines, on
// the goroutine that calls [Scheduler.Run].
//
// A scheduler starts no goroutine and never sleeps by itself. The loop asks [Scheduler.Wait] how
// long it may sleep, sleeps (on a socket, a channel or anything else), and calls Run:
//
//	s := sched.New()
//	var tick sched.Job
//	tick.Func = func() {
//		fmt.Println(s.Now())
//		s.After(&tick, time.Second)
//	}
//	s.After(&tick, time.Second)
//	for s.Sleep(ctx, time.Minute) == nil {
//		s.Run()
//	}
//
// [New] makes a [Scheduler]. [Scheduler.After] schedules a [Job] and [Scheduler.Cancel] removes it;
// both cost O(log n). [Scheduler.Post] runs a function on the loop for another goroutine.
//
// The order of jobs is deterministic: by deadline, and first in, first out for equal deadlines. Run
// reads the clock once when it begins. A job that is added for "now" during a round runs in the
// next round, so that no job can keep a round from ending.
//
// One scheduler can serve any number of clients, and programs may schedule their own jobs on it.
//
// A scheduler belongs to the goroutine that runs it. Other goroutines may only call
// [Scheduler.Post], [Scheduler.Wake] and [Scheduler.Woken].
package sched
