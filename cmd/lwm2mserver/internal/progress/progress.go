// Package progress measures transfers and draws how far they are.
package progress

import (
	"fmt"
	"strings"
	"time"
)

// window is the time over which a Meter measures the rate, and spacing the time between samples.
const (
	window  = 10 * time.Second
	spacing = 500 * time.Millisecond
)

// Meter measures the rate of a transfer.
type Meter struct {
	size    int64
	samples []sample
}

type sample struct {
	at   time.Time
	done int64
}

// NewMeter returns a meter of a transfer of size bytes that begins now.
func NewMeter(size int64, now time.Time) *Meter {
	return &Meter{size: size, samples: []sample{{at: now}}}
}

// Measure returns how far a transfer is of which done bytes have arrived. Calls are in the order of
// time.
func (m *Meter) Measure(done int64, now time.Time) Progress {
	for len(m.samples) > 1 && now.Sub(m.samples[1].at) >= window {
		m.samples = m.samples[1:]
	}
	p := Progress{Done: done, Size: m.size}
	first := m.samples[0]
	if elapsed := now.Sub(first.at); elapsed >= spacing {
		p.Rate = float64(done-first.done) / elapsed.Seconds()
	}
	if now.Sub(m.samples[len(m.samples)-1].at) >= spacing {
		m.samples = append(m.samples, sample{now, done})
	}
	return p
}

// Progress is how far a transfer is.
type Progress struct {
	// Done is how many bytes of Size have arrived.
	Done, Size int64
	// Rate is in bytes per second, over the last 10 seconds. The zero value means that it is not
	// known, or that nothing arrives.
	Rate float64
}

// Percent returns how much of the transfer is done. It is 100 at the end alone.
func (p Progress) Percent() int {
	if p.Done >= p.Size {
		return 100
	}
	return min(int(float64(p.Done)/float64(p.Size)*100), 99)
}

// parts returns the texts of a progress, the most important ones first.
func (p Progress) parts() []string {
	unit, name := unitOf(p.Size)
	all := []string{
		fmt.Sprintf("%3d %%", p.Percent()),
		fmt.Sprintf("%s of %s %s", amount(p.Done, unit), amount(p.Size, unit), name),
	}
	if p.Rate > 0 {
		unit, name := unitOf(int64(p.Rate))
		all = append(all, fmt.Sprintf("%s %s/s", amount(int64(p.Rate), unit), name))
		if p.Done < p.Size {
			all = append(all, duration(float64(p.Size-p.Done)/p.Rate)+" left")
		}
	}
	return all
}

// String returns the progress as a line, such as "50 %, 5.0 of 10.0 MB, 812.0 kB/s, 6s left".
func (p Progress) String() string { return strings.TrimSpace(strings.Join(p.parts(), ", ")) }

// The width of the bar between its brackets.
const (
	minBar = 10
	maxBar = 30
)

// Bar returns the progress as a bar with texts behind it, in at most width columns. What does not
// fit is left out: first the time left, then the rate, the bytes and the bar.
func (p Progress) Bar(width int) string {
	parts := p.parts()
	for ; len(parts) > 0; parts = parts[:len(parts)-1] {
		text := strings.Join(parts, "  ")
		if bar := min(width-len(text)-len("[] "), maxBar); bar >= minBar {
			done := p.Percent() * bar / 100
			return "[" + strings.Repeat("#", done) + strings.Repeat(".", bar-done) + "] " + text
		}
	}
	text := strings.TrimSpace(p.parts()[0])
	return text[:min(len(text), max(width, 0))]
}

// unitOf returns the unit in which an amount of bytes is shown.
func unitOf(n int64) (unit int64, name string) {
	switch {
	case n >= 1e9:
		return 1e9, "GB"
	case n >= 1e6:
		return 1e6, "MB"
	case n >= 1e3:
		return 1e3, "kB"
	}
	return 1, "B"
}

func amount(n, unit int64) string {
	if unit == 1 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.1f", float64(n)/float64(unit))
}

// duration returns seconds, rounded up, without the parts that a long time makes unimportant.
func duration(seconds float64) string {
	const day = 24 * 60 * 60
	if seconds > 99*day {
		return "more than 99 days"
	}
	d := time.Duration(seconds*float64(time.Second)) + time.Second - 1
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm %ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
