package lwm2m

import "time"

// retry counts failed attempts against a retryPolicy.
type retry struct {
	attempts  uint64 // in the present sequence
	sequences uint64 // that have failed
	total     int
}

// failed counts one failed attempt and returns how long to wait for the next one; false when the registration has to be given
// up (Core 1.2.2 §6.2.1: attempts at growing intervals make a sequence, some sequences at equal intervals make all).
func (r *retry) failed(p retryPolicy) (pause time.Duration, more bool) {
	r.attempts++
	r.total++
	if r.attempts < p.count {
		return backoff(p.timer, r.attempts-1), true
	}
	r.attempts = 0
	r.sequences++
	if r.sequences < p.sequences && !p.lastOne {
		return p.delay, true
	}
	r.sequences = 0
	return p.delay, false
}

// backoff is d doubled n times, up to maxPause.
func backoff(d time.Duration, n uint64) time.Duration {
	for ; n > 0 && d > 0 && d < maxPause; n-- {
		d *= 2
	}
	return min(d, maxPause)
}
