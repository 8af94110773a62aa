package coap

import (
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// duplicates recognizes messages that arrive more than once within EXCHANGE_LIFETIME, or
// NON_LIFETIME if they are not confirmable (RFC 7252 §4.5), and keeps the answers for repetitions.
// Message IDs and answers are those of the wire: it works below any [Layer].
type duplicates struct {
	*shared
	history
	charged int        // bytes charged for the history, at most ConnConfig.MaxHistory
	expiry  sched.Job  // when the next entry of the history expires
	due     sched.Time // of expiry
	frozen  sched.Time // the time that counts, never: that of the scheduler
}

// The loop may have stood still, because the machine was suspended: then messages that have arrived
// before, or in the meantime, are read now, and nobody knows when they arrived. So nothing expires
// before the loop has had the time to read them.
const (
	// late is how late the expiry is if the loop has stood still.
	late = sched.Time(10 * time.Millisecond)
	// catchUp is how long the loop has to read what has arrived.
	catchUp = sched.Time(time.Second)
)

// now is the time that the expiry of entries is compared with.
func (d *duplicates) now(now sched.Time) sched.Time {
	switch {
	case d.frozen != never:
		return d.frozen
	case d.expiry.Pending() && now > d.due+late:
		return d.due - 1
	}
	return now
}

func (d *duplicates) init(s *shared) {
	d.shared = s
	d.expiry.Func = d.forgetExpired
	d.frozen = never
}

// add remembers a confirmable or non-confirmable message and returns the number of its entry.
func (d *duplicates) add(m *Message, now sched.Time) uint32 {
	return d.addUntil(m.MessageID, markOf(m), now, now+d.lifetime[m.Type])
}

// addUntil is add with the time at which the entry expires.
func (d *duplicates) addUntil(mid uint16, mark uint32, now, expires sched.Time) uint32 {
	n := d.history.add(mid, mark, d.now(now), expires, d)
	if !d.expiry.Pending() {
		d.expireAt(expires)
	}
	return n
}

// forget forgets entry n: its message ID counts as new again.
func (d *duplicates) forget(n uint32) { d.history.forget(n) }

// storeAnswer stores the answer to entry n for repetitions.
func (d *duplicates) storeAnswer(n uint32, answer []byte) {
	d.history.storeAnswer(n, answer, d.cfg.MaxHistory/2, d)
}

// find is the entry of a message that has not expired, or nil.
func (d *duplicates) find(m *Message, now sched.Time) *arrival {
	return d.history.find(m.MessageID, markOf(m), d.now(now))
}

func (d *duplicates) expireAt(t sched.Time) {
	d.due = t
	d.e.sched.At(&d.expiry, t)
}

func (d *duplicates) forgetExpired() {
	now := d.e.sched.Now()
	if d.frozen == never && now > d.due+late {
		d.frozen = d.due - 1
		d.expireAt(now + catchUp)
		return
	}
	d.frozen = never
	if next, more := d.history.expire(now, d); more {
		d.expireAt(next)
	}
}

func (d *duplicates) close() {
	d.e.sched.Cancel(&d.expiry)
	d.history.reset(d)
}

// charge accounts for memory of the history.
func (d *duplicates) charge(bytes int) bool {
	if d.charged+bytes > d.cfg.MaxHistory || !d.e.reserve(bytes) {
		return false
	}
	d.charged += bytes
	return true
}

// refund is the opposite of charge.
func (d *duplicates) refund(bytes int) {
	d.charged -= bytes
	d.e.unreserve(bytes)
}
