package provision

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Sequence is one bootstrap sequence. Its methods belong to the goroutine of the scheduler.
type Sequence struct {
	cfg    Config
	guard  serve.Guard
	ctx    context.Context // of slow functions and of BeforeFinish; ends with the sequence
	cancel context.CancelFunc

	// t is what the sequence has written. It holds the writer slot only while a request uses it.
	// nil means that nothing is written yet.
	t      *dm.Transaction
	own    []dm.InstanceID // the bootstrap accounts among the Security instances when t began
	staged int             // see Limits.Staged
	// touched are the Security and Server instances that the server has written.
	touched map[dm.Path]struct{}

	current *task // being served
	waiting []*task
	ended   bool
	// performing says that a function uses t at this moment, which Abort must not end under it.
	performing bool

	slot    slot
	stopped atomic.Bool // see Stop
}

// task is one request, or the one pack of a sequence.
type task struct {
	op     operation
	r      *coap.Request // nil for a pack
	path   dm.Path
	format content.Format

	pack     []byte
	done     func(error) // of a pack
	stepping bool        // Config.BeforeFinish runs
}

// New returns a Sequence that has changed nothing yet.
func New(cfg Config) (*Sequence, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Sequence{cfg: cfg}
	s.guard = serve.Guard{Sched: cfg.Sched, Logger: cfg.Logger, Recover: cfg.RecoverPanics}
	s.ctx, s.cancel = context.WithCancel(dm.WithOrigin(cfg.Context, dm.Bootstrap))
	s.slot.patience.Func = s.onPatienceOver
	return s, nil
}

// Head refuses what must fail when the first block of a larger payload arrives.
func (s *Sequence) Head(r *coap.Request) {
	k, err := s.parse(r)
	if err == nil {
		s.cfg.OnRequest()
		err = s.checkHead(k)
	}
	if err != nil {
		s.refuse(r, err)
		return
	}
	r.Limit(s.cfg.Limits.Payload)
}

// Serve answers a request of the bootstrap server, in order after those that wait.
func (s *Sequence) Serve(r *coap.Request) {
	k, err := s.parse(r)
	if err == nil {
		s.cfg.OnRequest()
		err = s.checkHead(k)
	}
	switch {
	case s.ended: // by OnRequest
		err = errOver
	case err == nil && len(s.waiting) >= s.cfg.Limits.Pending:
		err = errTooMany
	}
	if err != nil {
		s.refuse(r, err)
		return
	}
	s.waiting = append(s.waiting, k)
	s.next()
}

// ApplyPack writes a Bootstrap-Pack, the answer to a Bootstrap-Pack-Request, and ends the sequence
// as a Finish does. It calls done later, on the loop, with nil after the pack has been published.
// After an error nothing is changed and the Sequence can serve requests (Core 1.2.2 §6.1.7.7).
// OnFinished and OnFailed are not called for a pack. payload is copied.
func (s *Sequence) ApplyPack(f content.Format, payload []byte, done func(error)) {
	k := &task{op: pack, format: f, done: done}
	err := error(nil)
	switch {
	case s.ended:
		err = errOver
	case s.t != nil || s.current != nil:
		err = errBegun
	case len(payload) > s.cfg.Limits.Payload:
		err = errTooLarge
	default:
		err = content.Check(f, content.BootstrapPack, dm.Path{})
	}
	if err != nil {
		s.cfg.Sched.Post(func() { done(err) })
		return
	}
	k.pack = slices.Clone(payload)
	s.waiting = append(s.waiting, k)
	s.cfg.Sched.Post(s.next)
}

// next serves the request that has waited longest, unless one is being served.
func (s *Sequence) next() {
	if s.current != nil || s.ended || len(s.waiting) == 0 {
		return
	}
	k := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	s.current = k
	switch k.op {
	case discover:
		s.discover(k)
	case read:
		s.read(k)
	case write:
		s.acquire(func(t *dm.Transaction) { s.change(k, t, coap.Changed, s.write) })
	case remove:
		s.acquire(func(t *dm.Transaction) { s.change(k, t, coap.Deleted, s.remove) })
	default:
		s.acquire(func(t *dm.Transaction) { s.beginFinish(k, t) })
	}
}

// leave ends the service of a request that has been answered.
func (s *Sequence) leave() {
	s.current = nil
	if len(s.waiting) > 0 {
		s.cfg.Sched.Post(s.next)
	}
}

// change makes the change of a Write or Delete in the transaction, which the server's next requests
// continue.
func (s *Sequence) change(k *task, t *dm.Transaction, code coap.Code, fn func(*task, *dm.Transaction) error) {
	s.perform(func() error { return fn(k, t) }, func(err error) {
		t.Suspend()
		if err != nil {
			s.refuse(k.r, err)
		} else {
			succeed(k.r, code)
		}
		s.leave()
	})
}

// perform calls fn, which uses the transaction and may call user code, and then done, also where fn
// panics. Where the sequence has been aborted meanwhile it rolls the transaction back instead.
func (s *Sequence) perform(fn func() error, done func(error)) {
	err := serve.ErrPanic
	end := func() {
		s.performing = false
		if s.ended {
			s.rollback()
			return
		}
		done(err)
	}
	s.guard.Do(func() {
		s.performing = true
		err = fn()
		end()
	}, func() {
		if s.performing { // otherwise the panic is that of a hook behind end
			end()
		}
	})
}

// snapshot returns the data model as the sequence sees it.
func (s *Sequence) snapshot() dm.Snapshot {
	if s.t != nil {
		return s.t.Snapshot()
	}
	return s.cfg.Model.Snapshot()
}

// Finishing reports whether a Finish or a pack is being checked, enrolled for or stored: the server
// has done its part.
func (s *Sequence) Finishing() bool {
	return !s.ended && s.current != nil && (s.current.op == finish || s.current.op == pack)
}

// Abort ends the sequence: it leaves the data model as it was before, except that a sequence that
// is being stored is published if it could be stored. Requests that wait are dropped without an
// answer. No callback is called afterwards. Aborting twice, or after the end, does nothing.
func (s *Sequence) Abort() {
	if s.ended {
		return
	}
	s.end()
	switch {
	case s.slot.storing, s.performing:
		s.endHandover()
	case s.slot.cancel != nil && !s.slot.cancel():
		// The slot is granted at this moment, or has been.
		if !s.endHandover() {
			s.rollback()
		}
	default:
		s.rollback()
	}
}

// Stop aborts the sequence and says that the scheduler may not run any more: a sequence that is
// being stored ends on the goroutine of the store, Changed and Rollback hooks included.
func (s *Sequence) Stop() {
	s.stopped.Store(true)
	s.Abort()
}

// end ends the service of requests.
func (s *Sequence) end() {
	s.ended = true
	s.cancel()
	s.cfg.Sched.Cancel(&s.slot.patience)
	if k := s.current; k != nil && k.r != nil {
		k.r.Ignore() // does nothing where it is answered
	}
	for _, k := range s.waiting {
		if k.r != nil {
			k.r.Ignore()
		}
	}
	s.waiting = nil
}

// rollback discards what the sequence has written.
func (s *Sequence) rollback() {
	if t := s.t; t != nil {
		s.t, s.staged, s.touched = nil, 0, nil
		s.guard.Do(t.Rollback, func() {})
	}
}

// fail ends a sequence that no correction can repair.
func (s *Sequence) fail(err error) {
	s.rollback()
	s.end()
	s.cfg.OnFailed(err)
}

// slot is how a task gets the writer slot, and how the transaction returns from a worker.
type slot struct {
	// handover holds the transaction while it passes from one goroutine to another: granted but not
	// used, or stored but not published. The goroutine that takes it out continues with it.
	handover atomic.Pointer[dm.Transaction]
	then     func(*dm.Transaction) // continues with it on the loop
	cancel   func() bool           // leaves the queue for the slot; nil: not in the queue
	patience sched.Job

	storing    bool
	storeErr   error
	storePanic *serve.Panic
}
