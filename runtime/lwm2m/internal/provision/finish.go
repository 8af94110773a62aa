package provision

import (
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// The end of a sequence: a Finish, or a pack, which is a sequence of its own. A Finish that is
// refused leaves the sequence open for correction (Core 1.2.2 §6.1.6). A pack that is refused is
// rolled back.

// beginFinish checks what has been written, and has the step before the end run where there is one.
func (s *Sequence) beginFinish(k *task, t *dm.Transaction) {
	step := s.cfg.BeforeFinish
	s.perform(func() error {
		if k.op == pack {
			if err := s.applyPack(k, t); err != nil {
				return err
			}
		}
		if step == nil {
			return nil
		}
		return s.consistent(t, false)
	}, func(err error) {
		switch {
		case err != nil:
			s.refuseFinish(k, t, err)
		case step == nil:
			s.prepare(k, t)
		default:
			s.runStep(k, t)
		}
	})
}

// runStep runs Config.BeforeFinish without the writer slot.
func (s *Sequence) runStep(k *task, t *dm.Transaction) {
	if k.r != nil {
		k.r.Acknowledge()
	}
	done := func(err error) {
		s.cfg.Sched.Post(func() {
			if s.ended || s.current != k || !k.stepping {
				return
			}
			k.stepping = false
			s.acquire(func(t *dm.Transaction) {
				if err != nil {
					s.refuseFinish(k, t, err)
					return
				}
				s.prepare(k, t)
			})
		})
	}
	k.stepping = true
	s.perform(func() error {
		s.cfg.BeforeFinish(s.ctx, t.Snapshot(), done)
		return nil
	}, func(err error) {
		if err != nil {
			k.stepping = false
			s.refuseFinish(k, t, err)
			return
		}
		t.Suspend()
	})
}

// prepare runs the checks and hooks.
func (s *Sequence) prepare(k *task, t *dm.Transaction) {
	s.perform(func() error {
		return t.PrepareAfter(func() error { return s.consistent(t, true) })
	}, func(err error) {
		switch {
		case errors.Is(err, serve.ErrPanic):
			s.reopen(k, t, err)
		case err != nil:
			s.refuseFinish(k, t, err)
		case t.Persists():
			s.store(t, func(t *dm.Transaction, err error) { s.onStored(k, t, err) })
		default:
			s.publish(k, t)
		}
	})
}

// onStored continues when the store has ended.
func (s *Sequence) onStored(k *task, t *dm.Transaction, err error) {
	if err != nil {
		if !errors.Is(err, serve.ErrPanic) {
			err = &storeError{err}
		}
		s.reopen(k, t, err)
		return
	}
	s.publish(k, t)
}

// storeError is a fault of the store.
type storeError struct{ err error }

func (e *storeError) Error() string { return "storing: " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// reopen undoes Prepare and refuses the Finish.
func (s *Sequence) reopen(k *task, t *dm.Transaction, err error) {
	s.perform(func() error { t.Reopen(); return nil }, func(error) { s.refuseFinish(k, t, err) })
}

// refuseFinish answers a Finish that has failed. A sequence whose transaction cannot be corrected
// is over.
func (s *Sequence) refuseFinish(k *task, t *dm.Transaction, err error) {
	if k.op == pack {
		s.rollback()
		s.leave()
		k.done(err)
		return
	}
	s.refuse(k.r, finishError(err))
	if !t.Reopen() {
		s.fail(err)
		return
	}
	t.Suspend()
	s.leave()
}

// finishError returns the error that a refused Finish is answered with: it names the fault in words
// that are not those of the program.
func finishError(err error) error {
	var own *serve.Refusal
	var e *dm.Error
	var stored *storeError
	path := ""
	if errors.As(err, &e) && !e.Path.IsRoot() {
		path = e.Path.String() + ": "
	}
	switch {
	case errors.Is(err, serve.ErrPanic):
		return err
	case errors.As(err, &own):
		return own
	case errors.As(err, &stored):
		return serve.Refuse(dm.NotAcceptable, "the device could not store the configuration")
	case e != nil && errors.Is(err, dm.ErrMandatory):
		return serve.Refuse(dm.NotAcceptable, e.Error())
	}
	return serve.Refuse(dm.NotAcceptable, path+"the device refuses the configuration")
}

// publish ends a sequence that has been stored: it becomes visible, the server is answered, and
// Changed hooks run.
func (s *Sequence) publish(k *task, t *dm.Transaction) {
	s.t, s.ended = nil, true
	s.guard.Do(func() {
		t.Publish()
		if k.r != nil {
			succeed(k.r, coap.Changed)
		}
		defer s.onPublished(k)
		t.Finish()
	}, t.Rollback)
}

func (s *Sequence) onPublished(k *task) {
	s.end()
	if k.op == pack {
		k.done(nil)
		return
	}
	s.cfg.OnFinished()
}

// consistent checks the accounts that the sequence leaves, without a bootstrap account that has
// been replaced. With complete it also makes the changes that are the client's own: it deletes the
// replaced account and sets Last Bootstrapped.
func (s *Sequence) consistent(t *dm.Transaction, complete bool) error {
	a := readAccounts(t.Snapshot())
	old := a.replaced(s.own)
	for _, x := range old {
		a.leaveOut(x.id)
	}
	servers, err := a.check(t.Snapshot(), s.cfg.Usable)
	switch {
	case err != nil:
		return err
	case servers == 0:
		return Faultf(dm.ObjectPath(serverObject), "there is no account of a management server: "+
			"a Security instance and a Server instance with the same Short Server ID")
	case !complete:
		return nil
	}
	if err := s.stamp(t, &a); err != nil {
		return err
	}
	for _, x := range old {
		if err := a.purge(t, x); err != nil {
			return Faultf(dm.InstancePath(securityObject, x.id),
				"the replaced account of the bootstrap server cannot be deleted")
		}
	}
	return nil
}

// lastBootstrapped is the resource of the Server object that says when a bootstrap server has
// changed the account.
const lastBootstrapped dm.ResourceID = 12

// stamp sets Last Bootstrapped (/1/x/12) of the accounts that the server has written.
func (s *Sequence) stamp(t *dm.Transaction, a *accounts) error {
	now := dm.TimeValue(time.Now().Unix())
	for _, x := range a.server {
		_, written := s.touched[dm.InstancePath(serverObject, x.id)]
		for _, y := range a.security {
			_, ok := s.touched[dm.InstancePath(securityObject, y.id)]
			written = written || ok && !y.bootstrap && y.short == x.short
		}
		p := dm.ResourcePath(serverObject, x.id, lastBootstrapped)
		if !written || !t.Snapshot().Has(p) {
			continue
		}
		if err := t.Write(p, dm.Replace, []dm.Entry{{Path: p, Value: now}}); err != nil {
			return err
		}
	}
	return nil
}
