//go:build !linux

package sched

import "time"

// timeSuspended cannot tell: this system has only Go's monotonic clock. Report a suspension by
// [Scheduler.Leap].
func timeSuspended() (time.Duration, bool) { return 0, false }
