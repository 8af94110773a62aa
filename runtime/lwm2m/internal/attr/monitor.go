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

// A Monitor decides for one observation when its node is sampled and when its server is notified.
// It is told what happens (a change, a sample, a notification) together with the time, and answers
// what to do and when to look again. The values themselves it knows by a fingerprint, which differs
// where what would be sent differs.
//
// Pmin, Pmax, Epmin and Con are evaluated. Gt, Lt, St, Edge, Epmax and Hqmax are not: a change of
// the value is always a reason to notify.
type Monitor struct {
	reported sched.Time // when the last notification, or the answer to the Observe, was sent
	sampled  sched.Time // when the value was read last
	// No earlier, because the value could not be read or the notification not sent.
	notBefore sched.Time

	// What the server knows: what was reported last, or what it wrote itself.
	print uint64
	known bool

	changed bool // something has changed since the last sample
	live    bool // functions give values of the node
}

// NewMonitor returns the Monitor of an observation that begins now: the answer to the Observe
// carried the value with the fingerprint. live says that functions give values of the node.
func NewMonitor(now sched.Time, fingerprint uint64, live bool) Monitor {
	return Monitor{reported: now, sampled: now, print: fingerprint, known: true, live: live}
}

// Changed takes note that the node may have changed: it is sampled as soon as Pmin allows.
func (m *Monitor) Changed() { m.changed = true }

// Pending reports whether a change waits for its sample.
func (m *Monitor) Pending() bool { return m.changed }

// Live reports whether functions give values of the node.
func (m *Monitor) Live() bool { return m.live }

// bounds are the instants that the attributes in force lead to.
type bounds struct {
	pmin   sched.Time // no notification earlier
	pmax   sched.Time // a notification whatever the value, or Never
	sample sched.Time // the next sample of a live value, or Never
}

func (m *Monitor) bounds(in *Set) bounds {
	pmin, hasPmin := in.Get(Pmin)
	pmax, hasPmax := in.Get(Pmax)
	epmin, hasEpmin := in.Get(Epmin)
	b := bounds{pmin: max(after(m.reported, pmin), m.notBefore), pmax: Never, sample: Never}
	if pmax > 0 && pmax >= pmin { // otherwise it is ignored (Core 1.2.2 §5.1.2)
		b.pmax = max(after(m.reported, pmax), m.notBefore)
	}
	switch {
	case !m.live:
	case hasEpmin:
		b.sample = after(m.sampled, max(epmin, minSampling.Seconds()))
	case hasPmin || !hasPmax:
		b.sample = after(m.sampled, max(pmin, minSampling.Seconds()))
	}
	b.sample = max(b.sample, m.notBefore)
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
	if m.changed {
		next = min(next, b.pmin)
	}
	return next
}

// Sampling takes note that the value is being read: what changes from now on needs another sample.
func (m *Monitor) Sampling() { m.changed = false }

// Sampled takes note that the value was read, or that reading it failed. live says that functions
// give values of the node.
func (m *Monitor) Sampled(now sched.Time, live bool) { m.sampled, m.live = now, live }

// Decision is what to do with a sample.
type Decision uint8

// The decisions.
const (
	Keep   Decision = iota // do nothing: the server knows the value
	Hold                   // do nothing yet: the notification is due when Pmin has passed
	Notify                 // notify the server now
)

// Decide says what to do with the value that was sampled. A value that the server knows is no
// reason to notify before Pmax.
func (m *Monitor) Decide(now sched.Time, in *Set, fingerprint uint64) Decision {
	b := m.bounds(in)
	switch {
	case m.known && fingerprint == m.print && now < b.pmax:
		return Keep
	case now < b.pmin:
		m.changed = true
		return Hold
	}
	return Notify
}

// Confirmable reports whether notifications are confirmable, with the attributes in force.
func (m *Monitor) Confirmable(in *Set) bool {
	con, _ := in.Get(Con)
	return con != 0
}

// Notified takes note that a notification was handed over.
func (m *Monitor) Notified(now sched.Time, fingerprint uint64) {
	m.reported, m.print, m.known = now, fingerprint, true
}

// NotSent takes note that a notification could not be handed over: it is tried again with the value
// of then.
func (m *Monitor) NotSent(now sched.Time) { m.notBefore, m.changed = now.Add(resendAfter), true }

// NoValue takes note that there is no value at the moment. The server is not notified; where Pmax
// has passed, the value is tried again.
func (m *Monitor) NoValue(now sched.Time, in *Set) {
	if now >= m.bounds(in).pmax {
		m.notBefore = now.Add(rereadAfter)
	}
}

// Unreadable takes note that reading the value has failed: it is tried again.
func (m *Monitor) Unreadable(now sched.Time) { m.notBefore, m.changed = now.Add(rereadAfter), true }

// Rebase takes note that the server knows the value, because it wrote the value itself.
func (m *Monitor) Rebase(fingerprint uint64) { m.print, m.known = fingerprint, true }

// Forget takes note that it cannot be told what the server knows: whatever is sampled next is a
// reason to notify.
func (m *Monitor) Forget() { m.known = false }
