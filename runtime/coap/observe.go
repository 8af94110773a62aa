package coap

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// ObserveEnd is why an observation ended.
type ObserveEnd uint8

// The reasons for the end of an observation.
const (
	// ObserveReset: the peer rejected a notification (RFC 7641 §3.6).
	ObserveReset ObserveEnd = iota + 1
	// ObserveDeregistered: the peer asked for the end (RFC 7641 §3.6).
	ObserveDeregistered
	// ObserveReplaced: the peer began an observation with the same token.
	ObserveReplaced
	// ObserveTimedOut: a notification was not acknowledged (RFC 7641 §4.5).
	ObserveTimedOut
	// ObserveClosed: the connection was closed.
	ObserveClosed
)

// String is the reason in words.
func (e ObserveEnd) String() string {
	switch e {
	case ObserveReset:
		return "rejected by the peer"
	case ObserveDeregistered:
		return "deregistered by the peer"
	case ObserveReplaced:
		return "replaced by a new observation"
	case ObserveTimedOut:
		return "notification not acknowledged"
	case ObserveClosed:
		return "connection closed"
	}
	return "unknown"
}

// An Observer is told of the end of an observation.
type Observer interface {
	// Cancelled is called once when the observation has ended, unless its own side ended it by
	// [Observation.Cancel] or by a notification with an error.
	Cancelled(o *Observation, why ObserveEnd)
}

// An Observation is a peer's interest in a resource (RFC 7641). It belongs to the goroutine of its
// connection.
type Observation struct {
	in         *observations
	node       node[*Observation] // in in.list
	observer   Observer
	token      []byte
	cacheKey   []byte          // of the requests for further blocks
	key        uint64          // its hash
	binding    Binding         // of the Layer, or nil
	turn       uint64          // when its last notification was sent, in the order of the queue
	checked    sched.Time      // when a notification was last acknowledged
	deliveries list[*delivery] // notifications without an outcome, the oldest first
	nons       [4]uint16       // message IDs of the last non-confirmable ones
	nextNon    uint8           // the index of the next one
	hasNons    uint8           // how many there are
	szx        uint8           // of the block size that the peer asked for
	hasBlock   bool            // it asked for one
	unsure     bool            // the last confirmable notification was not acknowledged
	ended      bool
}

// observationBytes is what an observation costs in addition to its token and its cache key.
const observationBytes = 256

// bytes is what the observation costs.
func (o *Observation) bytes() int { return observationBytes + len(o.token) + len(o.cacheKey) }

// Conn is the connection that the observation belongs to.
func (o *Observation) Conn() *Conn { return o.in.conn }

// Token is the token that the peer chose for the observation.
func (o *Observation) Token() []byte { return o.token }

// Ended reports whether the observation is over.
func (o *Observation) Ended() bool { return o.ended }

// Cancel ends the observation without telling the peer: for a peer that is known to be gone.
// Notifications that wait, for their turn or for their acknowledgement, have the outcome
// [ErrCancelled]. The turn of one that is retransmitted passes to the next message at once.
func (o *Observation) Cancel() {
	o.remove()
	o.cancelUnsent(ErrCancelled)
	o.cancelSent(ErrCancelled)
}

// end ends the observation and tells the observer.
func (o *Observation) end(why ObserveEnd) {
	if o.ended {
		return
	}
	o.Cancel()
	o.observer.Cancelled(o, why)
}

func (o *Observation) remove() {
	if o.ended {
		return
	}
	o.ended = true
	o.in.e.unreserve(o.bytes())
	o.node.remove()
}

// noteNon notes the message ID of a non-confirmable notification.
func (o *Observation) noteNon(mid uint16) {
	o.nons[o.nextNon] = mid
	o.nextNon = (o.nextNon + 1) % uint8(len(o.nons))
	o.hasNons = min(o.hasNons+1, uint8(len(o.nons)))
}

// hasSentNon reports whether mid is that of a recent non-confirmable notification.
func (o *Observation) hasSentNon(mid uint16) bool {
	return slices.Contains(o.nons[:o.hasNons], mid)
}
