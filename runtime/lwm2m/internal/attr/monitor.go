package attr

import (
	"math"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Never is the instant that does not come.
const Never sched.Time = math.MaxInt64

// minSampling is the shortest time between two samples of a live value, whatever the attributes
// say.
const minSampling = time.Second

// rereadAfter is how long a value that could not be read is left alone.
const rereadAfter = 10 * time.Second

// resendAfter is how long a notification that could not be sent is held back.
const resendAfter = time.Second

// A Monitor decides for one observed node when it is sampled and when the server is notified. It is
// told what happens (a change, a sample, a notification) together with the time, and answers what
// to do and when to look again. An observation of several nodes has a Monitor for each.
type Monitor struct {
	reported  sched.Time // when the last notification, or the answer to the Observe, was sent
	evaluated sched.Time // when the value was read last
	// No earlier, because the value could not be read or the notification not sent.
	notBefore sched.Time

	// What the server knows: what was reported last, or what it wrote itself.
	print uint64
	list  []known
	known bool

	changed bool // something has changed since the last evaluation
	held    bool // the last evaluation has found a change, which has to wait for Pmin
	due     bool // a condition was met since the last notification
	live    bool // functions give values of the node
	every   time.Duration
}

// NewMonitor returns the Monitor of an observation that begins now: the answer to the Observe
// carried the sample.
func NewMonitor(now sched.Time, s *Sample) Monitor {
	m := Monitor{reported: now, evaluated: now, live: s.Live, every: s.Every}
	m.Rebase(s)
	return m
}

// Changed takes note that the node may have changed: it is evaluated as soon as the attributes
// allow.
func (m *Monitor) Changed() { m.changed = true }

// Pending reports whether a change waits for its evaluation.
func (m *Monitor) Pending() bool { return m.changed || m.held }

// Due reports whether a condition was met, so that a notification waits for Pmin.
func (m *Monitor) Due() bool { return m.due }

// Live reports whether functions give values of the node.
func (m *Monitor) Live() bool { return m.live }

// EvaluatesChanges reports whether a change is to be evaluated now, even before Pmin has passed,
// because value conditions are in force.
func (m *Monitor) EvaluatesChanges(now sched.Time, in *Set) bool {
	_, ok := in.conditions()
	return ok && now >= m.bounds(in).evaluation
}

// bounds are the instants that the attributes in force lead to.
type bounds struct {
	pmin       sched.Time // no notification earlier
	pmax       sched.Time // a notification whatever the value, or Never
	evaluation sched.Time // no evaluation earlier, except for pmax
	sample     sched.Time // the next sample of a live value, or Never
}

func (m *Monitor) bounds(in *Set) bounds {
	pmin, hasPmin := in.Get(Pmin)
	pmax, hasPmax := in.Get(Pmax)
	epmin, hasEpmin := in.Get(Epmin)
	epmax, _ := in.Get(Epmax)
	b := bounds{
		pmin: max(after(m.reported, pmin), m.notBefore), pmax: Never,
		evaluation: max(after(m.evaluated, epmin), m.notBefore), sample: Never,
	}
	if in.hasPmax() {
		b.pmax = max(after(m.reported, pmax), m.notBefore)
	}
	if !m.live {
		return b
	}
	// least is the shortest time between two samples.
	least := max(m.every, minSampling).Seconds()
	switch {
	case hasEpmin:
		b.sample = after(m.evaluated, max(epmin, least))
	case m.every > 0:
		b.sample = after(m.evaluated, least)
		if _, ok := in.conditions(); !ok {
			b.sample = max(b.sample, b.pmin) // an earlier sample could not be sent
		}
	case hasPmin || !hasPmax:
		b.sample = after(m.evaluated, max(pmin, least))
	}
	if in.hasEpmax() {
		b.sample = min(b.sample, after(m.evaluated, max(epmax, least)))
	}
	if b.sample != Never {
		b.sample = max(b.sample, m.notBefore)
	}
	return b
}

// after returns the instant some seconds after another.
func after(t sched.Time, seconds float64) sched.Time {
	return t.Add(time.Duration(min(seconds, 1<<32) * float64(time.Second)))
}

// Next returns when the value is to be sampled, with the attributes in force; Never where nothing
// but a change gives a reason to.
func (m *Monitor) Next(in *Set) sched.Time {
	b := m.bounds(in)
	next := min(b.pmax, b.sample)
	if m.due || m.held {
		next = min(next, b.pmin)
	}
	if m.changed {
		at := b.evaluation
		if _, ok := in.conditions(); !ok {
			at = max(at, b.pmin) // what happens before does not matter
		}
		next = min(next, at)
	}
	return next
}

// Certain reports whether a notification is due now, whatever the value is.
func (m *Monitor) Certain(now sched.Time, in *Set) bool {
	b := m.bounds(in)
	return now >= b.pmax || now >= b.pmin && (m.due || m.changed && !m.known)
}

// Sampling takes note that the value is being read: what changes from now on needs another sample.
func (m *Monitor) Sampling() { m.changed, m.held = false, false }

// Decision is what to do with a sample.
type Decision uint8

// The decisions.
const (
	Keep            Decision = iota // do nothing: the server knows the value
	Hold                            // do nothing yet: the notification is due when Pmin has passed
	NotifyChange                    // notify the server now, because the value has changed
	NotifyCondition                 // notify the server now, because a value condition was met
	NotifyPeriod                    // notify the server now, because Pmax has passed
)

// Notifies reports whether the server is to be notified now.
func (d Decision) Notifies() bool { return d >= NotifyChange }

// Decide says what to do with a sample, which is being evaluated.
func (m *Monitor) Decide(now sched.Time, in *Set, s *Sample) Decision {
	b := m.bounds(in)
	m.evaluated, m.live, m.every = now, s.Live, s.Every
	differs := false
	if c, ok := in.conditions(); ok {
		m.due = c.anyMet(m.list, s) || m.due || !m.known
	} else {
		differs = !m.known || s.Print != m.print || anyMoved(m.list, s)
		see(m.list, s)
	}
	switch {
	case !differs && !m.due:
		if now >= b.pmax {
			return NotifyPeriod
		}
		return Keep
	case now < b.pmin:
		m.held = differs
		return Hold
	case m.due:
		return NotifyCondition
	}
	return NotifyChange
}

// Confirmable reports whether notifications are confirmable, with the attributes in force.
func (m *Monitor) Confirmable(in *Set) bool {
	con, _ := in.Get(Con)
	return con != 0
}

// Notified takes note that a notification of the sample was handed over.
func (m *Monitor) Notified(now sched.Time, s *Sample) {
	m.reported, m.due = now, false
	m.Rebase(s)
}

// NotSent takes note that a notification could not be handed over: it is tried again with the value
// of then.
func (m *Monitor) NotSent(now sched.Time) { m.notBefore, m.changed = now.Add(resendAfter), true }

// NoValue takes note that there is no value at the moment. The server is not notified; where Pmax
// has passed, the value is tried again.
func (m *Monitor) NoValue(now sched.Time, in *Set, live bool) {
	b := m.bounds(in)
	if m.evaluated, m.live = now, live; now >= b.pmax || m.due {
		m.notBefore = now.Add(rereadAfter)
	}
}

// Unreadable takes note that reading the value has failed: it is tried again.
func (m *Monitor) Unreadable(now sched.Time, live bool) {
	m.evaluated, m.live = now, live
	m.notBefore, m.changed = now.Add(rereadAfter), true
}

// Rebase takes note that the server knows the sample, because it wrote the value itself.
func (m *Monitor) Rebase(s *Sample) {
	m.print, m.known, m.list = s.Print, true, m.list[:0]
	for i := range s.Values {
		v := &s.Values[i]
		m.list = append(m.list, known{v.Key, v.Number, v.Number})
	}
}

// Forget takes note that it cannot be told what the server knows: whatever is sampled next is a
// reason to notify.
func (m *Monitor) Forget() { m.known = false }
