package attr

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// at returns the instant some seconds after the beginning of a test.
func at(seconds float64) sched.Time { return after(0, seconds) }

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, in      string
		live, changed bool
		want          sched.Time
	}{
		{"a stored value", "", false, false, Never},
		{"a changed value", "", false, true, at(0)},
		{"a changed value within pmin", "pmin=10", false, true, at(10)},
		{"pmax", "pmax=30", false, false, at(30)},
		{"pmax of 0 is ignored", "pmax=0", false, false, Never},
		{"pmax below pmin is ignored", "pmin=20&pmax=10", false, false, Never},
		{"pmax of pmin", "pmin=10&pmax=10", false, false, at(10)},
		{"a live value", "", true, false, at(1)},
		{"a live value with pmin", "pmin=20", true, false, at(20)},
		{"a live value with a pmin of 0", "pmin=0", true, false, at(1)},
		{"a live value with pmax alone", "pmax=30", true, false, at(30)},
		{"a live value with pmin and pmax", "pmin=5&pmax=30", true, false, at(5)},
		{"a live value with epmin", "pmin=20&epmin=5", true, false, at(5)},
		{"a live value with a short epmin", "epmin=0", true, false, at(1)},
		{"the longest period", "pmax=4294967295", false, false, sched.Time(4294967295 * int64(time.Second))},
	} {
		m, in := NewMonitor(0, 1, c.live), set(t, c.in)
		if c.changed {
			m.Changed()
		}
		if got := m.Next(&in); got != c.want {
			t.Errorf("%s is sampled next at %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name, in string
		now      float64
		print    uint64
		want     Decision
	}{
		{"the known value", "", 5, 1, Keep},
		{"another value", "", 5, 2, Notify},
		{"another value within pmin", "pmin=10", 5, 2, Hold},
		{"another value at pmin", "pmin=10", 10, 2, Notify},
		{"the known value before pmax", "pmax=10", 9, 1, Keep},
		{"the known value at pmax", "pmax=10", 10, 1, Notify},
		{"the known value at a pmax below pmin", "pmin=20&pmax=10", 15, 1, Keep},
	} {
		m, in := NewMonitor(0, 1, false), set(t, c.in)
		if got := m.Decide(at(c.now), &in, c.print); got != c.want {
			t.Errorf("%s: decision %d, want %d", c.name, got, c.want)
		}
		if m.Pending() != (c.want == Hold) {
			t.Errorf("%s: a sample is pending is %t", c.name, m.Pending())
		}
	}
}

// A value that is held back is sampled when pmin has passed, and one that is back by then is kept.
func TestMonitorThroughTime(t *testing.T) {
	in := set(t, "pmin=10&pmax=60")
	m := NewMonitor(0, 1, false)
	m.Changed()
	m.Sampling()
	if d := m.Decide(at(3), &in, 2); d != Hold || m.Next(&in) != at(10) {
		t.Errorf("within pmin: decision %d, next %v", d, m.Next(&in))
	}
	m.Sampling()
	if d := m.Decide(at(10), &in, 1); d != Keep || m.Next(&in) != at(60) {
		t.Errorf("back at pmin: decision %d, next %v", d, m.Next(&in))
	}
	if d := m.Decide(at(20), &in, 3); d != Notify {
		t.Errorf("a new value: decision %d", d)
	}
	m.Notified(at(20), 3)
	if d := m.Decide(at(31), &in, 3); d != Keep || m.Next(&in) != at(80) {
		t.Errorf("after a notification: decision %d, next %v", d, m.Next(&in))
	}
	// What the server wrote itself is known to it; what it cannot know is a reason to notify.
	m.Rebase(4)
	if d := m.Decide(at(35), &in, 4); d != Keep {
		t.Errorf("its own value: decision %d", d)
	}
	m.Forget()
	if d := m.Decide(at(35), &in, 4); d != Notify {
		t.Errorf("a value that it may not know: decision %d", d)
	}
}

func TestMonitorTriesAgain(t *testing.T) {
	in := set(t, "pmax=60")
	m := NewMonitor(0, 1, true)
	m.NotSent(at(5))
	if got := m.Next(&in); got != at(6) || !m.Pending() {
		t.Errorf("not sent: next %v", got)
	}
	m = NewMonitor(0, 1, true)
	m.Unreadable(at(5))
	if got := m.Next(&in); got != at(15) || !m.Pending() {
		t.Errorf("unreadable: next %v", got)
	}
	m = NewMonitor(0, 1, true)
	m.NoValue(at(5), &in)
	if got := m.Next(&in); got != at(60) || m.Pending() {
		t.Errorf("no value before pmax: next %v", got)
	}
	m.NoValue(at(60), &in)
	if got := m.Next(&in); got != at(70) {
		t.Errorf("no value at pmax: next %v", got)
	}
	m.Sampled(at(70), false)
	if m.Live() {
		t.Error("it is live still")
	}
	none := Set{}
	if m.Next(&none) != Never {
		t.Errorf("without functions the next sample is at %v", m.Next(&none))
	}
	con := set(t, "con=1")
	if m.Confirmable(&none) || !m.Confirmable(&con) {
		t.Error("con is not evaluated")
	}
}

// The monitor allocates nothing.
func TestMonitorAllocations(t *testing.T) {
	m, in := NewMonitor(0, 1, true), set(t, "pmin=1&pmax=60&epmin=2")
	if n := testing.AllocsPerRun(100, func() {
		m.Changed()
		_ = m.Next(&in)
		m.Sampling()
		m.Sampled(at(3), true)
		if m.Decide(at(3), &in, 2) == Notify {
			m.Notified(at(3), 2)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
