package coap

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Receive takes up to limit datagrams, or reads of a stream, from the socket and
// handles them. It waits as long as the socket's receive deadline says, and
// ends early when that passes: with [socket.NoWait] it takes what is there. n is
// how many it took.
//
// The error is nil then, and otherwise that of the socket, or of the peer's
// messages over a stream ([ErrFormat], [ErrAborted], [ErrReleased]): it is the
// caller's to decide whether to go on, and mandatory to end a stream after any
// but ErrReleased. Called from a callback it does nothing.
func (c *Conn) Receive(limit int) (n int, err error) {
	e := c.e
	if e.receiving {
		return 0, nil
	}
	for n < limit && c.closed == nil {
		buf := e.receiveBuffer()
		size, err := c.cfg.Socket.Recv(buf)
		switch {
		case err == nil:
		case errors.Is(err, socket.ErrTimeout):
			return n, nil
		case errors.Is(err, socket.ErrMessageTooLong) && c.stream == nil:
			c.stats.Malformed++ // more than 64 KiB is not a message
			n++
			continue
		default:
			c.lastErr = err
			return n, err
		}
		n++
		if c.stream != nil {
			err = c.stream.receive(buf[:size])
		} else {
			c.Handle(buf[:size])
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Handle handles one datagram that arrived by other means than
// [Conn.Receive]. It may change the datagram and does not keep it. Called from a
// callback, or over a stream, it does nothing.
func (c *Conn) Handle(datagram []byte) {
	e := c.e
	if e.receiving || c.closed != nil || c.stream != nil {
		return
	}
	e.receiving = true
	defer func() { e.receiving = false }()
	c.stats.MessagesReceived++
	c.stats.BytesReceived += uint64(len(datagram))
	m := &e.msg
	err := m.ParseUDP(datagram)
	if err == nil && len(m.Token) > c.cfg.MaxToken {
		err = errTokenLength // as if extended tokens were not known (RFC 8974 §2.2.2)
	}
	if err != nil {
		c.stats.Malformed++
		if m.Type == Confirmable && err != ErrVersion && len(datagram) >= udpHeader {
			c.sendEmpty(Reset, m.MessageID) // RFC 7252 §4.2
		}
		return
	}
	switch m.Type {
	case Acknowledgement:
		c.acknowledged(m)
	case Reset:
		if m.Code == Empty {
			c.rejected(m.MessageID)
		}
	default:
		c.arrived(m)
	}
}

// acknowledged handles an acknowledgement, with or without a response.
func (c *Conn) acknowledged(m *Message) {
	t, ok := c.sent.get(m.MessageID)
	if !ok || !t.con || m.Code.IsRequest() {
		c.stats.Ignored++
		return
	}
	if m.Code == Empty {
		t.acknowledge()
		return
	}
	// A piggybacked response must fit the request it acknowledges
	// (RFC 7252 §5.3.2).
	call, ok := t.owner.(*Call)
	if !ok || !call.hasToken(m.Token) {
		c.stats.Ignored++
		return
	}
	t.done()
	call.respond(m)
	c.pump()
}

// rejected handles a reset.
func (c *Conn) rejected(mid uint16) {
	if t, ok := c.sent.get(mid); ok {
		t.fail(ErrReset)
		return
	}
	for n := c.observations.head; n != nil; n = n.next {
		if n.value.sentNon(mid) {
			n.value.end(ObserveReset)
			return
		}
	}
	c.stats.Ignored++
}

// arrived handles a confirmable or non-confirmable message.
func (c *Conn) arrived(m *Message) {
	if m.Code == Empty {
		if m.Type == Confirmable {
			c.sendEmpty(Reset, m.MessageID) // a ping (RFC 7252 §4.3)
		}
		return
	}
	now := c.e.sched.Now()
	if a := c.seen.find(m.MessageID, now); a != nil && !c.repeated(a, m) {
		return
	}
	if m.Code.IsResponse() && c.callFor(m.Token) == nil {
		// Not remembered: forged responses must not occupy message IDs that the
		// peer's requests will have.
		c.unwanted(m)
		return
	}
	n := c.seen.add(m.MessageID, now, now+c.lifetime, c)
	if !c.forget.Pending() {
		c.e.sched.At(&c.forget, now+c.lifetime)
	}
	if m.Code.IsRequest() {
		c.request(m, n)
		return
	}
	c.response(m, n)
}

// repeated answers a message that arrived before as it was answered then. It
// reports whether the message has to be handled once more, because the answer
// is gone and the request changes nothing (RFC 7252 §4.5).
func (c *Conn) repeated(a *arrival, m *Message) (again bool) {
	c.stats.Repeated++
	if m.Type != Confirmable {
		return false
	}
	switch a.react {
	case reactAck:
		c.sendEmpty(Acknowledgement, m.MessageID)
	case reactReset:
		c.sendEmpty(Reset, m.MessageID)
	case reactAnswer:
		b := c.seen.answer(a)
		if b == nil {
			return m.Code.safe() && !m.Options.Has(OptionObserve)
		}
		_ = c.write(b)
	case reactIgnore:
		c.stillWorking(m.MessageID)
	}
	return false
}

// stillWorking acknowledges a request that is being worked on: the peer asks
// already.
func (c *Conn) stillWorking(mid uint16) {
	for n := c.requests.head; n != nil; n = n.next {
		if r := n.value; r.mid == mid && r.kind == Confirmable {
			r.Acknowledge()
			return
		}
	}
}

// unwanted rejects a response that belongs to nothing; a notification even if it
// is not confirmable, which ends the observation (RFC 7641 §3.6).
func (c *Conn) unwanted(m *Message) {
	c.stats.Ignored++
	if m.Type == Confirmable || m.Options.Has(OptionObserve) {
		c.sendEmpty(Reset, m.MessageID)
	}
}

// response handles a response in a message of its own (RFC 7252 §5.2.2).
func (c *Conn) response(m *Message, arrival uint32) {
	call := c.callFor(m.Token)
	if _, bad := m.Options.Unrecognized(m.Code, c.cfg.Critical); bad {
		if m.Type == Confirmable {
			c.seen.set(arrival, reactReset)
			c.sendEmpty(Reset, m.MessageID)
		}
	} else if m.Type == Confirmable {
		c.seen.set(arrival, reactAck)
		c.sendEmpty(Acknowledgement, m.MessageID)
	}
	if call.cancel && m.Options.Has(OptionObserve) {
		return // a notification that crossed the request to end the observation
	}
	if call.tx != nil {
		call.tx.done() // the response acknowledges the request, too
	}
	call.respond(m)
	c.pump()
}

// request takes a request to the handler, or to the transfer it belongs to.
func (c *Conn) request(m *Message, arrival uint32) {
	r := c.e.newRequest(c)
	r.kind, r.code, r.mid, r.token = m.Type, m.Code, m.MessageID, m.Token
	r.options, r.body, r.arrival = m.Options, m.Payload, arrival
	r.limit = c.cfg.MaxBody
	r.block1, r.hasBlock1 = r.options.Block(OptionBlock1)
	r.block2, r.hasBlock2 = r.options.Block(OptionBlock2)
	if m.Code.safe() {
		r.observe, r.hasObserve = r.options.Observe()
	}
	c.route(r)
	c.settle(r)
}

func (c *Conn) route(r *Request) {
	if id, bad := r.options.Unrecognized(r.code, c.cfg.Critical); bad {
		if r.kind == NonConfirmable && c.stream == nil {
			r.answered = true // rejected in silence (RFC 7252 §5.4.1)
			return
		}
		r.hasBlock1, r.hasBlock2 = false, false
		r.reply(BadOption, fmt.Sprintf("critical option %d is not understood", uint16(id)))
		return
	}
	if r.code > IPATCH {
		r.reply(MethodNotAllowed, "") // RFC 7252 §5.8
		return
	}
	if r.options.Has(OptionProxyURI) || r.options.Has(OptionProxyScheme) {
		r.reply(ProxyingNotSupported, "")
		return
	}
	if c.stream == nil && (r.hasBlock1 && r.block1.SZX == BERT || r.hasBlock2 && r.block2.SZX == BERT) {
		r.hasBlock1, r.hasBlock2 = false, false
		r.reply(BadRequest, "block size 7 is reserved")
		return
	}
	if r.hasObserve && r.observe == ObserveDeregister {
		c.deregister(r.token)
	}
	switch {
	case r.hasBlock1 && (r.block1.Num > 0 || r.block1.More):
		c.receiveBlock(r)
	case r.hasBlock2 && r.block2.Num > 0 && c.sendNextBlock(r):
	case r.hasBlock2 && r.block2.Num > 0 && !r.code.safe():
		// Executing it once more for the sake of its answer is out of the question.
		r.reply(RequestEntityIncomplete, "the answer is no longer there")
	default:
		c.serve(r)
	}
}
