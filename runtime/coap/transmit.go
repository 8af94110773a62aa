package coap

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// sender is what a transmission works for. Exactly one of the two is called,
// once, unless the transmission was cancelled.
type sender interface {
	acked()           // the peer has the message
	failed(err error) // it was given up: time-out, reset, closed, socket
}

// A transmission is one message on its way: a confirmable one until it is
// acknowledged, or a non-confirmable request as long as it counts as
// outstanding (RFC 7252 §4.2, §4.7).
type transmission struct {
	c       *Conn
	node    node[*transmission] // in c.queue
	owner   sender
	buf     []byte
	mid     uint16
	number  uint64 // order of starting
	con     bool
	started bool
	left    int        // retransmissions left
	timeout sched.Time // of the present transmission
	timer   sched.Job
}

// transmit encodes m and sends it as soon as fewer than NSTART interactions are
// outstanding. Its message ID is chosen then. It never calls owner before it
// returns an error, and may call it before it returns otherwise.
func (c *Conn) transmit(owner sender, m *Message) (*transmission, error) {
	if c.queue.n >= c.cfg.MaxQueue {
		return nil, ErrBusy
	}
	t := c.e.newTransmission(c)
	buf, err := m.AppendUDP(t.buf[:0])
	if err != nil {
		c.e.freeTransmission(t)
		return nil, err
	}
	t.buf, t.owner, t.con = buf, owner, m.Type == Confirmable
	c.queue.push(&t.node, t)
	return t, nil
}

// pump starts what may be started.
func (c *Conn) pump() {
	for c.closed == nil && c.queue.n > 0 && c.inflight < c.cfg.Params.NStart {
		t, _ := c.queue.first()
		mid, free, ok := c.mids.allocate(c.e.sched.Now(), c.lifetime)
		if !ok {
			c.e.sched.At(&c.pumping, free)
			return
		}
		t.node.remove()
		t.start(mid)
	}
}

func (t *transmission) start(mid uint16) {
	c := t.c
	t.mid, t.started = mid, true
	t.number = c.stats.MessagesSent + c.stats.SendErrors
	binary.BigEndian.PutUint16(t.buf[2:], mid)
	c.inflight++
	c.sent.put(mid, t)
	if err := c.write(t.buf); err != nil && !lossy(err) {
		t.fail(fmt.Errorf("coap: sending: %w", err))
		return
	}
	p := &c.cfg.Params
	if t.con {
		t.left, t.timeout = p.MaxRetransmit, c.e.firstTimeout(p)
	} else {
		t.left, t.timeout = 0, sched.Time(len(t.buf))*sched.Time(time.Second)/sched.Time(p.ProbingRate)
	}
	c.e.sched.After(&t.timer, time.Duration(t.timeout))
}

// expire retransmits with twice the time-out, or gives up.
func (t *transmission) expire() {
	c := t.c
	if !t.con {
		// An unanswered non-confirmable request no longer counts as outstanding;
		// whoever waits for its answer goes on waiting.
		t.done()
		c.pump()
		return
	}
	if t.left == 0 {
		err := ErrTimeout
		if c.lastErr != nil {
			err = fmt.Errorf("%w (last error of the socket: %w)", ErrTimeout, c.lastErr)
		}
		t.fail(err)
		return
	}
	t.left--
	t.timeout *= 2
	c.stats.Retransmissions++
	if err := c.write(t.buf); err != nil && !lossy(err) {
		t.fail(fmt.Errorf("coap: sending: %w", err))
		return
	}
	c.e.sched.After(&t.timer, time.Duration(t.timeout))
}

// done ends the transmission without telling its owner, and frees it.
func (t *transmission) done() {
	c := t.c
	if t.started {
		c.inflight--
		c.sent.remove(t.mid)
	}
	t.node.remove()
	if call, ok := t.owner.(*Call); ok {
		call.tx = nil
	}
	c.e.sched.Cancel(&t.timer)
	c.e.freeTransmission(t)
}

// fail ends the transmission with an error for its owner.
func (t *transmission) fail(err error) {
	c, owner := t.c, t.owner
	t.done()
	owner.failed(err)
	c.pump()
}

// acknowledge ends the transmission with success for its owner.
func (t *transmission) acknowledge() {
	c, owner := t.c, t.owner
	t.done()
	owner.acked()
	c.pump()
}

func (e *Endpoint) newTransmission(c *Conn) *transmission {
	if n := len(e.txs); n > 0 {
		t := e.txs[n-1]
		e.txs = e.txs[:n-1]
		t.c = c
		return t
	}
	t := &transmission{c: c}
	t.timer.Func = t.expire
	return t
}

func (e *Endpoint) freeTransmission(t *transmission) {
	if len(e.txs) >= maxFreeTransmissions || cap(t.buf) > maxFreeBytes {
		return
	}
	*t = transmission{buf: t.buf[:0], timer: t.timer}
	e.txs = append(e.txs, t)
}
