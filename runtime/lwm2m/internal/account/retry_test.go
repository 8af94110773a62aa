package account

import (
	"testing"
	"time"
)

// A failed attempt is followed by another one until the attempts of each sequence, and all
// sequences, have failed.
func TestRetrySequences(t *testing.T) {
	const s = time.Second
	type step struct {
		pause time.Duration
		more  bool
	}
	for _, c := range []struct {
		name   string
		policy Policy
		want   []step
	}{
		{"three sequences of two", Policy{Attempts: 2, FirstPause: 10 * s, SequencePause: 100 * s, RestartPause: 300 * s, Sequences: 3},
			[]step{{10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, true}, {10 * s, true}, {300 * s, false},
				{10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, true}, {10 * s, true}, {300 * s, false}}},
		{"one of each", Policy{Attempts: 1, FirstPause: 10 * s, SequencePause: 100 * s, RestartPause: 300 * s, Sequences: 1}, []step{{300 * s, false}, {300 * s, false}}},
		{"zero means one", Policy{FirstPause: 10 * s, SequencePause: 100 * s, RestartPause: 300 * s}, []step{{300 * s, false}, {300 * s, false}}},
		{"no sequence after the first", Policy{Attempts: 2, FirstPause: 10 * s, SequencePause: 100 * s, RestartPause: 300 * s, Sequences: 3, NoneAfter: true},
			[]step{{10 * s, true}, {300 * s, false}}},
	} {
		var r Retry
		for i, want := range c.want {
			if pause, more := r.countFailure(&c.policy); pause != want.pause || more != want.more {
				t.Errorf("%s, attempt %d: %v, %v, want %v", c.name, i+1, pause, more, want)
			}
		}
	}
}

// No policy makes a pause overflow.
func TestRetryExtremes(t *testing.T) {
	var r Retry
	p := Policy{Attempts: 1<<32 - 1, FirstPause: MaxPause, SequencePause: MaxPause, RestartPause: MaxPause, Sequences: 1<<32 - 1}
	for i := range 200 {
		if pause, more := r.countFailure(&p); !more || pause <= 0 || pause > MaxPause {
			t.Fatalf("attempt %d: %v, %v", i, pause, more)
		}
	}
	for n := range uint32(100) {
		if d := backoff(time.Second, n); d < time.Second || d > MaxPause {
			t.Fatalf("1 s doubled %d times is %v", n, d)
		}
	}
	if d := backoff(0, 1<<31); d != 0 {
		t.Errorf("nothing doubled is %v", d)
	}
}
