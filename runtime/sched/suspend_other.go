//go:build !linux

package sched

import "time"

// suspended knows nothing here: Go's own monotonic clock is all there is, and
// [Scheduler.Leap] the way to say that the machine was asleep.
func suspended() (time.Duration, bool) { return 0, false }
