package manage

import (
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// An observation is a server's interest in a node. It samples the node when its monitor says so,
// and sends the notifications that the monitor decides on.
type observation struct {
	x       *reporter
	rel     *coap.Observation
	path    dm.Path
	format  content.Format
	values  int       // when it began
	carried *attr.Set // by the Observe, nil where it carried no attributes

	monitor attr.Monitor
	timer   sched.Job
	written bool // the server itself has changed something, which is being published
	queued  bool // the sample is due, and waits for its turn
	busy    bool // a worker samples the node
	failing bool // the last sample failed, which was logged
	ended   bool
}

// Cancelled is called when the observation has ended at the server, or with the connection, in
// which case it may continue over another one.
func (o *observation) Cancelled(_ *coap.Observation, why coap.ObserveEnd) {
	if why == coap.ObserveClosed && !o.x.scope.closed {
		o.schedule()
		return
	}
	o.remove()
}

// attach continues over another connection.
func (o *observation) attach(c *coap.Conn) {
	if o.rel.Conn() != c || o.rel.Ended() {
		o.rel.Cancel() // if the old connection is still there
		rel, err := c.Resume(o.rel)
		if err != nil {
			o.remove()
			return
		}
		o.rel = rel
	}
	o.schedule()
}

// cancel ends the observation without notifying the server.
func (o *observation) cancel() {
	o.rel.Cancel()
	o.remove()
}

func (o *observation) remove() {
	if o.ended {
		return
	}
	o.ended = true
	o.x.cfg.Sched.Cancel(&o.timer)
	o.x.list = slices.DeleteFunc(o.x.list, func(x *observation) bool { return x == o })
	o.x.scope.peer.observations.used--
	o.x.scope.peer.values.used -= o.values
	o.x.scope.device.watch(-1)
}

// concerns reports whether a change at p may change what is observed.
func (o *observation) concerns(p dm.Path) bool { return o.path.Contains(p) || p.Contains(o.path) }

// attributes returns the attributes in force (Core 1.2.2 §5.1.2): those that the Observe carried,
// or those attached to the node or above it; and each that is missing from the server's account.
func (o *observation) attributes() attr.Set {
	defaults := o.x.scope.peer.defaultAttributes()
	if o.carried != nil {
		return o.carried.Over(defaults)
	}
	return o.x.scope.attributes.InForce(o.path).Over(defaults)
}

// reachable reports whether a notification can be sent.
func (o *observation) reachable() bool { return o.x.scope.peer.conn != nil && !o.rel.Ended() }

// schedule sets the timer for the next sample.
func (o *observation) schedule() {
	if o.ended || o.busy || o.queued {
		return
	}
	s, next := o.x.cfg.Sched, o.next()
	if next == attr.Never {
		s.Cancel(&o.timer)
		return
	}
	s.At(&o.timer, next)
}

// next returns when the node is to be sampled next.
func (o *observation) next() sched.Time {
	if !o.reachable() {
		return attr.Never
	}
	in := o.attributes()
	return o.monitor.Next(&in)
}

// onDue has the node sampled in turn with those of other servers.
func (o *observation) onDue() {
	if !o.queued {
		o.x.cfg.Scratch.due.add(o)
	}
}

// takeTurn samples the node if it is still due, and returns what that has cost, in values.
func (o *observation) takeTurn() (cost int) {
	if o.ended || o.busy {
		return 0
	}
	if o.next() > o.x.cfg.Sched.Now() {
		o.schedule()
		return 1
	}
	return o.sample()
}

// read reads the node on the loop, into the memory of notifications, or takes what was read for an
// equal observation. The cost is the number of values that were read.
func (o *observation) read() (s sample, cost int) {
	d, rd := &o.x.cfg.Scratch.due, o.x.reader.loop
	if d.last.serves(o, d.slice) {
		return d.last, 1
	}
	d.last = sample{}
	rd.begin(o.x.scope, Observe, o.path, o.format)
	body, err := rd.run(o.x.scope.peer.fast, o.x.cfg.Scratch.payload[:0])
	if err == nil {
		o.x.cfg.Scratch.keep(body)
	}
	d.last = rd.sample(body, err)
	d.last.slice = d.slice
	return d.last, rd.found + 1
}

// sample reads the node, on a worker where slow functions give its values, and notifies if there is
// a reason to.
func (o *observation) sample() (cost int) {
	s := sample{snapshot: o.x.scope.snapshot(), err: errPanic, live: o.monitor.Live()}
	o.x.cfg.guard(func() { cost = o.readAndEvaluate() }, func() { o.sampled(s, false) })
	return max(cost, 1)
}

func (o *observation) readAndEvaluate() (cost int) {
	o.monitor.Sampling()
	s, cost := o.read()
	if !errors.Is(s.err, dm.ErrSlow) {
		o.sampled(s, o.isGone(o.x.scope.peer.fast, s.snapshot, s.err))
		return cost
	}
	o.busy = true
	rd := o.x.reader.loop.clone()
	var body []byte
	var gone bool
	o.x.scope.peer.onWorker(func() (err error) {
		slow := o.x.scope.peer.slow
		body, err = rd.run(slow, nil)
		gone = o.isGone(slow, rd.snapshot, err)
		return err
	}, func(err error) {
		o.busy = false
		if !o.ended {
			o.sampled(rd.sample(body, err), gone)
		}
	})
	return cost
}

// sampled handles the outcome of a sample.
func (o *observation) sampled(s sample, gone bool) {
	now := o.x.cfg.Sched.Now()
	o.monitor.Sampled(now, s.live)
	switch {
	case !o.reachable():
		o.monitor.Changed() // sampled again when the server can be reached
	case gone:
		o.finish(now, s.err)
	case errors.Is(s.err, dm.ErrNoValue):
		in := o.attributes()
		o.monitor.NoValue(now, &in)
	case s.err != nil:
		o.monitor.Unreadable(now)
		o.logFailure(s.err)
	default:
		o.failing = false
		o.evaluate(now, s)
	}
	o.schedule()
}

// logFailure logs the first of several samples that fail.
func (o *observation) logFailure(err error) {
	if o.failing {
		return
	}
	o.failing = true
	o.x.cfg.Logger.Warn("an observed value cannot be read", "server", o.x.scope.peer.cfg.ShortServerID,
		"prefix", o.x.scope.device.cfg.Prefix, "path", o.path.String(), "error", err)
}

// evaluate sends a value where the monitor decides so.
func (o *observation) evaluate(now sched.Time, s sample) {
	in := o.attributes()
	if o.monitor.Decide(now, &in, s.print) != attr.Notify {
		return
	}
	n := &o.x.cfg.Scratch.notification
	n.Options.Reset()
	*n = coap.Notification{
		Response:    coap.Response{Code: coap.Content, Options: n.Options, Body: s.body},
		Confirmable: o.monitor.Confirmable(&in), Replace: true, Done: o.onDelivered,
	}
	if s.live {
		n.Refresh = o.refresh
	}
	n.Options.SetContentFormat(uint16(o.format))
	if err := o.rel.Notify(n); err != nil {
		o.monitor.NotSent(now)
		return
	}
	o.monitor.Notified(now, s.print)
}

// refresh puts the state of now into a notification that had to wait: it reaches the server as it
// is when it is sent, not as it was sampled. Slow functions leave it as it is.
func (o *observation) refresh(resp *coap.Response) {
	o.x.cfg.guardStream(func() {
		rd := o.x.reader.loop.clone()
		rd.begin(o.x.scope, Observe, o.path, o.format)
		body, err := rd.run(o.x.scope.peer.fast, nil)
		if err != nil || o.ended {
			return
		}
		resp.Body = body
		o.monitor.Notified(o.x.cfg.Sched.Now(), rd.observed.sum())
	}, func() {})
}

// onDelivered notes that the server may lack the newest value: a confirmable notification was not
// acknowledged.
func (o *observation) onDelivered(err error) {
	if errors.Is(err, coap.ErrTimeout) && !o.ended {
		o.forget()
	}
}

// finish sends the last notification, which says why there will be no more (RFC 7641 §4.2).
func (o *observation) finish(now sched.Time, why error) {
	n := &coap.Notification{Confirmable: true, Replace: true}
	n.Code, n.Body = explain(why, nil)
	switch err := o.rel.Notify(n); {
	case errors.Is(err, coap.ErrBusy):
		o.monitor.NotSent(now)
		return
	case err != nil:
		o.rel.Cancel()
	}
	o.remove()
}

// isGone reports whether an error means that there is nothing to observe any more, rather than no
// value for the moment. It may run on a worker.
func (o *observation) isGone(ctx context.Context, s dm.Snapshot, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, dm.Unauthorized):
		return true
	case dm.CodeOf(err) != dm.NotFound:
		return false
	case !s.Live(o.x.scope.peer.who, o.path):
		return true // a stored value was taken away (RFC 7641 §4.2)
	}
	err = s.Discover(ctx, o.x.scope.peer.who, o.path, 0, func(dm.Node) error { return nil })
	return errors.Is(err, dm.NotFound)
}

// rebase takes what the server has written itself as known to it: the server is notified when the
// value is no longer so. Where other changes came with it, and where functions give values of the
// node, it cannot be told what the server knows, and the next sample is a reason to notify.
func (o *observation) rebase() {
	o.written = false
	o.x.cfg.guard(o.readOwnWrite, o.forget)
}

// forget has the next sample be a reason to notify.
func (o *observation) forget() {
	o.monitor.Forget()
	o.monitor.Changed()
	o.schedule()
}

func (o *observation) readOwnWrite() {
	if o.monitor.Pending() || o.busy || o.monitor.Live() && o.x.scope.snapshot().Has(o.path) {
		o.monitor.Forget()
		return
	}
	s, _ := o.read()
	if s.err != nil { // it may be gone
		o.forget()
		return
	}
	o.monitor.Rebase(s.print)
}
