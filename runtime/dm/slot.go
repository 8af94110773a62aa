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
	waiting []*waiter
}

type waiter struct{ granted func() }

// try takes the slot if it is free.
func (s *slot) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held {
		return false
	}
	s.held = true
	return true
}

// patience bounds how long acquire waits with a context that has no deadline. Who writes to a Model
// from inside the function of an Update waits for itself, and nothing tells that from waiting for
// others.
const patience = time.Minute

var errStuck = fmt.Errorf("%w for a minute already: was this called from inside the function of an Update, or does a hook not return?", ErrBusy)

// acquire takes the slot, waiting until ctx ends, or for a minute where ctx has no deadline.
func (s *slot) acquire(ctx context.Context) error {
	if s.try() {
		return nil
	}
	if _, ok := ctx.Deadline(); !ok {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, patience, errStuck)
		defer done()
	}
	got := make(chan struct{})
	cancel := s.enqueue(func() { close(got) })
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
func (s *slot) enqueue(granted func()) (cancel func() bool) {
	w := &waiter{granted}
	s.mu.Lock()
	if !s.held {
		s.held = true
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
		s.held = false
		s.waiting = nil
		s.mu.Unlock()
		return
	}
	next := s.waiting[0]
	s.waiting = slices.Delete(s.waiting, 0, 1)
	s.mu.Unlock()
	next.granted()
}
