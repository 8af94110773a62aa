package coap

import "github.com/lwm2mgen/toolkit/runtime/sched"

// A delivery is one notification: while it waits for its turn, and until it is acknowledged if it
// is confirmable.
type delivery struct {
	o       *Observation
	node    node[*delivery] // in o.deliveries
	turn    node[*delivery] // in shared.notices, while it waits
	order   uint64          // when its place in the queue was taken
	note    *Notification   // while it waits: the caller's during Notify, then &own
	own     Notification    // a copy
	charged int             // bytes charged for own
	delayed bool            // it waited because message IDs are scarce
	tx      *transmission   // when it was sent, or for a response that begins the observation
	done    func(error)
}

// keep copies the notification so that it can wait for its turn.
func (d *delivery) keep() error {
	bytes := len(d.note.Body) + d.note.Options.Len()
	if !d.o.in.e.reserve(bytes) {
		return ErrBusy
	}
	d.charged = bytes
	options, body := d.own.Options, d.own.Body
	options.CopyFrom(&d.note.Options)
	body = append(body[:0], d.note.Body...)
	d.own = *d.note
	d.own.Options, d.own.Body = options, body
	d.note = &d.own
	return nil
}

// drop drops the content.
func (d *delivery) drop() {
	if d.note != nil {
		closeSource(d.note.Source)
		d.note = nil
	}
	d.o.in.e.unreserve(d.charged)
	d.charged = 0
}

// compose makes the message, of the state at this time, and takes the delivery from the queue.
func (d *delivery) compose() (*Message, *transfer, error) {
	d.turn.remove()
	d.o.turn = d.o.in.nextOrder()
	n := d.note
	if n == &d.own && n.Refresh != nil {
		n.Refresh(&n.Response)
	}
	m, t, err := d.o.message(n)
	n.Source = nil // message has closed it, or passed it on
	return m, t, err
}

// finishCompose is called when the message that compose made was encoded, or with the error for
// which it was not.
func (d *delivery) finishCompose(t *transfer, err error) {
	if err != nil && t != nil {
		t.end(err)
	}
	d.drop()
}

// confirmable reports whether the notification must be acknowledged.
func (d *delivery) confirmable(now sched.Time) bool {
	return d.note.Confirmable || d.o.unsure || now >= d.o.checked+sched.Time(maxUnconfirmed)
}

// fail ends a delivery that was not sent. During Notify, the error is that of Notify.
func (d *delivery) fail(err error) {
	os := d.o.in
	d.drop()
	if os.noting == d {
		os.noteErr = err
		d.free()
		return
	}
	d.settle(err)
}

func (d *delivery) onEnd() {
	d.node.remove()
	d.tx = nil
}

func (d *delivery) onAck() {
	d.o.checked, d.o.unsure = d.o.in.e.sched.Now(), false
	d.settle(nil)
}

func (d *delivery) onFail(err error) {
	o := d.o
	if isTimeout(err) {
		o.unsure = true
	}
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
	var d *delivery
	if n := len(e.deliveries); n > 0 {
		d = e.deliveries[n-1]
		e.deliveries = e.deliveries[:n-1]
	} else {
		d = &delivery{}
	}
	d.o, d.done = o, done
	o.deliveries.push(&d.node, d)
	return d
}

// free frees the delivery for use again.
func (d *delivery) free() {
	e := d.o.in.e
	if d.o.in.noting == d {
		d.o.in.noting = nil
	}
	d.drop()
	d.node.remove()
	d.turn.remove()
	options, body := d.own.Options, d.own.Body
	options.Reset()
	if cap(body) > maxFreeBytes {
		body = nil
	}
	*d = delivery{own: Notification{Response: Response{Options: options, Body: body[:0]}}}
	if len(e.deliveries) < maxFreeTransmissions {
		e.deliveries = append(e.deliveries, d)
	}
}
