package sched

import (
	"syscall"
	"time"
	"unsafe"
)

// The numbers of clock_gettime(2).
const (
	clockMonotonic = 1
	clockBoottime  = 7
)

// timeSuspended is how long the machine has been suspended since it booted: CLOCK_BOOTTIME advances
// during a suspension and CLOCK_MONOTONIC does not. ok is false when the process was interrupted
// between the readings.
func timeSuspended() (d time.Duration, ok bool) {
	before, ok1 := readClock(clockMonotonic)
	boot, ok2 := readClock(clockBoottime)
	after, ok3 := readClock(clockMonotonic)
	if !ok1 || !ok2 || !ok3 || after-before > suspendNoise/2 {
		return 0, false
	}
	return boot - before, true
}

func readClock(id uintptr) (time.Duration, bool) {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano()), errno == 0
}
