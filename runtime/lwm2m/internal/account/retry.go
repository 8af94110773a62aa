package account

import "time"

// MaxPause bounds every pause, so that no sum or product of durations overflows.
const MaxPause = 100 * 365 * 24 * time.Hour

// QuickPause is the pause before the quick retry after a short connection. A random time of up to
// QuickPause is added, so that the devices of a restarted server do not all connect at once.
const QuickPause = time.Second

// Policy says how failed attempts are repeated (/1/x/17 to /1/x/20, Core 1.2.2 §6.2.1): attempts at
// growing intervals form a sequence, and sequences follow each other at equal intervals.
type Policy struct {
	Attempts      uint32        // per sequence; 0 means 1
	FirstPause    time.Duration // after the first attempt; it doubles after each further one
	SequencePause time.Duration
	Sequences     uint32        // 0 means 1
	RestartPause  time.Duration // after the last sequence, if no bootstrap can follow
	NoneAfter     bool          // no sequence ever follows the first one
}

// Retry counts failed attempts.
type Retry struct {
	Attempts  uint32 // failed attempts of the present sequence
	Sequences uint32 // failed sequences
}

// countFailure counts a failed attempt. It returns the pause before the next attempt, and whether
// there is one; if not, pause is the time until the sequences may restart.
func (r *Retry) countFailure(p *Policy) (pause time.Duration, more bool) {
	r.Attempts++
	if r.Attempts < p.Attempts {
		return backoff(p.FirstPause, r.Attempts-1), true
	}
	r.Attempts = 0
	r.Sequences++
	if r.Sequences < p.Sequences && !p.NoneAfter {
		return p.SequencePause, true
	}
	r.Sequences = 0
	return p.RestartPause, false
}

// backoff doubles d n times, up to MaxPause.
func backoff(d time.Duration, n uint32) time.Duration {
	for ; n > 0 && d > 0 && d < MaxPause; n-- {
		d *= 2
	}
	return min(d, MaxPause)
}
