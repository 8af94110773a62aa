package coap

import (
	"bytes"
	"fmt"
	"slices"
)

// observations are the peer's interests in resources of this endpoint (RFC 7641), and the
// notifications that they are sent.
type observations struct {
	*shared
	transfers          *transfers
	list[*Observation]           // in the order they began
	sequence           uint32    // of the last notification
	numbered           bool      // sequence is not only a random start
	continued          bool      // sequence is that of the last connection
	noting             *delivery // of the Notify that is running
	noteErr            error     // its error
}

func (os *observations) init(s *shared) {
	os.shared = s
	os.sequence = s.e.rand.Uint32() & 0xffff
}

// begin begins an observation, in place of one with the same token. It returns nil when there are
// too many.
func (os *observations) begin(token, cacheKey []byte, binding Binding, observer Observer) *Observation {
	o := &Observation{observer: observer, binding: binding, checked: os.e.sched.Now()}
	o.identify(os.e, token, cacheKey)
	if !os.add(o) {
		return nil
	}
	return o
}

// identify sets copies of the token and the cache key.
func (o *Observation) identify(e *Endpoint, token, cacheKey []byte) {
	both := slices.Concat(token, cacheKey)
	o.token, o.cacheKey = both[:len(token):len(token)], both[len(token):]
	o.key = e.hashKey(cacheKey)
}

// resume continues an observation of a connection that was closed.
func (os *observations) resume(old *Observation) (*Observation, error) {
	if !old.ended || old.in.e != os.e {
		return nil, fmt.Errorf("%w: Resume of an observation that has not ended, or of another endpoint", ErrUsage)
	}
	if os.closed != nil {
		return nil, os.closed
	}
	o := &Observation{
		observer: old.observer, token: old.token, cacheKey: old.cacheKey, key: old.key, binding: old.binding,
		checked: old.checked, nons: old.nons, nextNon: old.nextNon, hasNons: old.hasNons,
		szx: old.szx, hasBlock: old.hasBlock, unsure: old.unsure,
	}
	if !os.add(o) {
		return nil, ErrBusy
	}
	if !os.pace.known {
		os.pace = old.in.pace // it is the same peer
	}
	os.continueFrom(old.in.sequence)
	return o, nil
}

// continueFrom continues the sequence numbers where the peer saw the last one (RFC 7641 §4.4),
// unless they are beyond it.
func (os *observations) continueFrom(sequence uint32) {
	if d := (sequence - os.sequence) & (1<<24 - 1); d < 1<<23 || !os.numbered {
		os.sequence, os.numbered = sequence&(1<<24-1), true
	}
}

func (os *observations) add(o *Observation) bool {
	if old := os.find(o.token); old != nil {
		old.end(ObserveReplaced)
	}
	if os.n >= os.cfg.MaxObservations || !os.e.reserve(o.bytes()) {
		return false
	}
	o.in = os
	os.push(&o.node, o)
	return true
}

func (os *observations) find(token []byte) *Observation {
	for n := os.head; n != nil; n = n.next {
		if bytes.Equal(n.value.token, token) {
			return n.value
		}
	}
	return nil
}

// deregister ends the observation with this token at the request of the peer.
func (os *observations) deregister(token []byte) {
	if o := os.find(token); o != nil {
		o.end(ObserveDeregistered)
	}
}

// reset ends the observation whose non-confirmable notification the peer rejected. It reports
// whether there is one.
func (os *observations) reset(mid uint16) bool {
	for n := os.head; n != nil; n = n.next {
		if n.value.hasSentNon(mid) {
			n.value.end(ObserveReset)
			return true
		}
	}
	return false
}

// nextSequence is the value of the next Observe option. It grows by one for all observations of
// the connection together, so that it never decreases for a token that is used again
// (RFC 7641 §4.4).
func (os *observations) nextSequence() uint32 {
	os.sequence, os.numbered = (os.sequence+1)&(1<<24-1), true
	return os.sequence
}

// close ends all observations in the order they began.
func (os *observations) close() {
	for o, ok := os.first(); ok; o, ok = os.first() {
		o.end(ObserveClosed)
	}
}
