package send

import (
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	set, early := time.Unix(1.7e9, 250e6), time.Unix(3600, 0)
	for _, c := range []struct {
		name   string
		at     time.Time
		now    time.Time
		wanted float64
	}{
		{"a set clock", set, set.Add(time.Hour), 1.7e9 + 0.25},
		{"a clock that is not set", early.Add(-90 * time.Second), early, -90},
		{"a clock that is not set, now", early, early, 0},
		{"a time ahead of a clock that is not set", early.Add(time.Hour), early, 0},
		{"a time without a monotonic reading from before the clock was set", early, set, 0},
	} {
		if got := stamp(c.at, c.now); got != c.wanted {
			t.Errorf("%s: %v, want %v", c.name, got, c.wanted)
		}
	}
}
