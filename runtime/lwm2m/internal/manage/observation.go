package manage

import (
	"context"
	"errors"
	"hash/maphash"
	"math"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

const never sched.Time = math.MaxInt64

// leastSample is the least time between two looks at a live value that no epmin asks for.
const leastSample = time.Second

// How long a notification waits that could not be sent, and one whose value could not be read.
const (
	resendAfter = time.Second
	rereadAfter = 10 * time.Second
)

// keptPayload bounds the memory that is kept for the next notification.
const keptPayload = 4 << 10

// timing is when an observation has something to do.
type timing struct {
	pmin   sched.Time // not before
	pmax   sched.Time // a notification whatever the value; never
	sample sched.Time // the next look at a live value; never
	con    bool
}

func (o *observation) timing() timing {
	a := o.attributes(o.p.m.cfg.Model.Snapshot())
	pmin, hasMin := a.Get(Pmin)
	pmax, hasMax := a.Get(Pmax)
	epmin, hasEval := a.Get(Epmin)
	con, _ := a.Get(Con)
	t := timing{pmin: max(after(o.sent, pmin), o.hold), pmax: never, sample: never, con: con != 0}
	if pmax > 0 && pmax >= pmin { // otherwise it is ignored (Core 1.2.2 §5.1.2)
		t.pmax = max(after(o.sent, pmax), o.hold)
	}
	switch {
	case !o.live:
	case hasEval:
		t.sample = after(o.sampled, max(epmin, leastSample.Seconds()))
	case hasMin || !hasMax:
		t.sample = after(o.sampled, max(pmin, leastSample.Seconds()))
	}
	t.sample = max(t.sample, o.hold)
	return t
}

// after returns the instant some seconds after another.
func after(t sched.Time, seconds float64) sched.Time {
	return t.Add(time.Duration(min(seconds, 1<<32) * float64(time.Second)))
}

// arm sets the timer for what comes next.
func (o *observation) arm() {
	s := o.p.m.cfg.Sched
	if o.ended || o.busy {
		return
	}
	if o.p.conn == nil || o.rel.Ended() {
		s.Cancel(&o.timer)
		return
	}
	t := o.timing()
	next := min(t.pmax, t.sample)
	if o.dirty {
		next = min(next, t.pmin)
	}
	if next == never {
		s.Cancel(&o.timer)
		return
	}
	s.At(&o.timer, next)
}

// due looks at the value, and notifies if there is a reason to.
func (o *observation) due() {
	m := o.p.m
	o.dirty = false // what changes from now on is another matter
	x := m.reading
	x.begin(o.p, &request{op: Observe, path: o.path}, o.format)
	body, err := x.run(o.p.fast, m.payload[:0])
	if err == nil && cap(body) <= keptPayload {
		m.payload = body
	}
	if !errors.Is(err, dm.ErrSlow) {
		o.looked(x.snapshot, body, err, o.gone(o.p.fast, x.snapshot, err))
		return
	}
	o.busy = true
	y := x.clone()
	m.cfg.Worker(func() {
		body, err := y.run(o.p.slow, nil)
		gone := o.gone(o.p.slow, y.snapshot, err)
		m.cfg.Sched.Post(func() {
			o.busy = false
			if !o.ended {
				o.looked(y.snapshot, body, err, gone)
			}
		})
	})
}

// looked takes what a look at the value came to.
func (o *observation) looked(s dm.Snapshot, body []byte, err error, gone bool) {
	now := o.p.m.cfg.Sched.Now()
	o.sampled = now
	o.live = s.Live(o.p.who, o.path)
	switch {
	case o.p.conn == nil || o.rel.Ended():
		o.dirty = true // once it can be reached again
	case gone:
		o.finish(now, err)
	case err != nil:
		o.unread(now, err)
	default:
		o.failing = false
		o.tell(now, body)
	}
	o.arm()
}

// unread takes that there was no value to be had.
func (o *observation) unread(now sched.Time, err error) {
	if errors.Is(err, dm.ErrNoValue) {
		if now >= o.timing().pmax {
			o.hold = now.Add(rereadAfter) // it is due, and tried again
		}
		return
	}
	o.hold, o.dirty = now.Add(rereadAfter), true
	if !o.failing {
		o.failing = true
		o.p.m.log.Warn("an observed value cannot be read", "server", o.p.cfg.ShortServerID, "path", o.path.String(), "error", err)
	}
}

// tell sends a value that is news, or whose time has come.
func (o *observation) tell(now sched.Time, body []byte) {
	t := o.timing()
	h := maphash.Bytes(o.p.m.seed, body)
	if o.known && h == o.last && now < t.pmax {
		return
	}
	if now < t.pmin {
		o.dirty = true
		return
	}
	n := &o.p.m.notification
	n.Options.Reset()
	*n = coap.Notification{Response: coap.Response{Code: coap.Content, Options: n.Options, Body: body}, Confirmable: t.con, Replace: true}
	n.Options.SetContentFormat(uint16(o.format))
	if err := o.rel.Notify(n); err != nil {
		o.hold, o.dirty = now.Add(resendAfter), true
		return
	}
	o.sent, o.last, o.known = now, h, true
}

// finish sends the last notification: why there will be no more (RFC 7641 §4.2).
func (o *observation) finish(now sched.Time, why error) {
	n := &coap.Notification{Confirmable: true, Replace: true}
	n.Code, n.Body = explain(why, nil)
	switch err := o.rel.Notify(n); {
	case errors.Is(err, coap.ErrBusy):
		o.hold, o.dirty = now.Add(resendAfter), true
		return
	case err != nil:
		o.rel.Cancel()
	}
	o.remove()
}

// gone reports whether an error means that there is nothing to observe any more, rather than no value
// for the moment. It may run on a worker.
func (o *observation) gone(ctx context.Context, s dm.Snapshot, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, dm.Unauthorized):
		return true
	case dm.CodeOf(err) != dm.NotFound:
		return false
	}
	err = s.Discover(ctx, o.p.who, o.path, 0, func(dm.Node) error { return nil })
	return errors.Is(err, dm.NotFound)
}
