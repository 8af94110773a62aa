package coap

// A Priority orders the messages that wait because NSTART interactions with the peer are
// outstanding (RFC 7252 §4.7): those of a higher priority are sent first, and those of one
// priority in the order in which they were queued.
type Priority int8

// The priorities. The zero value is PriorityNormal, which separate responses and pings have.
// Notifications are sent among the messages of PriorityNormal, in the order of queueing.
const (
	// PriorityLow is for what may wait for everything else.
	PriorityLow Priority = iota - 1
	PriorityNormal
	// PriorityHigh is for what keeps the relation with the peer alive, such as a registration. It
	// does not wait for outstanding messages of lower priority: one of them is suspended, and
	// retransmitted later.
	PriorityHigh
)

func (p Priority) valid() bool { return p >= PriorityLow && p <= PriorityHigh }

// A sendQueue holds the transmissions that wait for their turn.
type sendQueue struct {
	lists [PriorityHigh - PriorityLow + 1]list[*transmission] // the highest priority first
}

func (q *sendQueue) list(p Priority) *list[*transmission] { return &q.lists[PriorityHigh-p] }

// first is the transmission to send next.
func (q *sendQueue) first() (t *transmission, ok bool) {
	for i := range q.lists {
		if t, ok = q.lists[i].first(); ok {
			return t, true
		}
	}
	return nil, false
}

// len is the number of waiting transmissions.
func (q *sendQueue) len() int {
	n := 0
	for i := range q.lists {
		n += q.lists[i].n
	}
	return n
}
