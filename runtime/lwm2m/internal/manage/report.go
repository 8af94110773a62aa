package manage

import (
	"bytes"
	"hash/maphash"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// An observation is a server's interest in a node (Core 1.2.2 §6.4).
type observation struct {
	p      *Peer
	rel    *coap.Observation
	path   dm.Path
	format content.Format
	own    *Attributes // carried by the Observe, nil where it carried none

	timer   sched.Job
	sent    sched.Time // when the last notification was, or the answer that began it
	sampled sched.Time // when the value was looked at last
	hold    sched.Time // not before, because the last notification could not be sent
	last    uint64     // hash of what the server knows: what was sent last, or what it wrote itself
	known   bool       // last means something
	written bool       // the server itself has changed something, which is being published
	dirty   bool       // something has changed since
	live    bool       // functions stand behind the node
	busy    bool       // a worker is looking at it
	failing bool       // it could not be read last time, which was logged
	ended   bool
}

// observe answers a request and begins the observation that it asks for.
func (p *Peer) observe(q *request, x *reading, own *Attributes, resp *coap.Response) {
	now := p.m.cfg.Sched.Now()
	o := &observation{p: p, path: q.path, format: x.format, own: own, sent: now, sampled: now}
	o.last, o.known = maphash.Bytes(p.m.seed, resp.Body), true
	o.live = x.snapshot.Live(p.who, q.path)
	o.timer.Func = o.due
	rel, err := q.r.RespondObserve(resp, o)
	if err != nil || rel == nil {
		return
	}
	o.rel = rel
	p.observations = append(p.observations, o)
	p.m.watched.Add(1)
	// What was published since the reading has been told of to nobody.
	o.dirty = x.snapshot != p.m.cfg.Model.Snapshot()
	o.arm()
}

// mayObserve reports whether the server has room for an observation; one with the token of another
// takes its place.
func (p *Peer) mayObserve(r *coap.Request) bool {
	return len(p.observations) < p.m.cfg.Limits.Observations || slices.ContainsFunc(p.observations, func(o *observation) bool {
		return bytes.Equal(o.rel.Token(), r.Token())
	})
}

// Cancelled hears that the observation has ended on the other side, or with the connection, in which
// case it may go on over another one.
func (o *observation) Cancelled(_ *coap.Observation, why coap.ObserveEnd) {
	if why == coap.ObserveClosed && !o.p.closed {
		o.arm()
		return
	}
	o.remove()
}

// attach goes on over another connection.
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
	o.arm()
}

// cancel ends the observation without telling the server.
func (o *observation) cancel() {
	o.rel.Cancel()
	o.remove()
}

func (o *observation) remove() {
	if o.ended {
		return
	}
	o.ended = true
	p := o.p
	p.m.cfg.Sched.Cancel(&o.timer)
	p.observations = slices.DeleteFunc(p.observations, func(x *observation) bool { return x == o })
	p.m.watched.Add(-1)
}

// absorb takes in what the server has written itself: it knows that, and is told when it is no longer
// so. Where other changes came with it, and where functions stand behind the node, what the server
// knows cannot be told, and the next look is news.
func (o *observation) absorb() {
	o.written = false
	m := o.p.m
	s := m.cfg.Model.Snapshot()
	if o.dirty || o.busy || o.live && s.Has(o.path) {
		o.known = false
		return
	}
	x := m.reading
	x.begin(o.p, &request{op: Observe, path: o.path}, o.format)
	body, err := x.run(o.p.fast, m.payload[:0])
	if err != nil { // it may be gone
		o.known, o.dirty = false, true
		o.arm()
		return
	}
	o.last, o.known = maphash.Bytes(m.seed, body), true
}

// concerns reports whether a change at p may change what is observed.
func (o *observation) concerns(p dm.Path) bool { return o.path.Contains(p) || p.Contains(o.path) }

// attributes returns what is in force (Core 1.2.2 §5.1.2): what the Observe carried, or what is
// attached to the node or above it, or what the server's account says.
func (o *observation) attributes(s dm.Snapshot) Attributes {
	d := o.p.defaults(s)
	if o.own != nil {
		return o.own.over(d)
	}
	return inForce(o.p.attributes, o.path).over(d)
}
