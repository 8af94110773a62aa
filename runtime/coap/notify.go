package coap

import (
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A Notification is a new representation for an observer.
type Notification struct {
	// Response is the representation. A code of class 4 or 5 ends the observation.
	// NonConfirmable has no meaning here.
	Response
	// Confirmable asks for an acknowledgement. The zero value means that only one notification
	// in 24 hours is confirmable (RFC 7641 §4.5).
	Confirmable bool
	// Replace cancels earlier notifications of this observation that have not been sent yet.
	// Their outcome is [ErrSuperseded].
	Replace bool
	// Done is called exactly once if Notify returned nil: with nil when the peer has
	// acknowledged the notification, or when it was sent if no acknowledgement was asked for;
	// otherwise with the reason. For a notification in several blocks that is the outcome of
	// its first block. The zero value means that no callback is called.
	Done func(err error)
}

// maxUnconfirmed is the longest time without a confirmable notification.
const maxUnconfirmed = 24 * time.Hour

// Notify sends n when it is its turn. n and what it refers to are not kept. An error means that
// nothing is sent and n.Done is not called: the observation is over ([ErrCancelled]), too much is
// queued ([ErrBusy]), or n cannot be encoded. A source is closed in every case.
func (o *Observation) Notify(n *Notification) error {
	if o.ended {
		closeSource(n.Source)
		return ErrCancelled
	}
	if !n.Code.IsSuccess() && !n.Code.IsError() {
		closeSource(n.Source)
		return fmt.Errorf("%w: a notification with the code %v", ErrUsage, n.Code)
	}
	if n.Replace {
		o.cancelUnsent(ErrSuperseded)
	}
	m, t, err := o.message(n)
	if err == nil {
		confirmable := n.Confirmable || o.in.e.sched.Now() >= o.checked+sched.Time(maxUnconfirmed)
		err = o.send(m, confirmable, n.Done)
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

// message builds the notification, and the snapshot if it needs several blocks.
func (o *Observation) message(n *Notification) (*Message, *transfer, error) {
	os := o.in
	opts, m := &os.e.outOpts, &os.e.outMsg
	sequence := os.nextSequence()
	n.fillOptions(opts, sequence)
	size := n.size()
	szx := os.sizes.fitExponent(os.sizes.maxExponent(), opts.Len(), len(o.token), size)
	if size <= os.sizes.wholeBytes(szx, opts.Len(), len(o.token)) {
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

// send sends a notification and reports its outcome to done.
func (o *Observation) send(m *Message, confirmable bool, done func(error)) error {
	os := o.in
	protect := protectorOf(o.binding)
	if confirmable && !os.sizes.isStream() {
		m.Type = Confirmable
		d := o.newDelivery(done)
		t, err := os.carrier.queue(d, m, sending{protect: protect})
		if err != nil {
			d.free()
			return err
		}
		d.tx = t
		os.carrier.pump()
		return nil
	}
	mid, err := os.carrier.sendOnce(m, protect)
	if err != nil {
		return err
	}
	if !os.sizes.isStream() {
		o.noteNon(mid)
	}
	if done != nil {
		done(nil)
	}
	return nil
}

// cancelUnsent cancels the confirmable notifications that wait for their turn.
func (o *Observation) cancelUnsent(reason error) {
	for n := o.deliveries.head; n != nil; {
		if d := n.value; !d.tx.started {
			d.tx.fail(reason)
			n = o.deliveries.head // the list may have changed
			continue
		}
		n = n.next
	}
}

// cancelSent cancels the confirmable notifications that wait for their acknowledgement.
func (o *Observation) cancelSent(reason error) {
	for d, ok := o.deliveries.first(); ok; d, ok = o.deliveries.first() {
		d.tx.fail(reason)
	}
}

// A delivery is the sender of a confirmable notification.
type delivery struct {
	o    *Observation
	node node[*delivery] // in o.deliveries
	tx   *transmission
	done func(error)
}

func (d *delivery) onEnd() {
	d.node.remove()
	d.tx = nil
}

func (d *delivery) onAck() {
	d.o.checked = d.o.in.e.sched.Now()
	d.settle(nil)
}

func (d *delivery) onFail(err error) {
	o := d.o
	d.settle(err)
	switch {
	case o.in.closed != nil || o.ended:
	case err == ErrReset:
		o.end(ObserveReset)
	case isTimeout(err) && !o.in.cfg.KeepOnTimeout:
		o.end(ObserveTimedOut)
	}
}

func (d *delivery) settle(err error) {
	done := d.done
	d.free()
	if done != nil {
		done(err)
	}
}

func (o *Observation) newDelivery(done func(error)) *delivery {
	e := o.in.e
	d := &delivery{}
	if n := len(e.deliveries); n > 0 {
		d = e.deliveries[n-1]
		e.deliveries = e.deliveries[:n-1]
	}
	d.o, d.done = o, done
	o.deliveries.push(&d.node, d)
	return d
}

// free frees the delivery for use again.
func (d *delivery) free() {
	e := d.o.in.e
	d.node.remove()
	*d = delivery{}
	if len(e.deliveries) < maxFreeTransmissions {
		e.deliveries = append(e.deliveries, d)
	}
}
