package coap

import (
	"fmt"
)

// nextNotice is the notification to send next, and whether it must be confirmable. It is nil if
// none may be sent now; pump is called again when one may.
func (x *transmitter) nextNotice() (d *delivery, confirmable bool) {
	d, ok := x.notices.first()
	if !ok {
		return nil, false
	}
	now := x.e.sched.Now()
	spacing := x.mids.spacing(now)
	x.setSlow(spacing > 0)
	at := x.pace.next(spacing)
	if at <= now {
		return d, x.pace.mustMeasure() || d.confirmable(now)
	}
	x.pace.held = true
	if spacing > 0 && !d.delayed {
		d.delayed = true
		x.stats.MessageIDWaits++
	}
	x.wake = min(x.wake, at)
	return nil, false
}

// setSlow reports when notifications begin or end to be spread over time.
func (x *transmitter) setSlow(slow bool) {
	if x.slow == slow {
		return
	}
	x.slow = slow
	if x.cfg.OnSlowdown != nil {
		x.cfg.OnSlowdown(slow)
	}
}

// sendNotice sends a notification. It reports false if there is no message ID for it.
func (x *transmitter) sendNotice(d *delivery, confirmable bool) bool {
	kind, ids := NonConfirmable, midNon
	if confirmable {
		kind, ids = Confirmable, midCon
	}
	mid, ok := x.newMessageID(ids, kind)
	if !ok {
		return false
	}
	x.pace.onSent(x.e.sched.Now(), confirmable)
	protect := protectorOf(d.o.binding)
	m, transfer, err := d.compose()
	if err == nil {
		m.Type, m.MessageID = kind, mid
		if confirmable {
			err = x.launchNotice(d, m, protect, transfer)
			if err == nil {
				return true
			}
		} else {
			err = x.writeOnce(m, protect)
		}
	}
	d.finishCompose(transfer, err)
	if err != nil {
		d.fail(err)
		return true
	}
	d.o.noteNon(mid)
	d.settle(nil)
	return true
}

// launchNotice sends a confirmable notification for the first time.
func (x *transmitter) launchNotice(d *delivery, m *Message, protect protector, transfer *transfer) error {
	if protect != nil {
		if err := protect.apply(m); err != nil {
			return err
		}
	}
	t := x.e.newTransmission(x)
	buf, err := m.AppendUDP(t.buf[:0])
	if err != nil {
		x.e.freeTransmission(t)
		return err
	}
	t.buf, t.owner, t.con = buf, d, true
	d.tx = t
	d.finishCompose(transfer, nil)
	t.launch(m.MessageID)
	return nil
}

// writeOnce sends a message that is not retransmitted.
func (x *transmitter) writeOnce(m *Message, protect protector) error {
	out, err := x.encode(m, protect)
	if err != nil {
		return err
	}
	if err := x.write(out); err != nil && !isLoss(err) {
		return fmt.Errorf("coap: sending: %w", err)
	}
	return nil
}

// encode protects and encodes m into the endpoint's output buffer.
func (x *transmitter) encode(m *Message, protect protector) ([]byte, error) {
	if protect != nil {
		if err := protect.apply(m); err != nil {
			return nil, err
		}
	}
	out, err := m.AppendUDP(x.e.out[:0])
	if err != nil {
		return nil, err
	}
	x.e.out = out
	return out, nil
}
