package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// midAllocator hands out message IDs in sequence from a random start, so that
// none is used twice within EXCHANGE_LIFETIME (RFC 7252 §4.4): it remembers for
// each sixteenth of the numbers when it was used last.
type midAllocator struct {
	next uint16
	used [16]sched.Time // when the last of a sixteenth was used; 0: never
}

const midShare = 1 << 12

// allocate is the next message ID; if none is free it says when one will be.
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
