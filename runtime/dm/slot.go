package dm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// slot is the one writer slot of a Model: first come, first served, held across goroutines.
// The zero value is free.
type slot struct {
	mu      sync.Mutex
	held    bool
	looped  bool // its holder goes on when a loop turns
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

// needsLoop reports whether the slot becomes free only if a loop turns.
func (s *slot) needsLoop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.looped || slices.ContainsFunc(s.waiting, func(w *waiter) bool { return w.looped })
}

// patience bounds how long acquire waits with a context that has no deadline. Who writes to a Model
// from inside the function of an Update waits for itself, and nothing tells that from waiting for
// others.
const patience = time.Minute

var errStuck = fmt.Errorf("%w for a minute already: was this called from inside the function of an Update, or does a hook not return?", ErrBusy)

// errLoop is what a function on the loop gets that would wait for the loop itself.
var errLoop = fmt.Errorf("%w, and this function is on the loop that has to end it: mark it with SlowExec or Slow", ErrBusy)

// acquire takes the slot, waiting until ctx ends, or for a minute where ctx has no deadline. On a loop it does not wait for what
// that loop has to go on with.
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
			s.release() // it was granted meanwhile
		}
		return context.Cause(ctx)
	}
}

// enqueue takes the slot when its turn has come and calls granted then: at once when the slot is
// free, otherwise from the goroutine that releases it. cancel gives up the turn; it returns false
// when the slot was granted already.
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

// release hands the slot to the next in line.
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
