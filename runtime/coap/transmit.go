package coap

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A transmitter sends messages that count as outstanding: at most NSTART at a time, the others
// wait in its queue. It chooses message IDs and retransmits (RFC 7252 §4.2, §4.7).
//
// A message of high priority does not wait for outstanding ones of lower priority: it suspends one
// of them, which is not retransmitted until the turn of the others comes again. A response to a
// suspended message, or its acknowledgement, still counts.
type transmitter struct {
	*shared
	mids      midAllocator
	waiting   sendQueue
	sent      table[uint16, *transmission] // outstanding, by message ID
	inflight  int                          // outstanding and not suspended, at most NSTART
	suspended list[*transmission]          // outstanding, while others have their turn
	pumping   sched.Job                    // when something may be sent that waits for a time
	wake      sched.Time                   // that time, found during pump
	slow      bool                         // message IDs are spread over time
}

// A sender owns a transmission. onEnd is called when the transmission must not be used any more.
// After it exactly one of onAck and onFail is called, unless the owner ended the transmission
// itself.
type sender interface {
	onEnd()
	onAck()           // the peer has received the message
	onFail(err error) // time-out, reset, closed connection, socket, protection
}

// A transmission is one message on its way: a confirmable one until it is acknowledged, or a
// non-confirmable request as long as it counts as outstanding.
type transmission struct {
	tx       *transmitter
	node     node[*transmission] // in tx.waiting or tx.suspended
	owner    sender
	protect  protector
	buf      []byte
	mid      uint16
	order    uint64 // of queueing
	number   uint64 // order of starting
	high     bool   // of high priority
	low      bool   // of low priority
	con      bool
	started  bool
	paused   bool       // it is suspended
	rest     sched.Time // of the time-out, while it is suspended
	sent     sched.Time // for the first time
	resent   int        // times since then
	left     int        // retransmissions left
	timeout  sched.Time // of the current transmission
	deadline sched.Time // of the timer
	timer    sched.Job
}

func (x *transmitter) init(s *shared) {
	x.shared = s
	x.mids.start = uint16(s.e.rand.Uint32())
	x.pumping.Func = x.pump
}

// queue encodes m and appends it to the queue of its priority. The message ID is chosen, and the
// message protected, when it is sent.
func (x *transmitter) queue(owner sender, m *Message, how sending) (*transmission, error) {
	waiting := x.waiting.list(how.priority)
	if waiting.n >= x.cfg.MaxQueue {
		return nil, ErrBusy
	}
	t := x.e.newTransmission(x)
	buf, err := m.AppendUDP(t.buf[:0])
	if err != nil {
		x.e.freeTransmission(t)
		return nil, err
	}
	t.buf, t.owner, t.protect, t.con = buf, owner, how.protect, m.Type == Confirmable
	t.high, t.order = how.priority == PriorityHigh, x.nextOrder()
	t.low = how.priority == PriorityLow
	waiting.push(&t.node, t)
	return t, nil
}

// pump starts what may be started.
func (x *transmitter) pump() {
	x.wake = never
	for x.closed == nil && x.step() {
	}
	if x.wake == never || x.closed != nil {
		x.e.sched.Cancel(&x.pumping)
		return
	}
	x.e.sched.At(&x.pumping, x.wake)
}

// step starts the next message. It reports whether there was one that may be started now.
func (x *transmitter) step() bool {
	t, _ := x.waiting.first()
	if t != nil && t.high {
		return x.startHigh(t)
	}
	if x.inflight >= x.cfg.Params.NStart {
		return false
	}
	if s, ok := x.suspended.first(); ok {
		s.resume()
		return true
	}
	if d, confirmable := x.nextNotice(); d != nil && (t == nil || t.low || d.order < t.order) {
		return x.sendNotice(d, confirmable)
	}
	return t != nil && x.startNext(t, nil)
}

// startHigh starts a message of high priority, in place of one of lower priority if it must.
func (x *transmitter) startHigh(t *transmission) bool {
	var victim *transmission
	if x.inflight >= x.cfg.Params.NStart {
		victim = x.oldest(func(t *transmission) bool { return !t.high && !t.paused })
		if victim == nil {
			return false
		}
	}
	return x.startNext(t, victim)
}

// startNext starts t, and suspends victim before if that is not nil.
func (x *transmitter) startNext(t, victim *transmission) bool {
	mid, ok := x.newMessageID(t.midKind(), t.kind())
	if !ok {
		return false
	}
	if victim != nil {
		victim.suspend()
	}
	t.node.remove()
	t.start(mid)
	return true
}

// newMessageID allocates a message ID. If none is free, pump is called again when one is.
func (x *transmitter) newMessageID(kind midKind, m Type) (mid uint16, ok bool) {
	mid, at, ok := x.mids.allocate(kind, x.e.sched.Now(), x.lifetime[m])
	if !ok {
		x.stats.MessageIDWaits++
		x.wake = min(x.wake, at)
	}
	return mid, ok
}

// find is the outstanding transmission with this message ID.
func (x *transmitter) find(mid uint16) (*transmission, bool) { return x.sent.get(mid) }

// close fails everything that waits, then everything outstanding, the oldest first.
func (x *transmitter) close(reason error) {
	for t, ok := x.waiting.first(); ok; t, ok = x.waiting.first() {
		t.fail(reason)
	}
	for len(x.sent.m) > 0 {
		x.oldest(nil).fail(reason)
	}
	x.e.sched.Cancel(&x.pumping)
}

// oldest is the outstanding transmission that was started first, of those that match, or nil.
func (x *transmitter) oldest(matches func(*transmission) bool) *transmission {
	var oldest *transmission
	for _, t := range x.sent.m {
		if (matches == nil || matches(t)) && (oldest == nil || t.number < oldest.number) {
			oldest = t
		}
	}
	return oldest
}

// kind is the type of the message.
func (t *transmission) kind() Type {
	if t.con {
		return Confirmable
	}
	return NonConfirmable
}

// midKind is the kind of message ID to use.
func (t *transmission) midKind() midKind {
	switch {
	case t.high:
		return midHigh
	case t.con:
		return midCon
	}
	return midNon
}

func (t *transmission) start(mid uint16) {
	if t.protect != nil {
		if err := t.seal(); err != nil {
			t.fail(err)
			return
		}
	}
	t.launch(mid)
}

// launch sends the protected message for the first time.
func (t *transmission) launch(mid uint16) {
	x := t.tx
	t.sent, t.resent = x.e.sched.Now(), 0
	t.mid, t.started = mid, true
	t.number = x.stats.MessagesSent + x.stats.SendErrors
	binary.BigEndian.PutUint16(t.buf[2:], mid)
	x.inflight++
	x.sent.put(mid, t)
	if err := x.write(t.buf); err != nil && !isLoss(err) {
		t.fail(fmt.Errorf("coap: sending: %w", err))
		return
	}
	p := &x.cfg.Params
	if t.con {
		t.left, t.timeout = p.MaxRetransmit, x.e.firstTimeout(p)
	} else {
		t.left, t.timeout = 0, sched.Time(len(t.buf))*sched.Time(time.Second)/sched.Time(p.ProbingRate)
	}
	t.arm(t.timeout)
}

// suspend stops the retransmission, so that the transmission does not count as outstanding.
func (t *transmission) suspend() {
	x := t.tx
	t.paused, t.rest = true, max(t.deadline-x.e.sched.Now(), 0)
	x.e.sched.Cancel(&t.timer)
	x.suspended.push(&t.node, t)
	x.inflight--
}

// resume continues the retransmission where suspend stopped it.
func (t *transmission) resume() {
	t.node.remove()
	t.paused = false
	t.tx.inflight++
	t.arm(t.rest)
}

// arm sets the timer.
func (t *transmission) arm(timeout sched.Time) {
	t.deadline = t.tx.e.sched.Now() + timeout
	t.tx.e.sched.At(&t.timer, t.deadline)
}

// seal protects the encoded message.
func (t *transmission) seal() error {
	e := t.tx.e
	m := &e.sealing
	if err := m.ParseUDP(t.buf); err != nil {
		return err
	}
	if err := t.protect.apply(m); err != nil {
		return err
	}
	sealed, err := m.AppendUDP(e.sealed[:0])
	if err != nil {
		return err
	}
	e.sealed = sealed
	t.buf = append(t.buf[:0], sealed...)
	return nil
}

// expire retransmits with twice the time-out, or fails after the last retransmission.
func (t *transmission) expire() {
	x := t.tx
	if !t.con {
		// An unanswered non-confirmable request no longer counts as outstanding. Its owner
		// still waits for the response.
		t.end()
		x.pump()
		return
	}
	if t.left == 0 {
		err := ErrTimeout
		if x.lastErr != nil {
			err = fmt.Errorf("%w (last error of the socket: %w)", ErrTimeout, x.lastErr)
		}
		t.fail(err)
		return
	}
	t.left--
	t.resent++
	t.timeout *= 2
	x.stats.Retransmissions++
	if err := x.write(t.buf); err != nil && !isLoss(err) {
		t.fail(fmt.Errorf("coap: sending: %w", err))
		return
	}
	t.arm(t.timeout)
}

// end ends the transmission without an outcome for its owner, and frees it.
func (t *transmission) end() {
	x, owner := t.tx, t.owner
	if t.started {
		if !t.paused {
			x.inflight--
		}
		x.sent.remove(t.mid)
	}
	t.node.remove()
	x.e.sched.Cancel(&t.timer)
	x.e.freeTransmission(t)
	owner.onEnd()
}

// fail ends the transmission with an error for its owner.
func (t *transmission) fail(err error) {
	x, owner := t.tx, t.owner
	t.end()
	owner.onFail(err)
	x.pump()
}

// acknowledge ends the transmission with success for its owner.
func (t *transmission) acknowledge() {
	x, owner := t.tx, t.owner
	t.end()
	owner.onAck()
	x.pump()
}

// measure measures the round-trip time: the peer has reacted to the message.
func (t *transmission) measure() {
	if t.con {
		t.tx.pace.measure(t.tx.e.sched.Now()-t.sent, t.resent)
	}
}

func (e *Endpoint) newTransmission(x *transmitter) *transmission {
	if n := len(e.txs); n > 0 {
		t := e.txs[n-1]
		e.txs = e.txs[:n-1]
		t.tx = x
		return t
	}
	t := &transmission{tx: x}
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
