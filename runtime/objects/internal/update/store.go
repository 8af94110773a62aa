package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// store makes a step durable. It tries again until that succeeds, because nothing may be reported
// or done before. store returns false if the step must not be published, or if the engine is
// closed.
func (e *Engine[R]) store(s *Step[R]) bool {
	if s.err != nil && s.drop(s.err) {
		return false
	}
	s.tasks = slices.DeleteFunc(s.tasks, func(t Task[R]) bool {
		if t.Sync == nil {
			return false
		}
		err := call(t.Sync)
		if err != nil {
			t.Fail(err)
		}
		return err != nil
	})
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := call(func() error { return e.cfg.Save(s.records) })
		e.mu.Lock()
		e.stuck = err != nil
		waiting := slices.Clone(e.toStore)
		e.mu.Unlock()
		if err == nil {
			return true
		}
		e.cfg.Logger.Error("the state of the "+e.cfg.What+" cannot be stored", "err", err, "again", pause)
		for _, w := range waiting { // s is the first one
			w.delay(err)
		}
		if s.drop(err) || !e.sleep(pause) {
			return false
		}
	}
}

// delay tells those who wait for a step that it cannot be stored at once.
func (s *Step[R]) delay(err error) {
	if s.err != nil {
		return
	}
	for _, t := range s.tasks {
		if t.Late != nil {
			t.Late(err)
		}
	}
	s.err = fmt.Errorf("the state cannot be stored: %w", err)
	close(s.durable)
	close(s.shown)
}

// drop ends a step that must be stored at once or not at all. It returns false for others.
func (s *Step[R]) drop(err error) bool {
	i := slices.IndexFunc(s.tasks, func(t Task[R]) bool { return t.Once })
	if i < 0 {
		return false
	}
	s.tasks[i].Fail(err)
	return true
}

// sleep returns false if the engine is closed.
func (e *Engine[R]) sleep(d time.Duration) bool {
	select {
	case <-e.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// work is something that takes time, such as a download. There is one at a time for an instance.
type work struct {
	cancel    context.CancelFunc
	done      chan struct{}
	abandoned bool // its end is of no interest; guarded by Engine.mu
}

func (w *work) abandon() {
	w.abandoned = true
	w.cancel()
}

// errGoexit is the outcome of a function of the program that has ended its goroutine.
var errGoexit = errors.New("a function of the program has called runtime.Goexit")

// call calls a function of the program and waits for it. The function may end its goroutine.
func call(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() { result <- err }()
		err = fn()
	}()
	return <-result
}

// Job is a work for an instance.
type Job[R any] struct {
	// Do works. It returns the change that its end makes, nil for none.
	Do func(context.Context) func(*Change[R]) bool
	// Ended is the change in place of that of Do, where Do has ended its goroutine by
	// runtime.Goexit: nobody else could end what has begun.
	Ended func(*Change[R], error) bool
}

// Start starts a work for an instance, unless its record has changed since the step. The work
// begins when the last one of the instance has ended.
func (e *Engine[R]) Start(s *Step[R], id dm.InstanceID, job Job[R]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slot := e.slots[id]
	if slot.seq != s.seqs[id] || e.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(e.ctx)
	w, last := &work{cancel: cancel, done: make(chan struct{})}, slot.work
	slot.work = w
	go func() {
		defer cancel()
		if last != nil {
			<-last.done
		}
		var end func(*Change[R]) bool
		returned := false
		defer func() { // also where Do ends its goroutine
			if !returned {
				if v := recover(); v != nil {
					panic(v) // it ends the program, and nothing is stored before
				}
				e.cfg.Logger.Error("the update of the "+e.cfg.What+" ends early", "component", id, "err", errGoexit)
				end = func(c *Change[R]) bool { return job.Ended(c, errGoexit) }
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			defer close(w.done)
			if slot.work == w {
				slot.work = nil
			}
			if end != nil && !w.abandoned {
				e.change(end)
			}
		}()
		if ctx.Err() == nil {
			end = job.Do(ctx)
		}
		returned = true
	}()
}

// WhenUnused calls fn under the lock of the engine once no work runs for the instance, with its
// record, unless the engine is closed by then.
func (e *Engine[R]) WhenUnused(id dm.InstanceID, fn func(R)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slot := e.slots[id]
	if e.ctx.Err() != nil {
		return
	}
	if w := slot.work; w != nil {
		go func() {
			<-w.done
			e.WhenUnused(id, fn)
		}()
		return
	}
	fn(slot.rec)
}

// StartTimer calls fn at the time, unless the record has changed since the step; a nil step does
// not ask.
func (e *Engine[R]) StartTimer(s *Step[R], id dm.InstanceID, at time.Time, fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slot := e.slots[id]; (s == nil || slot.seq == s.seqs[id]) && e.ctx.Err() == nil {
		slot.timer = time.AfterFunc(max(time.Until(at), 0), fn)
	}
}
