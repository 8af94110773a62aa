package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// duplicates recognizes messages that arrive more than once within EXCHANGE_LIFETIME, or
// NON_LIFETIME if they are not confirmable (RFC 7252 §4.5), and keeps the answers for repetitions.
// Message IDs and answers are those of the wire: it works below any [Layer].
type duplicates struct {
	*shared
	history
	charged int       // bytes charged for the history, at most ConnConfig.MaxHistory
	expiry  sched.Job // when the next entry of the history expires
}

func (d *duplicates) init(s *shared) {
	d.shared = s
	d.expiry.Func = d.forgetExpired
}

// add remembers the message ID of a confirmable or non-confirmable message and returns the number
// of its entry.
func (d *duplicates) add(mid uint16, kind Type, now sched.Time) uint32 {
	return d.addUntil(mid, now, now+d.lifetime[kind])
}

// addUntil is add with the time at which the entry expires.
func (d *duplicates) addUntil(mid uint16, now, expires sched.Time) uint32 {
	n := d.history.add(mid, now, expires, d)
	if !d.expiry.Pending() {
		d.e.sched.At(&d.expiry, expires)
	}
	return n
}

// forget forgets entry n: its message ID counts as new again.
func (d *duplicates) forget(n uint32) { d.history.forget(n) }

// storeAnswer stores the answer to entry n for repetitions.
func (d *duplicates) storeAnswer(n uint32, answer []byte) {
	d.history.storeAnswer(n, answer, d.cfg.MaxHistory/2, d)
}

func (d *duplicates) forgetExpired() {
	if next, more := d.history.expire(d.e.sched.Now(), d); more {
		d.e.sched.At(&d.expiry, next)
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
