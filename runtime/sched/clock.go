package sched

import "time"

// Time is an instant on a scheduler's clock, in nanoseconds since the
// scheduler was made. It grows with real time, the time the machine was
// suspended and leaps included, and never goes back; steps of the wall clock
// do not move it. Instants of different schedulers cannot be compared.
type Time int64

// Add is the instant d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

const (
	// suspendCheck is how much running time may pass between two looks at
	// the operating system's clocks. A look costs two system calls.
	suspendCheck = 100 * time.Millisecond
	// suspendNoise is the difference below which the two clocks are taken
	// to agree: they cannot be read at the same instant.
	suspendNoise = 10 * time.Millisecond
)

// clock is Go's monotonic clock, which stops while Linux sleeps, plus the time
// the machine was suspended, plus what was leapt.
type clock struct {
	start     time.Time
	extra     time.Duration // suspended so far, and leaps
	asleep    func() (time.Duration, bool)
	slept     time.Duration // what asleep said last
	lastCheck time.Duration
}

func newClock(asleep func() (time.Duration, bool)) clock {
	c := clock{start: time.Now(), asleep: asleep}
	if asleep != nil {
		c.slept, _ = asleep()
	}
	return c
}

// now is the present instant. It does not look for suspensions.
func (c *clock) now() Time { return Time(time.Since(c.start) + c.extra) }

// look is now after a look for a suspension: what passed since the last look is added. It reads the clock once.
func (c *clock) look() Time {
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
