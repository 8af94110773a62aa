package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// A midAllocator allocates message IDs in sequence from a random start, so that none is used
// twice within EXCHANGE_LIFETIME (RFC 7252 §4.4). For each sixteenth of the numbers it remembers
// when the last of them was allocated.
type midAllocator struct {
	next uint16
	used [16]sched.Time // when the last of each sixteenth was allocated; 0: never
}

const midShare = 1 << 12

// allocate returns the next message ID. If none is free, free is when one will be.
func (a *midAllocator) allocate(now, lifetime sched.Time) (mid uint16, free sched.Time, ok bool) {
	share := &a.used[a.next/midShare]
	if a.next%midShare == 0 && *share != 0 && now < *share+lifetime {
		return 0, *share + lifetime, false
	}
	mid = a.next
	a.next++
	*share = max(now, 1)
	return mid, 0, true
}
