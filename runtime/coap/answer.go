package coap

import "errors"

// sendAnswer sends one message that answers r. For a confirmable request that
// was not acknowledged it is piggybacked on the acknowledgement, and kept for
// repetitions; otherwise it is a separate response (RFC 7252 §5.2).
func (c *Conn) sendAnswer(r *Request, code Code, opts *Options, payload []byte, non bool) error {
	m := &Message{Code: code, Token: r.token, Options: *opts, Payload: payload}
	suppressed := r.options.Suppressed(code)
	if c.stream != nil {
		if suppressed {
			return nil
		}
		err := c.stream.send(m)
		if errors.Is(err, ErrBusy) {
			// An answer cannot be left out, and the peer does not read.
			c.Close(err)
		}
		return err
	}
	if r.kind == Confirmable && !r.acked {
		m.Type, m.MessageID = Acknowledgement, r.mid
		if suppressed {
			// The message itself is acknowledged all the same (RFC 7967 §2).
			*m = Message{Type: Acknowledgement, MessageID: r.mid}
		}
		return c.sendPiggybacked(r, m)
	}
	if suppressed {
		return nil
	}
	if r.kind == NonConfirmable || non {
		m.Type = NonConfirmable
		mid, err := c.sendNon(m)
		if err == nil && r.relation != nil {
			r.relation.noteNon(mid)
		}
		return err
	}
	m.Type = Confirmable
	var owner sender = separate{}
	if r.relation != nil {
		owner = c.e.newDelivery(r.relation, nil)
	}
	_, err := c.transmit(owner, m)
	if err == nil {
		c.pump()
	}
	return err
}

func (c *Conn) sendPiggybacked(r *Request, m *Message) error {
	out, err := m.AppendUDP(c.e.out[:0])
	if err != nil {
		return err
	}
	c.e.out = out
	r.acked = true
	c.seen.keep(r.arrival, out, c.cfg.MaxHistory/2, c)
	_ = c.write(out) // if it is lost, the peer asks again
	return nil
}

// sendNon sends a non-confirmable response or notification; its message ID is
// returned. Without a free message ID it counts as lost.
func (c *Conn) sendNon(m *Message) (mid uint16, err error) {
	mid, _, ok := c.mids.allocate(c.e.sched.Now(), c.lifetime)
	if !ok {
		return 0, ErrBusy
	}
	m.MessageID = mid
	out, err := m.AppendUDP(c.e.out[:0])
	if err != nil {
		return 0, err
	}
	c.e.out = out
	if err := c.write(out); err != nil && !lossy(err) {
		return 0, err
	}
	return mid, nil
}

// sendEmpty sends an Empty message of the type given.
func (c *Conn) sendEmpty(kind Type, mid uint16) {
	m := Message{Type: kind, MessageID: mid}
	c.e.out, _ = m.AppendUDP(c.e.out[:0])
	_ = c.write(c.e.out)
}

// separate is the sender of a separate response: nobody waits for its outcome.
type separate struct{}

func (separate) acked()       {}
func (separate) failed(error) {}
