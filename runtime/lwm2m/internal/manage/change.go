package manage

import (
	"slices"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A change is one request that changes the data model: a Write, Create, Delete or Write-Composite. It
// waits for its turn at the writer slot, makes its changes on the loop, has them stored on a worker,
// and publishes and answers on the loop again.
type change struct {
	p       *Peer
	q       request
	upload  *dm.Upload // of a streamed resource, until the transaction has it
	created []dm.InstanceID
	touched []dm.Path // what the request itself wrote

	// turn is the transaction while it is between goroutines: granted but not begun, or stored but
	// not published. Who takes it out goes on with it.
	turn     atomic.Pointer[dm.Transaction]
	err      error // of the store
	waiting  bool  // for its turn
	cancel   func() bool
	patience sched.Job
}

// serveChange begins a change, at once where the writer slot is free.
func (p *Peer) serveChange(q *request) {
	c := &change{p: p, q: *q}
	if u, ok := q.r.Sink().(*upload); ok {
		c.upload = u.up
	}
	m := p.m
	if t, ok := m.cfg.Model.TryBegin(m.cfg.Context, p.who); ok {
		c.perform(t)
		return
	}
	if !p.take() {
		c.fail(errTooMany)
		return
	}
	m.changes[c] = struct{}{}
	c.waiting = true
	c.patience.Func = c.tooLate
	m.cfg.Sched.After(&c.patience, m.cfg.Limits.Patience)
	c.cancel = m.cfg.Model.BeginAsync(m.cfg.Context, p.who, c.granted)
}

// granted hands the turn to the loop, on the goroutine that freed the slot.
func (c *change) granted(t *dm.Transaction) {
	c.turn.Store(t)
	c.p.m.cfg.Sched.Post(c.goOn)
	if c.p.m.closed.Load() {
		c.dropTurn()
	}
}

// goOn takes a transaction up again on the loop.
func (c *change) goOn() {
	t := c.turn.Swap(nil)
	c.forget()
	switch {
	case t == nil: // dropped meanwhile
	case c.waiting:
		c.waiting = false
		c.perform(t)
	case c.err != nil:
		t.Rollback()
		c.fail(c.err)
	default:
		c.publish(t)
	}
}

// tooLate answers a request whose turn does not come.
func (c *change) tooLate() {
	if c.cancel() { // otherwise it has come
		c.forget()
		c.fail(errPatience)
	}
}

// forget takes a change off the list of those that wait, on the loop.
func (c *change) forget() {
	m := c.p.m
	if _, ok := m.changes[c]; ok {
		delete(m.changes, c)
		m.cfg.Sched.Cancel(&c.patience)
		c.p.give()
	}
}

// drop gives a change up that nobody waits for any more, and reports whether it has ended with that.
// One that is being stored goes on.
func (c *change) drop() bool {
	if c.dropTurn() {
		return true
	}
	if c.waiting && c.cancel() {
		c.abort()
		return true
	}
	return false
}

// dropTurn is drop, on whatever goroutine, for a change whose transaction is between goroutines: one
// that is stored is published.
func (c *change) dropTurn() bool {
	t := c.turn.Swap(nil)
	switch {
	case t == nil:
		return false
	case c.waiting, c.err != nil:
		t.Rollback()
	default:
		t.Publish()
		t.Finish()
	}
	c.abort()
	return true
}

// perform makes the changes, on the loop.
func (c *change) perform(t *dm.Transaction) {
	if err := c.apply(t); err != nil {
		t.Rollback()
		c.fail(err)
		return
	}
	if err := t.Prepare(); err != nil {
		c.fail(err)
		return
	}
	if !t.Persists() {
		c.publish(t)
		return
	}
	m := c.p.m
	c.p.pending++ // the change is made: it counts, but is not refused any more
	m.changes[c] = struct{}{}
	m.cfg.Store(func() {
		c.err = t.Persist()
		c.turn.Store(t)
		m.cfg.Sched.Post(c.goOn)
		if m.closed.Load() {
			c.dropTurn()
		}
	})
}

// publish ends a change: it becomes visible, the server is answered, then everybody else is told.
func (c *change) publish(t *dm.Transaction) {
	t.Publish()
	c.succeed()
	c.p.m.own.Store(c)
	t.Finish()
	c.p.m.own.Store(nil)
}

func (c *change) succeed() {
	code := coap.Changed
	switch c.q.op {
	case Delete:
		code = coap.Deleted
	case Create:
		code = coap.Created
	}
	resp := c.q.r.Response()
	resp.Code = code
	if len(c.created) == 1 {
		// Several instances have no location in common (Core 1.2.2 §6.3.6).
		for _, s := range c.p.lead {
			resp.Options.AddString(coap.OptionLocationPath, s)
		}
		var text [24]byte
		resp.Options.AddLocationPath(string(dm.InstancePath(c.q.path.Object(), c.created[0]).Append(text[:0])))
	}
	_ = c.q.r.Respond(resp)
}

// fail answers a change that did not come about.
func (c *change) fail(err error) {
	c.abort()
	c.p.refuse(c.q.r, err)
}

// abort forgets the upload that no transaction has taken.
func (c *change) abort() {
	if c.upload != nil {
		c.upload.Abort()
		c.upload = nil
	}
}

// wrote reports whether the request itself changed the node.
func (c *change) wrote(p dm.Path) bool {
	return slices.ContainsFunc(c.touched, func(q dm.Path) bool { return q.Contains(p) || p.Contains(q) })
}
