//go:build !linux

package sched

import "time"

// suspended cannot tell: this system has only Go's monotonic clock. Report a suspension by
// [Scheduler.Leap].
func suspended() (time.Duration, bool) { return 0, false }
