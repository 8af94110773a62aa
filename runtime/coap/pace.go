package coap

import (
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A pace limits the notifications to one peer: no more than one non-confirmable notification for
// each round trip, or in 3 s while the round-trip time is not known (RFC 7641 §4.5.1).
// Acknowledgements measure the round-trip time. Where there are none, a notification is sent
// confirmable now and then.
type pace struct {
	known      bool
	rtt        sched.Time // smoothed, if known
	last       sched.Time // when the last notification was sent; never: none
	lastNon    sched.Time // the same of the non-confirmable ones
	unmeasured int        // non-confirmable ones since the last measurement
	held       bool       // one has waited without a known round-trip time
}

const (
	// unknownRTT stands for the round-trip time until it is known (RFC 7641 §4.5.1).
	unknownRTT = sched.Time(3 * time.Second)
	// leastRTT is the round-trip time below which notifications are not limited: that is a local
	// link.
	leastRTT = sched.Time(time.Millisecond)
	// A notification is confirmable after this many that were not and measured nothing. The
	// second number is for a round-trip time above 3 s, which slows notifications down.
	measureAfter     = 64
	measureSlowAfter = 4
)

func newPace() pace { return pace{last: never, lastNon: never} }

// next is when the next notification may be sent, with this spacing between any two.
func (p *pace) next(spacing sched.Time) sched.Time {
	var at sched.Time
	if p.lastNon != never {
		at = p.lastNon + p.interval()
	}
	if p.last != never {
		at = max(at, p.last+spacing)
	}
	return at
}

// interval is the time between two non-confirmable notifications.
func (p *pace) interval() sched.Time {
	switch {
	case !p.known:
		return unknownRTT
	case p.rtt < leastRTT:
		return 0
	}
	return p.rtt
}

// mustMeasure reports whether the next notification must be confirmable.
func (p *pace) mustMeasure() bool {
	if !p.known && p.held || p.unmeasured >= measureAfter {
		return true
	}
	return p.known && p.rtt > unknownRTT && p.unmeasured >= measureSlowAfter
}

// onSent notes that a notification was sent.
func (p *pace) onSent(now sched.Time, confirmable bool) {
	p.last = now
	if !confirmable {
		p.lastNon = now
		p.unmeasured++
	}
}

// measure takes the time from the first transmission of a message to its acknowledgement. After
// retransmissions that is too long unless the first one was acknowledged, so that it counts less,
// and not at all after the third transmission.
func (p *pace) measure(rtt sched.Time, retransmissions int) {
	p.unmeasured, p.held = 0, false
	switch {
	case retransmissions > 2:
	case !p.known:
		p.known, p.rtt = true, rtt
	case retransmissions > 0:
		p.rtt += (rtt - p.rtt) / 4
	default:
		p.rtt += (rtt - p.rtt) / 2
	}
}
