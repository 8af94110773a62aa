package coap

// datagrams is the message layer of RFC 7252 over one datagram socket: it sends and receives
// messages of the four types, on top of the transmitter and below the exchange layer.
type datagrams struct {
	transmitter
	seen duplicates
	up   receiver
}

func newDatagrams(s *shared, up receiver) *datagrams {
	d := &datagrams{up: up}
	d.transmitter.init(s)
	d.seen.init(s)
	return d
}

// sendOnce sends a non-confirmable message. Without a free message ID it counts as lost.
func (d *datagrams) sendOnce(m *Message, protect protector) (mid uint16, err error) {
	mid, _, ok := d.mids.allocate(midNon, d.e.sched.Now(), d.lifetime[NonConfirmable])
	if !ok {
		d.stats.MessageIDWaits++
		return 0, ErrBusy
	}
	m.Type, m.MessageID = NonConfirmable, mid
	return mid, d.writeOnce(m, protect)
}

// respond sends the response to r. For a confirmable request that was not acknowledged it is
// piggybacked on the acknowledgement, and stored for repetitions; otherwise it is a separate
// response (RFC 7252 §5.2).
func (d *datagrams) respond(r *Request, m *Message, nonConfirmable bool) error {
	suppressed := r.options.suppresses(m.Code)
	var protect protector
	if r.binding != nil {
		protect = r.binding.Protect
	}
	if r.kind == Confirmable && !r.acked {
		if suppressed {
			// The message itself is acknowledged all the same (RFC 7967 §2).
			*m, protect = Message{}, nil
		}
		m.Type, m.MessageID = Acknowledgement, r.mid
		return d.piggyback(r, m, protect)
	}
	if suppressed {
		return nil
	}
	if r.kind == NonConfirmable || nonConfirmable {
		mid, err := d.sendOnce(m, protect)
		if err == nil && r.observation != nil {
			r.observation.noteNon(mid)
		}
		return err
	}
	m.Type, m.MessageID = Confirmable, 0
	var owner sender = separate{}
	var first *delivery
	if r.observation != nil {
		first = r.observation.newDelivery(nil)
		owner = first
	}
	t, err := d.queue(owner, m, sending{protect: protect})
	if err != nil {
		if first != nil {
			first.free()
		}
		return err
	}
	if first != nil {
		first.tx = t
	}
	d.pump()
	return nil
}

func (d *datagrams) piggyback(r *Request, m *Message, protect protector) error {
	out, err := d.encode(m, protect)
	if err != nil {
		return err
	}
	r.acked = true
	d.seen.storeAnswer(r.arrival, out)
	_ = d.write(out) // if it is lost, the peer repeats its request
	return nil
}

func (d *datagrams) acknowledge(r *Request) {
	d.seen.set(r.arrival, reactAck)
	d.sendEmpty(Acknowledgement, r.mid)
}

func (d *datagrams) forget(r *Request) { d.seen.forget(r.arrival) }

func (d *datagrams) rejectRequest(r *Request) {
	d.seen.set(r.arrival, reactReset)
	d.sendEmpty(Reset, r.mid)
}

// ping sends an empty confirmable message, which the peer answers by a reset (RFC 7252 §4.3).
func (d *datagrams) ping(done func(error)) error {
	_, err := d.queue(pingSender(done), &Message{Type: Confirmable}, sending{})
	if err == nil {
		d.pump()
	}
	return err
}

// sendEmpty sends an Empty message of the type given.
func (d *datagrams) sendEmpty(kind Type, mid uint16) {
	m := Message{Type: kind, MessageID: mid}
	d.e.out, _ = m.AppendUDP(d.e.out[:0])
	_ = d.write(d.e.out)
}

// separate is the sender of a separate response: its outcome is ignored.
type separate struct{}

func (separate) onEnd()       {}
func (separate) onAck()       {}
func (separate) onFail(error) {}

// pingSender is the sender of a ping.
type pingSender func(error)

func (done pingSender) onEnd() {}

func (done pingSender) onAck() { done(nil) }

// onFail reports a reset as success: it is the answer that a ping asks for.
func (done pingSender) onFail(err error) {
	if err == ErrReset {
		err = nil
	}
	done(err)
}
