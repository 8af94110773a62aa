package sched_test

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A loop that has nothing to do but its jobs.
func Example() {
	s := sched.New()
	left := 3
	var tick sched.Job
	tick.Func = func() {
		fmt.Println(left)
		if left--; left > 0 {
			s.After(&tick, time.Millisecond)
		}
	}
	s.After(&tick, 0)
	late := s.AfterFunc(time.Hour, func() { fmt.Println("too late") })

	for tick.Pending() {
		if err := s.Sleep(context.Background(), time.Minute); err != nil {
			fmt.Println(err)
			return
		}
		s.Run()
	}
	fmt.Println(s.Cancel(late), s.Len())
	// Output:
	// 3
	// 2
	// 1
	// true 0
}

// What other goroutines have to tell the loop goes through Post.
func ExampleScheduler_Post() {
	s := sched.New()
	go s.Post(func() { fmt.Println("on the loop") })
	for s.Run() == 0 {
		if err := s.Sleep(context.Background(), time.Minute); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output: on the loop
}
