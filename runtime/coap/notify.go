package coap

import (
	"fmt"
	"time"
)

// A Notification is a new representation for an observer.
type Notification struct {
	// Response is the representation. A code of class 4 or 5 ends the observation.
	// NonConfirmable has no meaning here.
	Response
	// Confirmable asks for an acknowledgement. The zero value means that a notification
	// is confirmable only where the round-trip time must be measured, where the last confirmable
	// one was not acknowledged, and once in 24 hours (RFC 7641 §4.5).
	Confirmable bool
	// Replace takes the place of the earlier notifications of this observation that have not
	// been sent yet. Their outcome is [ErrSuperseded].
	Replace bool
	// Refresh is called when it is the notification's turn, if it had to wait: it may change the
	// response to the state at that time, and must not use the connection. The response is a copy
	// of the one given. The zero value means that the response is sent as it was given.
	Refresh func(*Response)
	// Done is called exactly once if Notify returned nil: with nil when the peer has
	// acknowledged the notification, or when it was sent if no acknowledgement was asked for;
	// otherwise with the reason. For a notification in several blocks that is the outcome of
	// its first block. The zero value means that no callback is called.
	Done func(err error)
}

// maxUnconfirmed is the longest time without a confirmable notification.
const maxUnconfirmed = 24 * time.Hour

// Notify sends n when it is its turn: over datagrams as NSTART and the limit for non-confirmable
// notifications allow, over a stream when the peer reads. n and what it refers to are not kept. An
// error means that nothing is sent and n.Done is not called: the observation is over
// ([ErrCancelled]), the connection is closed ([ErrClosed]), too much is queued ([ErrBusy]), or n
// cannot be encoded. A source is closed in every case.
func (o *Observation) Notify(n *Notification) error {
	os := o.in
	if o.ended {
		closeSource(n.Source)
		return ErrCancelled
	}
	if os.closed != nil {
		closeSource(n.Source)
		return os.closed
	}
	if !n.Code.IsSuccess() && !n.Code.IsError() {
		closeSource(n.Source)
		return fmt.Errorf("%w: a notification with the code %v", ErrUsage, n.Code)
	}
	d := o.place(n)
	if d == nil {
		closeSource(n.Source)
		return ErrBusy
	}
	outer, outerErr := os.noting, os.noteErr
	os.noting, os.noteErr = d, nil
	os.carrier.pump()
	if d.note == n { // it has to wait
		if err := d.keep(); err != nil {
			d.fail(err)
		}
	}
	err := os.noteErr
	os.noting, os.noteErr = outer, outerErr
	if err == nil && n.Code.IsError() {
		o.remove()
	}
	return err
}

// place queues n. With Replace it takes the place of what waits. It returns nil when too much is
// queued.
func (o *Observation) place(n *Notification) *delivery {
	os := o.in
	var d *delivery
	if n.Replace {
		d = o.firstUnsent()
	}
	if d == nil {
		if os.notices.n >= os.cfg.MaxQueue {
			return nil
		}
		first := o.firstUnsent() == nil
		d = o.newDelivery(n.Done)
		d.note = n
		d.order = os.nextOrder()
		// The observation that has waited longest since its last notification is next.
		os.notices.pushBefore(&d.turn, d, func(other *delivery) bool { return first && other.o.turn > o.turn })
		return d
	}
	d.drop()
	superseded := []func(error){d.done}
	d.note, d.done = n, n.Done
	for n := d.node.next; n != nil; {
		next := n.next
		if other := n.value; other.turn.in != nil {
			superseded = append(superseded, other.done)
			other.free()
		}
		n = next
	}
	for _, done := range superseded {
		if done != nil {
			done(ErrSuperseded)
		}
	}
	return d
}

// firstUnsent is the first delivery that waits for its turn, or nil.
func (o *Observation) firstUnsent() *delivery {
	for n := o.deliveries.head; n != nil; n = n.next {
		if n.value.turn.in != nil {
			return n.value
		}
	}
	return nil
}

// message builds the notification, and the snapshot if it needs several blocks.
func (o *Observation) message(n *Notification) (*Message, *transfer, error) {
	os := o.in
	opts, m := &os.e.outOpts, &os.e.outMsg
	sequence := os.nextSequence()
	n.fillOptions(opts, sequence)
	size := n.size()
	szx := os.sizes.maxExponent()
	if o.hasBlock { // it holds for all notifications (RFC 7959 §2.6)
		szx = min(szx, o.szx)
	}
	szx = os.sizes.fitExponent(szx, opts.Len(), len(o.token), size)
	limit := os.sizes.wholeBytes(szx, opts.Len(), len(o.token))
	if o.hasBlock {
		limit = int64(os.sizes.blockBytes(szx, opts.Len(), len(o.token)))
	}
	if size <= limit {
		if o.hasBlock && n.Code.IsSuccess() {
			opts.SetBlock(OptionBlock2, Block{SZX: szx})
		}
		body, err := os.e.wholeBody(&n.Response)
		*m = Message{Code: n.Code, Token: o.token, Options: *opts, Payload: body}
		return m, nil, err
	}
	t, err := os.transfers.snapshot(o.key, &n.Response)
	if err != nil {
		return nil, nil, err
	}
	n.fillOptions(opts, sequence) // again: another transfer may have ended and used them
	block, err := t.block(&Block{SZX: szx}, opts, &os.sizes, len(o.token))
	*m = Message{Code: n.Code, Token: o.token, Options: *opts, Payload: block}
	return m, t, err
}

func (n *Notification) fillOptions(opts *Options, sequence uint32) {
	opts.CopyFrom(&n.Options)
	if n.Code.IsSuccess() {
		opts.SetUint(OptionObserve, sequence)
	}
}

// cancelUnsent cancels the notifications that wait for their turn.
func (o *Observation) cancelUnsent(reason error) {
	for d := o.firstUnsent(); d != nil; d = o.firstUnsent() {
		d.fail(reason)
	}
}

// cancelSent cancels the confirmable notifications that wait for their acknowledgement.
func (o *Observation) cancelSent(reason error) {
	for d, ok := o.deliveries.first(); ok; d, ok = o.deliveries.first() {
		d.tx.fail(reason)
	}
}
