package attr

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// at returns the instant some seconds after the beginning of a test.
func at(seconds float64) sched.Time { return after(0, seconds) }

// text is a sample of something that is compared for equality.
func text(print uint64) *Sample { return &Sample{Print: print} }

// number is a sample of one number.
func number(v float64) *Sample {
	return &Sample{Print: uint64(int64(v * 1000)), Values: []Value{{Number: v}}}
}

func newMonitor(live bool) Monitor {
	return NewMonitor(0, &Sample{Print: 1, Live: live})
}

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, in      string
		live, changed bool
		every         time.Duration
		want          sched.Time
	}{
		{"a stored value", "", false, false, 0, Never},
		{"a changed value", "", false, true, 0, at(0)},
		{"a changed value within pmin", "pmin=10", false, true, 0, at(10)},
		{"a changed value within epmin", "epmin=10", false, true, 0, at(10)},
		{"a changed value within pmin, with a condition", "pmin=10&gt=5", false, true, 0, at(0)},
		{"a changed value within pmin and epmin, with a condition", "pmin=10&gt=5&epmin=4", false, true, 0, at(4)},
		{"pmax", "pmax=30", false, false, 0, at(30)},
		{"pmax of 0 is ignored", "pmax=0", false, false, 0, Never},
		{"pmax below pmin is ignored", "pmin=20&pmax=10", false, false, 0, Never},
		{"pmax of pmin", "pmin=10&pmax=10", false, false, 0, at(10)},
		{"epmax of a stored value", "epmax=10", false, false, 0, Never},
		{"a live value", "", true, false, 0, at(1)},
		{"a live value with pmin", "pmin=20", true, false, 0, at(20)},
		{"a live value with a pmin of 0", "pmin=0", true, false, 0, at(1)},
		{"a live value with pmax alone", "pmax=30", true, false, 0, at(30)},
		{"a live value with pmin and pmax", "pmin=5&pmax=30", true, false, 0, at(5)},
		{"a live value with epmin", "pmin=20&epmin=5", true, false, 0, at(5)},
		{"a live value with a short epmin", "epmin=0", true, false, 0, at(1)},
		{"a live value with epmax", "pmax=30&epmax=10", true, false, 0, at(10)},
		{"a live value with epmin and epmax", "epmin=5&epmax=10", true, false, 0, at(5)},
		{"a live value with pmin and epmax", "pmin=20&epmax=10", true, false, 0, at(10)},
		{"a live value with an epmax below epmin", "pmax=30&epmin=20&epmax=10", true, false, 0, at(20)},
		{"a live value with an epmax of 0", "pmax=30&epmax=0", true, false, 0, at(30)},
		{"a live value with a pace of its own", "", true, false, 15 * time.Second, at(15)},
		{"a pace and a shorter pmin", "pmin=5&pmax=60", true, false, 15 * time.Second, at(15)},
		{"a pace and a longer pmin", "pmin=30", true, false, 15 * time.Second, at(30)},
		{"a pace and a longer pmin, with a condition", "pmin=30&gt=5", true, false, 15 * time.Second, at(15)},
		{"a pace and a shorter epmin", "epmin=5", true, false, 15 * time.Second, at(15)},
		{"a pace and a longer epmin", "epmin=20", true, false, 15 * time.Second, at(20)},
		{"a pace and a shorter epmax", "epmax=5", true, false, 15 * time.Second, at(15)},
		{"a pace and a shorter pmax", "pmax=5", true, false, 15 * time.Second, at(5)},
		{"the longest period", "pmax=4294967295", false, false, 0, sched.Time(4294967295 * int64(time.Second))},
	} {
		m, in := newMonitor(c.live), query(t, c.in)
		m.every = c.every
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
		{"another value", "", 5, 2, NotifyChange},
		{"another value within pmin", "pmin=10", 5, 2, Hold},
		{"another value at pmin", "pmin=10", 10, 2, NotifyChange},
		{"the known value before pmax", "pmax=10", 9, 1, Keep},
		{"the known value at pmax", "pmax=10", 10, 1, NotifyPeriod},
		{"the known value at a pmax below pmin", "pmin=20&pmax=10", 15, 1, Keep},
	} {
		m, in := newMonitor(false), query(t, c.in)
		if got := m.Decide(at(c.now), &in, text(c.print)); got != c.want {
			t.Errorf("%s: decision %d, want %d", c.name, got, c.want)
		}
		if m.Pending() != (c.want == Hold) {
			t.Errorf("%s: a sample is pending is %t", c.name, m.Pending())
		}
	}
}

// TestConditions shows which values are notified, beginning with a value that the server knows.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		in     string
		values []float64 // the first is in the answer
		want   []bool    // of the others
	}{
		{"gt=25", []float64{20, 25, 25.5, 30, 25, 26}, []bool{false, true, false, true, true}},
		{"lt=25", []float64{30, 25, 24.5, 10, 25, 24}, []bool{false, true, false, true, true}},
		{"gt=25&lt=5", []float64{20, 10, 4, 20, 30, 0}, []bool{false, true, true, true, true}},
		{"gt=-5", []float64{-10, -5, -4}, []bool{false, true}},
		{"st=2", []float64{20, 21, 21.9, 22, 23, 20}, []bool{false, false, true, false, true}},
		{"st=2&gt=100", []float64{20, 21, 22, 101, 102}, []bool{false, true, true, false}},
		{"gt=25&st=100", []float64{20, 26, 27}, []bool{true, false}},
		{"edge=1", []float64{0, 1, 0, 1, 1}, []bool{true, false, true, false}},
		{"edge=0", []float64{0, 1, 0, 1}, []bool{false, true, false}},
		// Contradictions are as if nothing was there.
		{"gt=5&lt=5", []float64{20, 21}, []bool{true}},
		{"gt=5&lt=0&st=2.5", []float64{20, 21}, []bool{true}},
		{"gt=5&lt=0&st=2.4", []float64{20, 21}, []bool{false}},
	} {
		in := query(t, c.in)
		m := NewMonitor(0, number(c.values[0]))
		for i, v := range c.values[1:] {
			d := m.Decide(at(float64(i)), &in, number(v))
			if d.Notifies() != c.want[i] {
				t.Errorf("%s %v: decision %d on %v", c.in, c.values, d, v)
			}
			if d.Notifies() {
				m.Notified(at(float64(i)), number(v))
			}
		}
	}
}

// A crossing during pmin is not forgotten, even if the value is back.
func TestCrossingDuringPmin(t *testing.T) {
	in := query(t, "pmin=10&gt=25")
	m := NewMonitor(0, number(20))
	if m.Changed(); !m.EvaluatesChanges(at(3), &in) || m.Next(&in) != at(0) {
		t.Error("a change within pmin is not evaluated")
	}
	m.Sampling()
	if d := m.Decide(at(3), &in, number(30)); d != Hold || !m.Due() || m.Next(&in) != at(10) {
		t.Errorf("a crossing within pmin: decision %d, next %v", d, m.Next(&in))
	}
	if d := m.Decide(at(4), &in, number(20)); d != Hold || m.Next(&in) != at(10) {
		t.Errorf("the value is back within pmin: decision %d, next %v", d, m.Next(&in))
	}
	if d := m.Decide(at(10), &in, number(20)); d != NotifyCondition {
		t.Errorf("at pmin: decision %d", d)
	}
	m.Notified(at(10), number(20))
	if d := m.Decide(at(25), &in, number(21)); d != Keep || m.Due() || m.Next(&in) != Never {
		t.Errorf("afterwards: decision %d, next %v", d, m.Next(&in))
	}
	none := Set{}
	if m.EvaluatesChanges(at(25), &none) {
		t.Error("a change without conditions is evaluated at once")
	}
}

// Each resource instance is compared by itself, and one that comes or goes is a reason to notify.
func TestResourceInstances(t *testing.T) {
	in := query(t, "gt=25")
	values := func(v ...Value) *Sample { return &Sample{Values: v} }
	m := NewMonitor(0, values(Value{Key: 1, Number: 20}, Value{Key: 2, Number: 30}))
	for i, c := range []struct {
		s    *Sample
		want Decision
	}{
		{values(Value{Key: 1, Number: 10}, Value{Key: 2, Number: 40}), Keep},
		{values(Value{Key: 1, Number: 26}, Value{Key: 2, Number: 40}), NotifyCondition},
		{values(Value{Key: 1, Number: 27}), NotifyCondition},
		{values(Value{Key: 1, Number: 28}), Keep},
		{values(Value{Key: 0, Number: 1}, Value{Key: 1, Number: 28}), NotifyCondition},
		{values(Value{Key: 1, Number: 28}, Value{Key: 0, Number: 1}), Keep},
		{values(Value{Key: 2, Number: 28}, Value{Key: 0, Number: 1}), NotifyCondition},
	} {
		if d := m.Decide(at(float64(i)), &in, c.s); d != c.want {
			t.Errorf("sample %d: decision %d, want %d", i, d, c.want)
		} else if d.Notifies() {
			m.Notified(at(float64(i)), c.s)
		}
	}
}

// A difference below the dead band is no change; value conditions ignore the dead band.
func TestDeadBand(t *testing.T) {
	banded := func(v float64) *Sample { return &Sample{Values: []Value{{Number: v, Band: 2}}} }
	none, gt := Set{}, query(t, "gt=20.5")
	m := NewMonitor(0, banded(20))
	if d := m.Decide(at(1), &none, banded(21.5)); d != Keep {
		t.Errorf("within the band: decision %d", d)
	}
	if d := m.Decide(at(1), &none, banded(22)); d != NotifyChange {
		t.Errorf("at the band: decision %d", d)
	}
	if d := m.Decide(at(1), &gt, banded(21)); d != NotifyCondition {
		t.Errorf("across gt within the band: decision %d", d)
	}
	if d := m.Decide(at(1), &none, &Sample{}); d != NotifyCondition {
		t.Errorf("without the value: decision %d", d)
	}
}

// A value that is held back is sampled when pmin has passed, and one that is back by then is kept.
func TestMonitorThroughTime(t *testing.T) {
	in := query(t, "pmin=10&pmax=60")
	m := newMonitor(false)
	m.Changed()
	m.Sampling()
	if d := m.Decide(at(3), &in, text(2)); d != Hold || m.Next(&in) != at(10) {
		t.Errorf("within pmin: decision %d, next %v", d, m.Next(&in))
	}
	m.Sampling()
	if d := m.Decide(at(10), &in, text(1)); d != Keep || m.Next(&in) != at(60) {
		t.Errorf("back at pmin: decision %d, next %v", d, m.Next(&in))
	}
	if d := m.Decide(at(20), &in, text(3)); d != NotifyChange {
		t.Errorf("a new value: decision %d", d)
	}
	m.Notified(at(20), text(3))
	if d := m.Decide(at(31), &in, text(3)); d != Keep || m.Next(&in) != at(80) {
		t.Errorf("after a notification: decision %d, next %v", d, m.Next(&in))
	}
	// What the server wrote itself is known to it; what it cannot know is a reason to notify.
	m.Rebase(text(4))
	if d := m.Decide(at(35), &in, text(4)); d != Keep {
		t.Errorf("its own value: decision %d", d)
	}
	m.Forget()
	if d := m.Decide(at(35), &in, text(4)); d != NotifyChange {
		t.Errorf("a value that it may not know: decision %d", d)
	}
}

func TestMonitorTriesAgain(t *testing.T) {
	in := query(t, "pmax=60")
	m := newMonitor(true)
	m.NotSent(at(5))
	if got := m.Next(&in); got != at(6) || !m.Pending() {
		t.Errorf("not sent: next %v", got)
	}
	m = newMonitor(true)
	m.Unreadable(at(5), true)
	if got := m.Next(&in); got != at(15) || !m.Pending() {
		t.Errorf("unreadable: next %v", got)
	}
	m = newMonitor(true)
	m.NoValue(at(5), &in, true)
	if got := m.Next(&in); got != at(60) || m.Pending() {
		t.Errorf("no value before pmax: next %v", got)
	}
	m.NoValue(at(60), &in, true)
	if got := m.Next(&in); got != at(70) {
		t.Errorf("no value at pmax: next %v", got)
	}
	m.NoValue(at(70), &in, false)
	if m.Live() {
		t.Error("it is live still")
	}
	none := Set{}
	if m.Next(&none) != Never {
		t.Errorf("without functions the next sample is at %v", m.Next(&none))
	}
	con := query(t, "con=1")
	if m.Confirmable(&none) || !m.Confirmable(&con) {
		t.Error("con is not evaluated")
	}
	// A notification that is due waits for the value.
	gt := query(t, "gt=25")
	m = NewMonitor(0, number(20))
	m.Decide(at(1), &gt, number(30))
	if m.NoValue(at(2), &gt, false); m.Next(&gt) != at(12) || !m.Due() {
		t.Errorf("no value for a notification that is due: next %v", m.Next(&gt))
	}
}

// The monitor allocates nothing.
func TestMonitorAllocations(t *testing.T) {
	m, in := newMonitor(true), query(t, "pmin=1&pmax=60&epmin=2&gt=25&st=1")
	s := &Sample{Print: 2, Live: true, Values: []Value{{Key: 1, Number: 1}, {Key: 2, Number: 2}}}
	m.Notified(0, s)
	if n := testing.AllocsPerRun(100, func() {
		s.Values[0].Number++
		m.Changed()
		_ = m.Next(&in)
		m.Sampling()
		if m.Decide(at(3), &in, s).Notifies() {
			m.Notified(at(3), s)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A contradiction that arises over several requests or levels makes the conditions invalid, not the
// request.
func TestContradictionsOverLevels(t *testing.T) {
	float := &registry.Resource{Type: registry.Float}
	var n Nodes
	for _, w := range []struct {
		p     dm.Path
		query string
	}{
		{dm.ResourcePath(3, 0, 7), "gt=5"}, {dm.ResourceInstancePath(3, 0, 7, 1), "lt=6"},
		{dm.ObjectPath(3), "epmin=10"}, {dm.InstancePath(3, 0), "epmax=10"},
		{dm.ObjectPath(3), "pmin=60"}, {dm.InstancePath(3, 0), "pmax=10"},
	} {
		set, err := n.At(w.p).Apply(edits(w.query), float)
		if err != nil {
			t.Fatal(err)
		}
		n.Put(w.p, set)
	}
	in := n.InForce(dm.ResourceInstancePath(3, 0, 7, 1))
	if _, ok := in.conditions(); ok || in.hasEpmax() || in.hasPmax() {
		t.Errorf("contradictions are in force: %v", in)
	}
	in = n.InForce(dm.ResourcePath(3, 0, 7))
	if _, ok := in.conditions(); !ok {
		t.Error("what is attached below an observed node counts for it")
	}
}
