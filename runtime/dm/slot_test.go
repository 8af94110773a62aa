package dm

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

func TestSlotIsFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slot
		if !s.try(false) || s.try(false) {
			t.Fatal("a free slot is not taken exactly once")
		}
		var order []int
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				if err := s.acquire(t.Context()); err != nil {
					t.Error(err)
				}
				order = append(order, i)
				s.release()
			})
			synctest.Wait() // the i-th is waiting
		}
		s.release()
		wg.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("served in the order %v", order)
		}
		if !s.try(false) {
			t.Error("the slot is not free in the end")
		}
	})
}

// No caller overtakes a waiting one, not even with try at the moment of the release.
func TestSlotKeepsItsOrder(t *testing.T) {
	var s slot
	s.try(false)
	granted := false
	s.enqueue(false, func() {
		granted = true
		if s.try(false) {
			t.Error("the slot was free while it was handed over")
		}
	})
	s.release()
	if !granted || s.try(false) {
		t.Error("the slot did not pass to the waiter")
	}
	s.release()
	if !s.try(false) {
		t.Error("the slot is not free in the end")
	}
}

func TestSlotEnqueue(t *testing.T) {
	var s slot
	got := 0
	cancel := s.enqueue(false, func() { got++ })
	if got != 1 {
		t.Error("a free slot is not granted at once")
	}
	if cancel() {
		t.Error("a granted turn can be given up")
	}
	var order []int
	cancels := make([]func() bool, 4)
	for i := range cancels {
		cancels[i] = s.enqueue(false, func() { order = append(order, i) })
	}
	if !cancels[1]() || cancels[1]() {
		t.Error("the queue is not left exactly once")
	}
	for range 3 {
		s.release()
	}
	if !slices.Equal(order, []int{0, 2, 3}) {
		t.Errorf("served in the order %v, want 0 2 3", order)
	}
	if cancels[3]() {
		t.Error("a granted turn can be given up")
	}
	s.release()
	if !s.try(false) {
		t.Error("the slot is not free in the end")
	}
}

func TestSlotAcquireEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slot
		s.try(false)
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- s.acquire(ctx) }()
		synctest.Wait()
		cancel(why)
		if err := <-result; !errors.Is(err, why) {
			t.Errorf("got %v, want the cause", err)
		}
		if len(s.waiting) != 0 {
			t.Error("who gave up still waits")
		}
		s.release()
		if !s.try(false) {
			t.Error("the slot is lost")
		}
	})
}

// A grant and the end of the context at the same moment: the slot is either held or free, never
// lost.
func TestSlotRace(t *testing.T) {
	var s slot
	var wg sync.WaitGroup
	inside, sum := 0, 0
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if r.IntN(2) == 0 {
					go cancel()
				}
				if r.IntN(8) == 0 {
					cancel()
				}
				if err := s.acquire(ctx); err == nil {
					inside++
					if inside != 1 {
						t.Errorf("%d hold the slot", inside)
					}
					sum++
					inside--
					s.release()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if !s.try(false) || len(s.waiting) != 0 || sum == 0 {
		t.Errorf("the slot is not free in the end; %d wait, %d were served", len(s.waiting), sum)
	}
}

// A function on a loop waits for other goroutines, but not for a holder of the slot, or a waiting
// caller before it, that needs the loop to continue.
func TestSlotOnTheLoop(t *testing.T) {
	onLoop := RefuseSlow(context.Background())
	var s slot
	s.try(true)
	if err := s.acquire(onLoop); !errors.Is(err, ErrBusy) {
		t.Errorf("with a transaction of the loop: %v", err)
	}
	s.enqueue(false, func() {})
	s.enqueue(true, func() {})
	s.release()
	if err := s.acquire(onLoop); !errors.Is(err, ErrBusy) {
		t.Errorf("behind a caller that waits for the loop: %v", err)
	}
	s.release()
	if err := s.acquire(onLoop); !errors.Is(err, ErrBusy) {
		t.Errorf("after the slot was passed to the loop: %v", err)
	}
	s.release()
	if err := s.acquire(onLoop); err != nil {
		t.Errorf("a free slot: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		var s slot
		s.try(false)
		got := make(chan error, 1)
		go func() { got <- s.acquire(onLoop) }()
		synctest.Wait()
		s.release()
		if err := <-got; err != nil {
			t.Errorf("behind another goroutine: %v", err)
		}
	})
}
