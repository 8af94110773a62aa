package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// How an observation samples its nodes. An Observe reads its one node, which is compared and sent.
// An Observe-Composite compares the nodes that are due, each by its own attributes, and reads all
// of them when one gives a reason to notify.

// onDue has the nodes sampled in turn with those of other servers.
func (o *observation) onDue() {
	if !o.queued {
		o.cfg().Scratch.due.add(o)
	}
}

// takeTurn samples the nodes that are still due, and returns what that has cost, in values.
func (o *observation) takeTurn() (cost int) {
	defer o.released()
	if o.ended || o.busy {
		return 0
	}
	if o.next() > o.cfg().Sched.Now() {
		o.schedule()
		return 1
	}
	o.cfg().guard(func() {
		if o.composite {
			cost = o.sampleComposite()
		} else {
			cost = o.sample()
		}
	}, o.onPanic)
	return max(cost, 1)
}

// onPanic has the nodes sampled again after user code has panicked.
func (o *observation) onPanic() {
	o.busy = false
	o.onUnreadable(serve.ErrPanic)
	o.schedule()
}

// sample reads the node of an Observe, on a worker where slow functions give its values, and
// notifies if there is a reason to.
func (o *observation) sample() (cost int) {
	o.own.monitor.Sampling()
	s, cost := o.read()
	if !errors.Is(s.err, dm.ErrSlow) {
		o.sampled(s, o.own.isGone(o.scope.peer.fast, s.snapshot, s.err))
		return cost
	}
	gone := false
	o.readSlowly(o.scope.peer.m.reader.loop.clone(), func(rd *reading, err error) error {
		gone = o.own.isGone(o.scope.peer.slow, rd.snapshot, err)
		return err
	}, func(rd *reading, body []byte, err error) {
		var s sample
		s.keep(rd, body, err, 0)
		o.sampled(&s, gone)
	})
	return cost
}

// read reads the node of an Observe on the loop, into the memory of notifications, or takes what
// was read for an equal observation. The cost is the number of values that were read.
func (o *observation) read() (s *sample, cost int) {
	scratch := o.cfg().Scratch
	d, rd := &scratch.due, o.scope.peer.m.reader.loop
	if d.last.serves(o, d.slice) {
		return &d.last, 1
	}
	d.last.forget()
	o.prepare(rd)
	body, err := rd.run(o.scope.peer.sampleFast, scratch.payload[:0])
	if err == nil {
		scratch.keep(body)
	}
	d.last.keep(rd, body, err, d.slice)
	return &d.last, rd.count + 1
}

// readSlowly runs a reading on a worker. also is called there with the error, and then is called on
// the loop.
func (o *observation) readSlowly(rd *reading, also func(*reading, error) error, then func(*reading, []byte, error)) {
	o.busy = true
	var body []byte
	o.scope.peer.onWorker(func() (err error) {
		body, err = rd.run(o.scope.peer.sampleSlow, nil)
		return also(rd, err)
	}, func(err error) {
		o.busy = false
		if !o.ended {
			then(rd, body, err)
		}
		o.released()
	})
}

// prepare prepares a reading of all observed nodes in the present state.
func (o *observation) prepare(rd *reading) {
	if !o.composite {
		rd.begin(o.scope, Observe, o.own.path, o.format)
		return
	}
	rd.begin(o.scope, Observe, dm.Path{}, o.format)
	rd.isComposite = true
	rd.composite.parts = rd.composite.parts[:0]
	for _, p := range o.parts {
		rd.composite.enter(p.scope)
		_ = rd.composite.add(p.path)
	}
}

// sampled handles the outcome of a sample of an Observe.
func (o *observation) sampled(s *sample, gone bool) {
	now, p := o.cfg().Sched.Now(), &o.own
	switch {
	case !o.reports():
		p.monitor.Changed() // sampled again when the server can be reached
	case gone:
		o.finish(now, s.err)
	case errors.Is(s.err, dm.ErrNoValue):
		in := p.attributes()
		p.monitor.NoValue(now, &in, s.node.Live)
	case s.err != nil:
		o.onUnreadable(s.err)
	default:
		o.failing = false
		in := p.attributes()
		if d := p.monitor.Decide(now, &in, &s.node); d.Notifies() {
			x := &o.cfg().Scratch.notice
			*x = notice{reason: d, body: s.body, nodes: append(x.nodes[:0], s.node)}
			o.notify(now, x)
		}
	}
	o.schedule()
}

// onUnreadable has the nodes sampled again later.
func (o *observation) onUnreadable(err error) {
	now := o.cfg().Sched.Now()
	for _, p := range o.parts {
		p.monitor.Unreadable(now, p.monitor.Live())
	}
	o.logFailure(err)
}

// logFailure logs the first of several samples that fail.
func (o *observation) logFailure(err error) {
	if o.failing {
		return
	}
	o.failing = true
	path := o.own.path
	var e *dm.Error
	if o.composite && errors.As(err, &e) {
		path = e.Path
	}
	o.cfg().Logger.Warn("an observed value cannot be read", "server", o.scope.peer.cfg.ShortServerID,
		"prefix", o.scope.device.cfg.Prefix, "path", path.String(), "error", err)
}

// sampleComposite compares the nodes of an Observe-Composite that are due, on a worker where slow
// functions give their values, and notifies of all nodes if one gives a reason to. All nodes are
// read at once where all are due, or where one will give a reason.
func (o *observation) sampleComposite() (cost int) {
	now, rd := o.cfg().Sched.Now(), o.scope.peer.m.reader.loop
	o.cfg().Scratch.due.last.forget()
	o.prepare(rd)
	all, certain := true, false
	rd.wanted = rd.wanted[:0]
	for _, p := range o.parts {
		in := p.attributes()
		due := p.monitor.Next(&in) <= now
		if rd.wanted = append(rd.wanted, due); due {
			certain = certain || p.monitor.Certain(now, &in)
			p.monitor.Sampling()
		}
		all = all && due
	}
	rd.probe = !all && !certain
	return o.readComposite(rd, o.compared)
}

// readComposite runs a reading of the nodes, on a worker if need be, and passes it to then. The
// cost is the number of values that were read.
func (o *observation) readComposite(rd *reading, then func(*reading, []byte, error) int) (cost int) {
	scratch := o.cfg().Scratch
	body, err := rd.run(o.scope.peer.sampleFast, scratch.payload[:0])
	cost = rd.count + 1
	if !errors.Is(err, dm.ErrSlow) {
		if err == nil {
			scratch.keep(body)
		}
		return cost + then(rd, body, err)
	}
	o.readSlowly(rd.clone(), func(_ *reading, err error) error { return err },
		func(rd *reading, body []byte, err error) { then(rd, body, err) })
	return cost
}

// compared decides on a notification after the nodes that are due were compared.
func (o *observation) compared(rd *reading, body []byte, err error) (cost int) {
	now, reason := o.cfg().Sched.Now(), attr.Keep
	switch {
	case !o.reports():
		for _, p := range o.parts {
			p.monitor.Changed() // sampled again when the server can be reached
		}
	case err != nil:
		o.onUnreadable(err)
	case len(rd.observed.nodes) != len(o.parts): // a device is gone
		o.forget()
	default:
		o.failing = false
		for i, p := range o.parts {
			if rd.wanted[i] {
				in, s := p.attributes(), rd.observed.sampleOf(i)
				reason = max(reason, p.monitor.Decide(now, &in, &s))
			}
		}
	}
	switch {
	case !reason.Notifies():
		o.schedule()
		return 0
	case !rd.probe:
		o.composed(reason, rd, body, nil)
		return 0
	}
	rd = o.scope.peer.m.reader.loop
	o.prepare(rd)
	return o.readComposite(rd, func(rd *reading, body []byte, err error) int {
		o.composed(reason, rd, body, err)
		return 0
	})
}

// composed sends what was read of all nodes.
func (o *observation) composed(reason attr.Decision, rd *reading, body []byte, err error) {
	now := o.cfg().Sched.Now()
	switch {
	case !o.reports(), err == nil && len(rd.observed.nodes) != len(o.parts):
		o.forget()
	case err != nil:
		o.onUnreadable(err)
	case o.allGone(rd):
		o.finish(now, rd.observed.nodes[0].err)
	default:
		x := &o.cfg().Scratch.notice
		*x = notice{reason: reason, body: body, nodes: x.nodes[:0]}
		for i := range o.parts {
			x.nodes = append(x.nodes, rd.observed.sampleOf(i))
		}
		o.notify(now, x)
	}
	o.schedule()
}

// allGone reports whether none of the nodes can be observed any more.
func (o *observation) allGone(rd *reading) bool {
	for i, p := range o.parts {
		if !p.isGone(o.scope.peer.fast, p.scope.snapshot(), rd.observed.nodes[i].err) {
			return false
		}
	}
	return true
}

// forget has the next sample of each node be a reason to notify.
func (o *observation) forget() {
	for _, p := range o.parts {
		p.forget()
	}
}

// forget has the next sample be a reason to notify.
func (p *part) forget() {
	p.monitor.Forget()
	p.monitor.Changed()
	p.o.schedule()
}
