//go:build unix

package coap

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used so far: benchmarks report it, as the
// time on the clock depends on what else the machine does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
