//go:build unix

package coap

import (
	"syscall"
	"time"
)

// cpuTime is the CPU time of the process so far. Benchmarks report it, because the elapsed time
// depends on the other processes of the machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
