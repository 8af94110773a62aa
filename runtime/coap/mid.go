package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// A midAllocator allocates message IDs from a random start, so that none is used twice within its
// lifetime: EXCHANGE_LIFETIME for a confirmable message, NON_LIFETIME for another (RFC 7252 §4.4,
// §4.8.2). The numbers are divided into shares. Each kind of message takes them from a share of its
// own, one after the other, and then takes the next free share. The last free share is kept for
// messages of high priority.
type midAllocator struct {
	start uint16                // the first number of share 0
	next  uint8                 // where the search for a free share begins
	lanes [midKinds]midLane     // by midKind
	free  [midShares]sched.Time // when each share can be used again; never: it belongs to a lane
}

// A midLane is the share that messages of one kind take their IDs from.
type midLane struct {
	share uint8
	left  uint16     // numbers left in the share
	until sched.Time // when the last of those that were used can be used again
}

// A midKind is a kind of message that has message IDs of its own.
type midKind uint8

const (
	midNon midKind = iota
	midCon
	midHigh // of high priority, confirmable or not
	midKinds
)

const (
	midShares    = 32
	midShareSize = 1 << 16 / midShares
	// midScarce is the number of free IDs below which notifications slow down.
	midScarce = 1 << 16 / 4

	never sched.Time = 1<<63 - 1
)

// allocate returns the next message ID of a kind. If none is free, at is when one will be.
func (a *midAllocator) allocate(kind midKind, now, lifetime sched.Time) (mid uint16, at sched.Time, ok bool) {
	l := &a.lanes[kind]
	if l.left == 0 {
		share, at, ok := a.findShare(kind == midHigh, now)
		if !ok {
			return 0, at, false
		}
		*l = midLane{share: share, left: midShareSize}
		a.free[share], a.next = never, (share+1)%midShares
	}
	mid = a.start + uint16(l.share)*midShareSize + midShareSize - l.left
	l.left--
	l.until = max(l.until, now+lifetime)
	if l.left == 0 {
		a.free[l.share] = l.until
	}
	return mid, 0, true
}

// findShare finds a free share, the last one only for messages of high priority. Otherwise at is
// when there will be one.
func (a *midAllocator) findShare(high bool, now sched.Time) (share uint8, at sched.Time, ok bool) {
	n, soonest := 0, never
	for i := range uint8(midShares) {
		s := (a.next + i) % midShares
		if a.free[s] > now {
			soonest = min(soonest, a.free[s])
			continue
		}
		if n++; n == 1 {
			share = s
		}
	}
	if n > 1 || n == 1 && high {
		return share, 0, true
	}
	return 0, soonest, false
}

// count is the number of message IDs that messages of normal priority can use now, and when there
// will be more.
func (a *midAllocator) count(now sched.Time) (n int, more sched.Time) {
	more, n = never, -midShareSize // the reserve
	for _, at := range a.free {
		if at <= now {
			n += midShareSize
		} else {
			more = min(more, at)
		}
	}
	return max(n, 0) + int(a.lanes[midNon].left) + int(a.lanes[midCon].left), more
}

// spacing is the time between two notifications with which the message IDs last until there are
// more: zero unless they are scarce.
func (a *midAllocator) spacing(now sched.Time) sched.Time {
	n, more := a.count(now)
	if n >= midScarce || more == never {
		return 0
	}
	return (more - now) / sched.Time(max(n, 1))
}
