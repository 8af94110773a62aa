package coap

// handle handles one datagram.
func (d *datagrams) handle(datagram []byte) {
	d.stats.MessagesReceived++
	d.stats.BytesReceived += uint64(len(datagram))
	m := &d.e.inMsg
	err := m.ParseUDP(datagram)
	if err == nil && len(m.Token) > d.cfg.MaxToken {
		err = errTokenLength // as if extended tokens were unknown (RFC 8974 §2.2.2)
	}
	if err != nil {
		d.stats.Malformed++
		if m.Type == Confirmable && err != ErrVersion && len(datagram) >= udpHeader {
			d.sendEmpty(Reset, m.MessageID) // RFC 7252 §4.2
		}
		return
	}
	switch m.Type {
	case Acknowledgement:
		d.handleAcknowledgement(m)
	case Reset:
		if m.Code == Empty {
			d.handleReset(m.MessageID)
		}
	default:
		d.handleMessage(m)
	}
}

// handleAcknowledgement handles an acknowledgement, with or without a response.
func (d *datagrams) handleAcknowledgement(m *Message) {
	t, ok := d.find(m.MessageID)
	if !ok || !t.con || m.Code.IsRequest() {
		d.stats.Ignored++
		return
	}
	if m.Code == Empty {
		t.measure()
		t.acknowledge()
		return
	}
	// A piggybacked response must have the token of the request that it acknowledges
	// (RFC 7252 §5.3.2).
	q, ok := t.owner.(requester)
	if !ok || !q.hasToken(m.Token) {
		d.stats.Ignored++
		return
	}
	err := q.admit(m)
	if err == errRefused {
		d.stats.Ignored++ // it may be forged: the retransmission continues
		return
	}
	t.measure()
	t.end()
	q.respond(m, err)
	d.pump()
}

// handleReset handles a reset.
func (d *datagrams) handleReset(mid uint16) {
	if t, ok := d.find(mid); ok {
		t.measure()
		t.fail(ErrReset)
		return
	}
	if !d.up.handleReset(mid) {
		d.stats.Ignored++
	}
}

// handleMessage handles a confirmable or non-confirmable message.
func (d *datagrams) handleMessage(m *Message) {
	if m.Code == Empty {
		if m.Type == Confirmable {
			d.sendEmpty(Reset, m.MessageID) // a ping (RFC 7252 §4.3)
		}
		return
	}
	now := d.e.sched.Now()
	if a := d.seen.find(m, now); a != nil && !d.handleRepeated(a, m) {
		return
	}
	var q requester
	if m.Code.IsResponse() {
		if q = d.up.findRequester(m.Token); q == nil {
			// Not remembered: forged responses must not occupy the message IDs of the
			// peer's requests.
			d.reject(m)
			return
		}
	}
	n := d.seen.add(m, now)
	if m.Code.IsRequest() {
		d.up.handleRequest(m, envelope{kind: m.Type, mid: m.MessageID, arrival: n})
		return
	}
	d.handleResponse(q, m, n)
}

// handleRepeated reacts to a message that arrived before as it did then. It reports whether the
// message must be handled again, because the answer is gone and the request changes nothing (RFC
// 7252 §4.5). With a Layer that cannot be known, and the Layer would refuse the repetition.
func (d *datagrams) handleRepeated(a *arrival, m *Message) (again bool) {
	d.stats.Repeated++
	if m.Type != Confirmable {
		return false
	}
	switch a.react {
	case reactAck:
		d.sendEmpty(Acknowledgement, m.MessageID)
	case reactReset:
		d.sendEmpty(Reset, m.MessageID)
	case reactAnswer:
		b := d.seen.answer(a)
		if b == nil {
			return d.cfg.Layer == nil && m.Code.isSafe() && !m.Options.Has(OptionObserve)
		}
		_ = d.write(b)
	case reactIgnore:
		d.up.acknowledgePending(m.MessageID)
	}
	return false
}

// reject rejects a response without a request; a notification even if it is not confirmable,
// which ends the observation (RFC 7641 §3.6).
func (d *datagrams) reject(m *Message) {
	d.stats.Ignored++
	if m.Type == Confirmable || m.Options.Has(OptionObserve) {
		d.sendEmpty(Reset, m.MessageID)
	}
}

// handleResponse handles a response in a message of its own (RFC 7252 §5.2.2).
func (d *datagrams) handleResponse(q requester, m *Message, arrival uint32) {
	err := q.admit(m)
	if m.Type == Confirmable {
		react, kind := reactAck, Acknowledgement
		if err == ErrBadOption {
			react, kind = reactReset, Reset
		}
		d.seen.set(arrival, react)
		d.sendEmpty(kind, m.MessageID)
	}
	if err == errRefused {
		d.stats.Ignored++
		return
	}
	if q.isCrossing(m) {
		return
	}
	q.complete() // the response acknowledges the request, too
	q.respond(m, err)
	d.pump()
}
