package dm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// slot is the one writer slot of a Model. Waiting callers get it in order. The holder may release
// it on another goroutine. The zero value means that the slot is free.
type slot struct {
	mu      sync.Mutex
	held    bool
	looped  bool // its holder needs the loop to continue
	waiting []*waiter
}

type waiter struct {
	granted func()
	looped  bool
}

// try takes the slot if it is free.
func (s *slot) try(looped bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return false
	}
	s.held, s.looped = true, looped
	return true
}

// needsLoop reports whether the slot becomes free only if the loop continues.
func (s *slot) needsLoop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looped || slices.ContainsFunc(s.waiting, func(w *waiter) bool { return w.looped })
}

// patience is how long acquire waits with a context without a deadline. A hook that waits for
// another goroutine, which writes, waits for itself, and nothing tells.
const patience = time.Minute

// errStuck is what acquire returns after patience.
var errStuck = fmt.Errorf(
	"%w for a minute: does a hook not return, or does it wait for a goroutine that writes?",
	ErrBusy)

// errLoop is returned to a function on the loop that would wait for the loop itself.
var errLoop = fmt.Errorf(
	"%w, and this function runs on the loop that must end it: mark the function with SlowExec or Slow",
	ErrBusy)

// acquire takes the slot. It waits until ctx ends, or for patience if ctx has no deadline. On a
// loop it does not wait for a holder that needs the loop to continue.
func (s *slot) acquire(ctx context.Context) error {
	if s.try(false) {
		return nil
	}
	if refusesSlow(ctx) && s.needsLoop() {
		return errLoop
	}
	if _, ok := ctx.Deadline(); !ok {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, patience, errStuck)
		defer done()
	}
	got := make(chan struct{})
	cancel := s.enqueue(false, func() { close(got) })
	select {
	case <-got:
		return nil
	case <-ctx.Done():
		if !cancel() {
			s.release() // granted at the same moment
		}
		return context.Cause(ctx)
	}
}

// enqueue takes the slot in order and then calls granted: at once if the slot is free, otherwise on
// the goroutine that releases it. cancel removes the caller from the queue; it returns false if the
// slot was already granted.
func (s *slot) enqueue(looped bool, granted func()) (cancel func() bool) {
	w := &waiter{granted, looped}
	s.mu.Lock()
	if !s.held {
		s.held, s.looped = true, looped
		s.mu.Unlock()
		granted()
		return func() bool { return false }
	}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := slices.Index(s.waiting, w)
		if i < 0 {
			return false
		}
		s.waiting = slices.Delete(s.waiting, i, i+1)
		return true
	}
}

// release passes the slot to the next caller in the queue.
func (s *slot) release() {
	s.mu.Lock()
	if len(s.waiting) == 0 {
		s.held, s.looped = false, false
		s.waiting = nil
		s.mu.Unlock()
		return
	}
	next := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	s.looped = next.looped
	s.mu.Unlock()
	next.granted()
}
