package manage

import (
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// An observation is a server's interest in one node, or in several by an Observe-Composite. It
// samples its nodes when their monitors say so (sampling.go), and sends the notifications that the
// monitors decide on.
type observation struct {
	scope   *scope            // of the request
	rel     *coap.Observation // nil between Restore and the first Attach
	saved   []byte            // what Restore makes rel of
	carried *attr.Set         // by the request, nil where it carried no attributes
	parts   []*part
	own     part // the part of an Observe
	timer   sched.Job
	// The method values of onDelivered and refresh, from the first notification that needs them.
	done      func(error)
	refreshed func(*coap.Response)
	store     *store // what the server has to be told of later; nil for nothing

	place     int32 // in Peer.observed
	values    int32 // when it began
	format    content.Format
	composite bool
	queued    bool // the sample is due, and waits for its turn
	busy      bool // a worker samples the nodes
	failing   bool // the last sample failed, which was logged
	ended     bool
	held      bool // a notification waits until the device is awake
	releasing bool // it has waited, and the nodes are not sampled yet
	// rejected says that the outcome of the notification that was rejected is reported.
	rejected bool
}

func (o *observation) cfg() *Config { return &o.scope.peer.m.cfg }

// Cancelled is called when the observation has ended at the server, or with the connection, in
// which case it may continue over another one.
func (o *observation) Cancelled(_ *coap.Observation, why coap.ObserveEnd) {
	if why == coap.ObserveReset && !o.rejected {
		o.delivered(Rejected, 0, coap.ErrReset) // one that asked for no acknowledgement
	}
	if why == coap.ObserveReset {
		o.scope.peer.undelivered()
	}
	if why == coap.ObserveClosed && !o.scope.closed {
		o.schedule()
		return
	}
	o.remove()
}

// attach continues over another connection.
func (o *observation) attach(c *coap.Conn) {
	if o.rel == nil || o.rel.Conn() != c || o.rel.Ended() {
		if err := o.resume(c); err != nil {
			o.remove()
			return
		}
	}
	o.schedule()
	if o.store != nil {
		o.drainAfter(0) // after the Update that the client sends first
	}
}

// resume has the observation notify over another connection.
func (o *observation) resume(c *coap.Conn) (err error) {
	if o.rel == nil {
		o.rel, err = c.Restore(o.saved, o)
		o.saved = nil
		return err
	}
	o.rel.Cancel() // if the old connection is still there
	rel, err := c.Resume(o.rel)
	if err == nil {
		o.rel = rel
	}
	return err
}

// cancel ends the observation without notifying the server.
func (o *observation) cancel() {
	if o.rel != nil {
		o.rel.Cancel()
	}
	o.remove()
}

func (o *observation) remove() {
	if o.ended {
		return
	}
	o.ended = true
	o.dropStored(false)
	o.cfg().Sched.Cancel(&o.timer)
	for _, p := range o.parts {
		p.scope.reporter.parts.remove(p)
		p.scope.device.watch(-1)
	}
	all := o.scope.peer.observed
	last := len(all) - 1
	all[o.place], all[last].place = all[last], o.place
	all[last], o.scope.peer.observed = nil, all[:last]
	o.scope.peer.observations.used--
	o.scope.peer.values.used -= int(o.values)
	o.busy = false // the result of a worker is discarded
	o.released()
}

// isWithin reports whether all observed nodes are of one device.
func (o *observation) isWithin(s *scope) bool {
	return !slices.ContainsFunc(o.parts, func(p *part) bool { return p.scope != s })
}

// removePart goes on without a node.
func (o *observation) removePart(p *part) {
	p.scope.reporter.parts.remove(p)
	p.scope.device.watch(-1)
	o.parts = slices.DeleteFunc(o.parts, func(x *part) bool { return x == p })
}

// reachable reports whether a notification can be sent.
func (o *observation) reachable() bool {
	return o.scope.peer.conn != nil && o.rel != nil && !o.rel.Ended()
}

// schedule sets the timer for the next sample.
func (o *observation) schedule() {
	if o.ended || o.busy || o.queued {
		return
	}
	s, next := o.cfg().Sched, o.next()
	if o.releasing && next > s.Now() {
		o.released() // it is not sampled now after all
	}
	if next == attr.Never {
		s.Cancel(&o.timer)
		return
	}
	s.At(&o.timer, next)
}

// next returns when a node is to be sampled next.
func (o *observation) next() sched.Time {
	next := attr.Never
	if o.held || o.store != nil && o.store.gone || !o.reports() {
		return next
	}
	for _, p := range o.parts {
		next = min(next, p.next())
	}
	return next
}

// A notice is what a notification says, and why it is sent.
type notice struct {
	reason attr.Decision
	body   []byte
	nodes  []attr.Sample // of the observation's parts
}

// notify sends a notification to the server. Every value that a server is notified of passes here.
func (o *observation) notify(now sched.Time, x *notice) {
	if o.mustStore() {
		o.keep(now, x)
		o.scope.peer.wake() // where it waits for those before it
		return
	}
	if o.scope.peer.asleep {
		o.hold()
		return
	}
	n, live := &o.cfg().Scratch.notification, false
	n.Options.Reset()
	*n = coap.Notification{
		Response: coap.Response{Code: coap.Content, Options: n.Options, Body: x.body},
		Replace:  true,
	}
	for i, p := range o.parts {
		in := p.attributes()
		n.Confirmable = n.Confirmable || p.monitor.Confirmable(&in) // Core 1.2.2 §7.3.2
		live = live || x.nodes[i].Live
	}
	n.Done = o.doneFunc(n.Confirmable)
	if live {
		if o.refreshed == nil {
			o.refreshed = o.refresh
		}
		n.Refresh = o.refreshed
	}
	n.Options.SetContentFormat(uint16(o.format))
	if err := o.rel.Notify(n); err != nil {
		o.notSent(now)
		return
	}
	for i, p := range o.parts {
		p.monitor.Notified(now, &x.nodes[i])
	}
}

// notSent has the notification tried again with the values of then.
func (o *observation) notSent(now sched.Time) {
	for _, p := range o.parts {
		p.monitor.NotSent(now)
	}
}

// refresh puts the state of now into a notification that had to wait: it reaches the server as it
// is when it is sent, not as it was sampled. Slow functions leave it as it is.
func (o *observation) refresh(resp *coap.Response) {
	o.cfg().guardStream(func() {
		rd := o.scope.peer.m.reader.loop.clone()
		o.prepare(rd)
		body, err := rd.run(o.scope.peer.sampleFast, nil)
		if err != nil || o.ended {
			return
		}
		resp.Body = body
		now := o.cfg().Sched.Now()
		for i, p := range o.parts {
			s := rd.observed.sampleOf(i)
			p.monitor.Notified(now, &s)
		}
	}, func() {})
}

// onDelivered notes that the server may lack the newest value: a confirmable notification was not
// acknowledged, or one that waited was not sent.
func (o *observation) onDelivered(err error) {
	o.noteTimeout(err)
	if err == nil || o.ended || errors.Is(err, coap.ErrSuperseded) || errors.Is(err, coap.ErrReset) {
		return
	}
	o.forget()
}

// finish sends the last notification, which says why there will be no more (RFC 7641 §4.2).
func (o *observation) finish(now sched.Time, why error) {
	if o.mustStore() {
		o.finishLater()
		o.scope.peer.wake()
		return
	}
	if o.scope.peer.asleep {
		o.hold()
		return
	}
	n := &coap.Notification{Confirmable: true, Replace: true}
	n.Code, n.Body = serve.Explain(why, nil)
	switch err := o.rel.Notify(n); {
	case errors.Is(err, coap.ErrBusy):
		o.notSent(now)
		return
	case err != nil:
		o.rel.Cancel()
	}
	o.remove()
}

// isGone reports whether an error of the node's reading means that there is nothing to observe any
// more, rather than no value for the moment. It may run on a worker.
func (p *part) isGone(ctx context.Context, s dm.Snapshot, err error) bool {
	who := p.scope.peer.who
	switch {
	case err == nil:
		return false
	case errors.Is(err, dm.Unauthorized), err == errHidden:
		return true
	case dm.CodeOf(err) != dm.NotFound:
		return false
	case !s.Live(who, p.path):
		return true // a stored value was taken away (RFC 7641 §4.2)
	}
	err = s.Discover(ctx, who, p.path, 0, func(dm.Node) error { return nil })
	return errors.Is(err, dm.NotFound)
}
