package provision

import (
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// acquire takes the writer slot for the current task and calls then on the loop, with the
// transaction that holds it. The first call begins the transaction.
func (s *Sequence) acquire(then func(*dm.Transaction)) {
	s.slot.then = then
	s.cfg.Sched.After(&s.slot.patience, s.cfg.Limits.Patience)
	if t := s.t; t != nil {
		s.slot.cancel = t.ResumeAsync(s.cfg.Context, func() { s.passToLoop(t) })
	} else {
		s.slot.cancel = s.cfg.Model.BeginAsync(s.cfg.Context, dm.Bootstrap, s.passToLoop)
	}
}

// passToLoop has the loop continue with the transaction. Where nothing runs the loop any more, the
// transaction ends here. It is called on the goroutine that freed the writer slot, or on that of
// the store.
func (s *Sequence) passToLoop(t *dm.Transaction) {
	s.slot.handover.Store(t)
	s.cfg.Sched.Post(s.resume)
	if s.stopped.Load() {
		s.endHandover()
	}
}

// resume continues with the transaction on the loop.
func (s *Sequence) resume() {
	if s.ended {
		s.endHandover()
		return
	}
	t := s.slot.handover.Swap(nil)
	if t == nil {
		return
	}
	s.cfg.Sched.Cancel(&s.slot.patience)
	s.slot.cancel = nil
	if s.t == nil {
		s.t = t
		s.guard.Do(func() { s.own = bootstrapAccounts(t.Snapshot()) }, func() {})
	}
	s.slot.then(t)
}

// onPatienceOver refuses a task that has waited too long for the writer slot.
func (s *Sequence) onPatienceOver() {
	if s.slot.cancel == nil || !s.slot.cancel() { // the slot has been granted
		return
	}
	s.slot.cancel = nil
	k := s.current
	if k.op == pack {
		s.leave()
		k.done(serve.ErrPatience)
		return
	}
	s.refuse(k.r, serve.ErrPatience)
	s.leave()
}

// store stores the prepared transaction on a worker and then calls then on the loop.
func (s *Sequence) store(t *dm.Transaction, then func(*dm.Transaction, error)) {
	s.slot.storing, s.slot.storeErr, s.slot.storePanic = true, nil, nil
	s.slot.then = func(t *dm.Transaction) {
		s.slot.storing = false
		defer s.raiseStorePanic()
		then(t, s.slot.storeErr)
	}
	s.cfg.Store(func() {
		serve.Observe(t.Persist, func(err error, p *serve.Panic) {
			s.slot.storeErr, s.slot.storePanic = err, p
			s.passToLoop(t)
		})
	})
}

// endHandover ends a transaction that is passing from one goroutine to another after the sequence
// has been aborted: what is stored is published, everything else is rolled back. It returns false
// where no transaction is passing.
func (s *Sequence) endHandover() bool {
	t := s.slot.handover.Swap(nil)
	if t == nil {
		return false
	}
	defer s.raiseStorePanic()
	s.guard.Do(func() {
		if s.slot.storing && s.slot.storeErr == nil {
			t.Publish()
			t.Finish()
		} else {
			t.Rollback()
		}
	}, t.Rollback)
	return true
}

// raiseStorePanic continues a panic of the store.
func (s *Sequence) raiseStorePanic() {
	p := s.slot.storePanic
	s.slot.storePanic = nil
	s.guard.Raise(p)
}
