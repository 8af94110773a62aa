package sched

import "time"

// Time is an instant on a scheduler's clock, in nanoseconds since the scheduler was made. The clock
// advances with real time, including the time that the machine was suspended and leaps, and never
// goes back. Changes of the wall clock do not affect it. Instants of different schedulers cannot be
// compared.
type Time int64

// Add is the instant d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

const (
	// suspendCheck is the running time between two readings of the operating system's clocks, each
	// of which costs three system calls.
	suspendCheck = 100 * time.Millisecond
	// suspendNoise is the difference below which the two clocks count as equal: they cannot be
	// read at the same instant.
	suspendNoise = 10 * time.Millisecond
)

// A clock is Go's monotonic clock, which stops while Linux is suspended, plus the time that the
// machine was suspended, plus all leaps.
type clock struct {
	start     time.Time
	extra     time.Duration // suspended so far, and leaps
	asleep    func() (time.Duration, bool)
	slept     time.Duration // the last result of asleep
	lastCheck time.Duration
}

func newClock(asleep func() (time.Duration, bool)) clock {
	c := clock{start: time.Now(), asleep: asleep}
	if asleep != nil {
		c.slept, _ = asleep()
	}
	return c
}

// now is the current instant. It does not check for suspensions.
func (c *clock) now() Time { return Time(time.Since(c.start) + c.extra) }

// check is now after a check for suspensions: the time suspended since the last check is added. It
// reads Go's clock once.
func (c *clock) check() Time {
	running := time.Since(c.start)
	if c.asleep != nil && running-c.lastCheck >= suspendCheck {
		c.lastCheck = running
		if slept, ok := c.asleep(); ok && slept-c.slept >= suspendNoise {
			c.extra += slept - c.slept
			c.slept = slept
		}
	}
	return Time(running + c.extra)
}
