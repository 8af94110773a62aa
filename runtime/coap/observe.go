package coap

import (
	"bytes"
	"fmt"
	"slices"
	"time"

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

// An Observer hears of the end of an observation.
type Observer interface {
	// Cancelled is called once when the observation has ended, unless its own
	// side ended it by [Observation.Cancel] or by a notification with an error.
	Cancelled(o *Observation, why ObserveEnd)
}

// An Observation is a peer's interest in a resource (RFC 7641). It belongs to
// the goroutine of its connection.
type Observation struct {
	c        *Conn
	node     node[*Observation]
	observer Observer
	token    []byte
	key      uint64 // of the requests for further blocks
	ended    bool
	checked  sched.Time // when a notification was acknowledged last
	nons     [4]uint16  // message IDs of the last non-confirmable ones
	sentNons int
}

// A Notification is a new representation for an observer.
type Notification struct {
	// Response is the representation. A code of class 4 or 5 ends the
	// observation. NonConfirmable has no meaning here.
	Response
	// Confirmable asks for an acknowledgement. False: none, except that one
	// notification in 24 hours is confirmable all the same (RFC 7641 §4.5).
	Confirmable bool
	// Replace drops an earlier notification of this observation that has not
	// been sent yet; its outcome is [ErrSuperseded].
	Replace bool
	// Done is called exactly once if Notify returned nil: with nil when the peer
	// has acknowledged the notification, or when it was sent if no
	// acknowledgement was asked for; otherwise with the reason. Of a notification
	// in several blocks that is its first. Nil: nobody is told.
	Done func(err error)
}

// observationBytes is what an observation costs beyond its token.
const observationBytes = 256

// observeCheck is the longest time without a confirmable notification.
const observeCheck = 24 * time.Hour

// RespondObserve is [Request.Respond] that also begins the observation that
// the request asks for, if resp is a success. The observation is nil otherwise,
// when there are too many, and when the error is not nil.
func (r *Request) RespondObserve(resp *Response, observer Observer) (*Observation, error) {
	if !r.hasObserve || r.observe != ObserveRegister || observer == nil {
		return nil, fmt.Errorf("%w: RespondObserve without an observer or for a request that does not ask for it", ErrUsage)
	}
	if !resp.Code.IsSuccess() || r.answered || r.c.closed != nil {
		return nil, r.respond(resp)
	}
	c := r.c
	if old := c.observationFor(r.token); old != nil {
		old.end(ObserveReplaced)
	}
	if c.observations.n >= c.cfg.MaxObservations || !c.e.reserve(observationBytes+len(r.token)) {
		return nil, r.respond(resp)
	}
	o := &Observation{
		c: c, observer: observer, token: slices.Clone(r.token),
		key: c.transferKey(r, false), checked: c.e.sched.Now(),
	}
	c.observations.push(&o.node, o)
	r.relation = o
	err := r.respond(resp)
	if err != nil {
		o.Cancel()
		return nil, err
	}
	return o, nil
}

// Resume continues, on another connection of the same endpoint to the same peer,
// an observation that has ended because its own connection was closed: the peer
// knows it by its token still (for instance as its DTLS session goes on). The
// error is [ErrUsage] for one that has not ended, or of another endpoint, and
// matches [ErrClosed] when c is closed itself, and is [ErrBusy] when there are
// too many.
func (c *Conn) Resume(old *Observation) (*Observation, error) {
	if !old.ended || old.c.e != c.e {
		return nil, fmt.Errorf("%w: Resume of an observation that goes on, or of another endpoint", ErrUsage)
	}
	if c.closed != nil {
		return nil, c.closed
	}
	if other := c.observationFor(old.token); other != nil {
		other.end(ObserveReplaced)
	}
	if c.observations.n >= c.cfg.MaxObservations || !c.e.reserve(observationBytes+len(old.token)) {
		return nil, ErrBusy
	}
	o := &Observation{c: c, observer: old.observer, token: old.token, key: old.key, checked: old.checked}
	c.observations.push(&o.node, o)
	// Sequence numbers go on where the peer saw the last one (RFC 7641 §4.4).
	if d := (old.c.observeSeq - c.observeSeq) & (1<<24 - 1); d < 1<<23 {
		c.observeSeq = old.c.observeSeq
	}
	return o, nil
}

// Conn is the connection the observation belongs to.
func (o *Observation) Conn() *Conn { return o.c }

// Token is the token the peer chose for the observation.
func (o *Observation) Token() []byte { return o.token }

// Ended reports whether the observation is over.
func (o *Observation) Ended() bool { return o.ended }

// Notify sends n, in turn with other messages. n and what it holds are not
// kept. An error means that nothing is sent and n.Done is not called: the
// observation is over ([ErrCancelled]), too much is queued ([ErrBusy]), or n
// cannot be encoded. A source is closed in every case.
func (o *Observation) Notify(n *Notification) error {
	if o.ended {
		closeSource(n.Source)
		return ErrCancelled
	}
	if !n.Code.IsSuccess() && !n.Code.IsError() {
		closeSource(n.Source)
		return fmt.Errorf("%w: a notification with the code %v", ErrUsage, n.Code)
	}
	c := o.c
	if n.Replace {
		o.supersede()
	}
	m, t, err := c.notification(o, n)
	if err == nil {
		if c.e.sched.Now() >= o.checked+sched.Time(observeCheck) || n.Confirmable {
			m.Type = Confirmable
		}
		err = o.send(m, n.Done)
	}
	if err != nil {
		if t != nil {
			t.end(err)
		}
		return err
	}
	if n.Code.IsError() {
		o.remove()
	}
	return nil
}

// notification builds the message, and the snapshot if it takes several blocks.
func (c *Conn) notification(o *Observation, n *Notification) (*Message, *transfer, error) {
	opts := &c.e.opts
	opts.CopyFrom(&n.Options)
	if n.Code.IsSuccess() {
		opts.SetUint(OptionObserve, c.nextSequence())
	}
	m := &c.e.msg2
	*m = Message{Type: NonConfirmable, Code: n.Code, Token: o.token}
	size := int64(len(n.Body))
	if n.Source != nil {
		size = n.SourceSize
	}
	szx := c.fitting(c.maxSZX(), opts.Len(), len(o.token), size)
	whole := size <= int64(c.blockBytes(szx, opts.Len(), len(o.token)))
	if c.stream != nil {
		whole = size <= int64(c.stream.peerMax-overhead-opts.Len()-len(o.token))
	}
	if whole {
		body, err := c.wholeBody(&n.Response)
		m.Options, m.Payload = *opts, body
		return m, nil, err
	}
	t, err := c.snapshot(o.key, &n.Response)
	if err != nil {
		return nil, nil, err
	}
	if tag, ok := t.options.ETag(); ok {
		opts.Set(OptionETag, tag)
	}
	m.Payload, err = c.snapshotBlock(t, &Block{SZX: szx}, opts, len(o.token))
	m.Options = *opts
	return m, t, err
}

// send sends a notification and has done told of its outcome.
func (o *Observation) send(m *Message, done func(error)) error {
	c := o.c
	switch {
	case c.stream != nil:
		if err := c.stream.send(m); err != nil {
			return err
		}
	case m.Type == Confirmable:
		d := c.e.newDelivery(o, done)
		if _, err := c.transmit(d, m); err != nil {
			c.e.freeDelivery(d)
			return err
		}
		c.pump()
		return nil
	default:
		mid, err := c.sendNon(m)
		if err != nil {
			return err
		}
		o.noteNon(mid)
	}
	if done != nil {
		done(nil)
	}
	return nil
}

// Cancel ends the observation without telling the peer; its next notification
// would have been an error, or the peer is known to be gone. Notifications that
// wait have the outcome [ErrCancelled].
func (o *Observation) Cancel() { o.remove(); o.dropUnsent(ErrCancelled, true) }

// end ends the observation and tells the observer.
func (o *Observation) end(why ObserveEnd) {
	if o.ended {
		return
	}
	o.remove()
	o.dropUnsent(ErrCancelled, true)
	o.observer.Cancelled(o, why)
}

func (o *Observation) remove() {
	if o.ended {
		return
	}
	o.ended = true
	o.c.e.unreserve(observationBytes + len(o.token))
	o.node.remove()
}

// supersede drops what waits in the queue.
func (o *Observation) supersede() { o.dropUnsent(ErrSuperseded, false) }

// dropUnsent gives up the notifications in the queue, and with sent those on
// their way too.
func (o *Observation) dropUnsent(reason error, sent bool) {
	for n := o.c.queue.head; n != nil; {
		if d, ok := n.value.owner.(*delivery); ok && d.o == o {
			n.value.fail(reason)
			n = o.c.queue.head // the list may have changed
			continue
		}
		n = n.next
	}
	for sent {
		var t *transmission
		for _, other := range o.c.sent.m {
			if d, ok := other.owner.(*delivery); ok && d.o == o && (t == nil || other.number < t.number) {
				t = other
			}
		}
		if t == nil {
			return
		}
		t.fail(reason)
	}
}

func (o *Observation) noteNon(mid uint16) {
	o.nons[o.sentNons%len(o.nons)] = mid
	o.sentNons++
}

// sentNon reports whether mid is that of a recent non-confirmable notification.
func (o *Observation) sentNon(mid uint16) bool {
	return slices.Contains(o.nons[:min(o.sentNons, len(o.nons))], mid)
}

func (c *Conn) observationFor(token []byte) *Observation {
	for n := c.observations.head; n != nil; n = n.next {
		if bytes.Equal(n.value.token, token) {
			return n.value
		}
	}
	return nil
}

func (c *Conn) deregister(token []byte) {
	if o := c.observationFor(token); o != nil {
		o.end(ObserveDeregistered)
	}
}

// nextSequence is the value of the next Observe option. It grows by one for
// all observations of the connection together, so that a token that is used
// again never goes back (RFC 7641 §4.4).
func (c *Conn) nextSequence() uint32 {
	c.observeSeq = (c.observeSeq + 1) & (1<<24 - 1)
	return c.observeSeq
}

// A delivery is the sender of a confirmable notification.
type delivery struct {
	o    *Observation
	done func(error)
}

func (d *delivery) acked() {
	d.o.checked = d.o.c.e.sched.Now()
	d.settle(nil)
}

func (d *delivery) failed(err error) {
	o := d.o
	c := o.c
	d.settle(err)
	switch {
	case c.closed != nil || o.ended:
	case err == ErrReset:
		o.end(ObserveReset)
	case isTimeout(err) && !c.cfg.KeepOnTimeout:
		o.end(ObserveTimedOut)
	}
}

func (d *delivery) settle(err error) {
	e, done := d.o.c.e, d.done
	e.freeDelivery(d)
	if done != nil {
		done(err)
	}
}

func (e *Endpoint) newDelivery(o *Observation, done func(error)) *delivery {
	if n := len(e.deliveries); n > 0 {
		d := e.deliveries[n-1]
		e.deliveries = e.deliveries[:n-1]
		d.o, d.done = o, done
		return d
	}
	return &delivery{o, done}
}

func (e *Endpoint) freeDelivery(d *delivery) {
	*d = delivery{}
	if len(e.deliveries) < maxFreeTransmissions {
		e.deliveries = append(e.deliveries, d)
	}
}
