package manage

import (
	"slices"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// changer answers the requests that change the data model: Write, Create, Delete and
// Write-Composite. Each is one transaction (see change).
type changer struct {
	cfg        *Config
	inProgress map[*change]struct{} // waiting for the writer slot, or being stored
	// stopped says that the scheduler may not run any more; see Manager.Stop.
	stopped atomic.Bool
}

// A change is the transaction of one request. It waits for the writer slot, runs on the loop, is
// stored on a worker, and is published and answered on the loop again.
type change struct {
	x       *changer
	q       request
	upload  *dm.Upload // of a streamed resource, until the transaction has it
	created []dm.InstanceID
	touched []dm.Path // what the request itself wrote

	// handover holds the transaction while it passes from one goroutine to another: granted but not
	// begun, or stored but not published. The goroutine that takes it out continues with it.
	handover   atomic.Pointer[dm.Transaction]
	storeErr   error
	storePanic *serve.Panic
	answered   bool
	// publishing says that the change is being published on the loop.
	publishing bool

	waiting  bool // for the writer slot
	dropped  bool // while the writer slot was being granted
	cancel   func() bool
	patience sched.Job
}

// TransactionCause marks a change as what its transaction carries, so that a publication says which
// request it came from.
func (*change) TransactionCause() {}

// serve begins a change, at once where the writer slot is free.
func (x *changer) serve(q *request) {
	c := &change{x: x, q: *q}
	if u, ok := q.r.Sink().(*upload); ok {
		c.upload = u.up
	}
	if err := c.chooseDevice(); err != nil {
		c.fail(err)
		return
	}
	p, model := c.q.scope.peer, c.q.scope.device.cfg.Model
	if t, ok := model.TryBegin(x.cfg.Context, p.who); ok {
		c.perform(t)
		return
	}
	if !p.requests.take() {
		c.fail(errTooMany)
		return
	}
	x.inProgress[c] = struct{}{}
	c.waiting = true
	c.patience.Func = c.onPatienceOver
	x.cfg.Sched.After(&c.patience, x.cfg.Limits.Patience)
	c.cancel = model.BeginAsync(x.cfg.Context, p.who, c.onGranted)
}

// drop drops the changes that match and whose answers could not be sent, as far as possible: one
// that is being stored continues.
func (x *changer) drop(match func(*change) bool) {
	for c := range x.inProgress {
		if match(c) && c.drop() {
			c.leave()
		}
	}
}

// stop ends what has been stored; what is still being stored ends on the goroutine of the store.
func (x *changer) stop() {
	x.stopped.Store(true)
	for c := range x.inProgress {
		if c.endHandover() {
			c.leave()
		}
	}
}

// onGranted passes the transaction to the loop, on the goroutine that freed the writer slot.
func (c *change) onGranted(t *dm.Transaction) { c.passToLoop(t) }

// passToLoop has the loop continue with the transaction. Where nothing runs the loop any more, the
// transaction ends here.
func (c *change) passToLoop(t *dm.Transaction) {
	c.handover.Store(t)
	c.x.cfg.Sched.Post(c.resume)
	if c.x.stopped.Load() {
		c.endHandover()
	}
}

// resume continues with the transaction on the loop.
func (c *change) resume() {
	t := c.handover.Swap(nil)
	c.leave()
	if t != nil { // what the store left belongs to the owner of the transaction
		p := c.storePanic
		c.storePanic = nil
		defer c.x.cfg.raise(p)
	}
	switch {
	case t == nil: // the change has been dropped
	case c.dropped:
		c.end(t)
	case c.waiting:
		c.waiting = false
		c.perform(t)
	case c.storeErr != nil:
		c.guard(t, func() {
			t.Rollback()
			c.fail(c.storeErr)
		})
	default:
		c.publish(t)
	}
}

// guard calls fn, which calls user code. Where fn does not return, the transaction ends and the
// request is answered 5.00.
func (c *change) guard(t *dm.Transaction, fn func()) {
	c.x.cfg.guard(fn, func() {
		c.publishing = false
		defer c.fail(serve.ErrPanic) // an answer that has been sent stays
		t.Rollback()
	})
}

// raiseStorePanic continues a panic of the store.
func (c *change) raiseStorePanic() {
	p := c.storePanic
	c.storePanic = nil
	c.x.cfg.raise(p)
}

// onPatienceOver answers a request that has waited too long for the writer slot.
func (c *change) onPatienceOver() {
	if c.cancel() { // otherwise the slot has been granted
		c.leave()
		c.fail(serve.ErrPatience)
	}
}

// leave takes the change off the list of those in progress, on the loop.
func (c *change) leave() {
	if _, ok := c.x.inProgress[c]; ok {
		delete(c.x.inProgress, c)
		c.x.cfg.Sched.Cancel(&c.patience)
		c.q.scope.peer.requests.used--
	}
}

// drop ends a change whose answer could not be sent, on the loop. It returns false where the change
// continues.
func (c *change) drop() bool {
	switch {
	case c.endHandover():
		return true
	case !c.waiting: // for the slot, so it is being stored
		return false
	case c.cancel():
		c.abort()
		return true
	}
	c.dropped = true // the slot is being granted at this moment
	c.abort()
	return false
}

// endHandover ends a change whose transaction is passing from one goroutine to another, without an
// answer. It returns false where the transaction is not passing.
func (c *change) endHandover() bool {
	t := c.handover.Swap(nil)
	if t == nil {
		return false
	}
	c.end(t)
	return true
}

// end ends a transaction without an answer: what is stored is published, everything else is rolled
// back.
func (c *change) end(t *dm.Transaction) {
	defer c.raiseStorePanic()
	c.x.cfg.guard(func() {
		if c.waiting || c.storeErr != nil {
			t.Rollback()
		} else {
			t.Publish()
			t.Finish()
		}
		c.abort()
	}, t.Rollback)
}

// perform makes the changes on the loop: Begin, Create, Delete, Validate and Commit hooks run here,
// and Rollback hooks where one of them fails.
func (c *change) perform(t *dm.Transaction) {
	c.guard(t, func() { c.change(t) })
}

func (c *change) change(t *dm.Transaction) {
	t.SetCause(c)
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
	// The changes are made: the request counts as waiting, but cannot be refused any more.
	c.q.scope.peer.requests.used++
	c.x.inProgress[c] = struct{}{}
	c.x.cfg.Store(func() {
		serve.Observe(t.Persist, func(err error, p *serve.Panic) {
			c.storeErr, c.storePanic = err, p
			c.passToLoop(t)
		})
	})
}

// publish ends a change on the loop: it becomes visible, the server is answered, observers are
// notified, and Changed hooks run.
func (c *change) publish(t *dm.Transaction) {
	c.guard(t, func() {
		t.Publish()
		c.succeed()
		c.publishing = true
		t.Finish()
		c.publishing = false
	})
}

// succeed answers a change that has been made.
func (c *change) succeed() {
	c.answered = true
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
		for _, s := range c.q.scope.lead {
			resp.Options.AddString(coap.OptionLocationPath, s)
		}
		var text [24]byte
		resp.Options.AddLocationPath(string(dm.InstancePath(c.q.path.Object(), c.created[0]).Append(text[:0])))
	}
	_ = c.q.r.Respond(resp)
}

// fail answers a change that has not been made.
func (c *change) fail(err error) {
	c.abort()
	if !c.answered {
		c.answered = true
		c.q.refuse(err)
	}
}

// abort aborts the upload that no transaction has taken.
func (c *change) abort() {
	if up := c.upload; up != nil {
		c.upload = nil
		c.x.cfg.guard(up.Abort, func() {})
	}
}

// wrote reports whether the request itself changed the node.
func (c *change) wrote(p dm.Path) bool {
	return slices.ContainsFunc(c.touched, func(q dm.Path) bool { return q.Contains(p) || p.Contains(q) })
}
