package progress

import (
	"strings"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	half := Progress{Done: 5_000_000, Size: 10_000_000, Rate: 812_345}
	for _, c := range []struct {
		p     Progress
		width int
		want  string
	}{
		{half, 200, "[###############...............]  50 %  5.0 of 10.0 MB  812.3 kB/s  7s left"},
		{half, 80, "[###############...............]  50 %  5.0 of 10.0 MB  812.3 kB/s  7s left"},
		{half, 60, "[#######........]  50 %  5.0 of 10.0 MB  812.3 kB/s  7s left"},
		{half, 54, "[#########.........]  50 %  5.0 of 10.0 MB  812.3 kB/s"},
		{half, 40, "[########........]  50 %  5.0 of 10.0 MB"},
		{half, 20, "[######......]  50 %"},
		{half, 17, "50 %"},
		{half, 3, "50 "},
		{half, 0, ""},
		{half, -1, ""},
		{Progress{Done: 0, Size: 999}, 80, "[..............................]   0 %  0 of 999 B"},
		{Progress{Done: 999, Size: 1000, Rate: 10}, 80, "[#############################.]  99 %  1.0 of 1.0 kB  10 B/s  1s left"},
		{Progress{Done: 1000, Size: 1000, Rate: 10}, 80, "[##############################] 100 %  1.0 of 1.0 kB  10 B/s"},
		{Progress{Done: 1<<60 - 1, Size: 1 << 60}, 12, "99 %"},
		{Progress{}, 80, "[##############################] 100 %  0 of 0 B"},
	} {
		got := c.p.Bar(c.width)
		if got != c.want {
			t.Errorf("in %d columns %+v is\n%q, want\n%q", c.width, c.p, got, c.want)
		}
		if len(got) > max(c.width, 0) {
			t.Errorf("%q is wider than %d columns", got, c.width)
		}
	}
}

func TestString(t *testing.T) {
	for want, p := range map[string]Progress{
		"1 %, 0.1 of 10.0 MB":                               {Done: 100_000, Size: 10_000_000},
		"1 %, 0.1 of 10.0 MB, 100 B/s, 1d 3h left":          {Done: 100_000, Size: 10_000_000, Rate: 100},
		"1 %, 0.1 of 10.0 MB, 1.0 kB/s, 2h 45m left":        {Done: 100_000, Size: 10_000_000, Rate: 1000},
		"1 %, 0.1 of 10.0 MB, 10.0 kB/s, 16m 30s left":      {Done: 100_000, Size: 10_000_000, Rate: 10_000},
		"0 %, 0.0 of 3.0 GB, 1 B/s, more than 99 days left": {Done: 1, Size: 3_000_000_000, Rate: 1},
		"100 %, 3.0 of 3.0 GB, 2.0 MB/s":                    {Done: 3_000_000_000, Size: 3_000_000_000, Rate: 2e6},
	} {
		if p.String() != want {
			t.Errorf("%+v is %q, want %q", p, p.String(), want)
		}
	}
}

// The rate is that of the last seconds, and falls when nothing arrives any more.
func TestMeter(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := NewMeter(1_000_000, at)
	if p := m.Measure(1000, at.Add(100*time.Millisecond)); p.Rate != 0 {
		t.Errorf("after 100 ms the rate is %v, want none", p.Rate)
	}
	var p Progress
	done := int64(0)
	for i := range 300 { // 30 s with 10 kB/s
		done = int64(i+1) * 1000
		p = m.Measure(done, at.Add(time.Duration(i+1)*100*time.Millisecond))
	}
	if p.Rate < 9900 || p.Rate > 10_100 {
		t.Errorf("with 10 kB/s the rate is %v", p.Rate)
	}
	for i := range 100 { // 10 s with 1 kB/s
		p = m.Measure(done+int64(i+1)*100, at.Add(30*time.Second+time.Duration(i+1)*100*time.Millisecond))
	}
	if p.Rate < 990 || p.Rate > 1900 {
		t.Errorf("10 s after a change to 1 kB/s the rate is %v", p.Rate)
	}
	for i := range 12 { // silence
		p = m.Measure(p.Done, at.Add(40*time.Second+time.Duration(i+1)*time.Second))
	}
	if p.Rate != 0 {
		t.Errorf("after 12 s of silence the rate is %v", p.Rate)
	}
	if len(m.samples) > 25 {
		t.Errorf("the meter keeps %d samples", len(m.samples))
	}
}

// A bar fits into every width, whatever it shows.
func FuzzBar(f *testing.F) {
	f.Add(int64(1), int64(3), 1.5, 80)
	f.Add(int64(5), int64(3), -1e300, 1)
	f.Fuzz(func(t *testing.T, done, size int64, rate float64, width int) {
		if done < 0 || size < done {
			t.Skip()
		}
		bar := Progress{done, size, rate}.Bar(width)
		if len(bar) > max(width, 0) || strings.ContainsAny(bar, "\r\n") {
			t.Errorf("%q in %d columns", bar, width)
		}
	})
}
