package dm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
)

// caller says what calls a function of the program. Most of these functions run while their
// transaction holds the writer slot, so a write from inside of one would wait for itself.
type caller uint32

const (
	noCaller   caller = iota
	fromHook          // a hook
	fromUpdate        // the function of an Update
	fromStore         // ModelConfig.Persist
	fromEvent         // a subscriber
	fromStream        // a function of a Sink
	fromLoop          // an executable, on the loop, without the slot

	callerBits = 3
)

// markBits is the length of a mark: the caller, and enough bits of the Model's own number that two
// Models with the same mark are never met.
const markBits = 24

// newMark returns the mark of a new Model, with noCaller.
func newMark() uint32 { return rand.Uint32() << callerBits & (1<<markBits - 1) }

// within calls fn and leaves a mark on the stack from which acquire recognises a write from inside
// of fn that does not pass the context on: for each bit of the mark one frame of one of two
// functions. Nothing else tells cheaply which goroutine a function runs on, and only a call that
// would have to wait reads the mark.
func (m *Model) within(c caller, fn func()) { markEnd(m.mark|uint32(c), markBits, fn) }

//go:noinline
func markEnd(mark uint32, n int, fn func()) {
	markNext(mark, n, fn)
}

//go:noinline
func markZero(mark uint32, n int, fn func()) { markNext(mark, n, fn) }

//go:noinline
func markOne(mark uint32, n int, fn func()) { markNext(mark, n, fn) }

func markNext(mark uint32, n int, fn func()) {
	switch {
	case n == 0:
		fn()
	case mark&1 == 0:
		markZero(mark>>1, n-1, fn)
	default:
		markOne(mark>>1, n-1, fn)
	}
}

// callers yields the callers that the marks of m on the present goroutine's stack name, the
// innermost first.
func (m *Model) callers(yield func(caller) bool) {
	entry := func(fn func(uint32, int, func())) uintptr { return reflect.ValueOf(fn).Pointer() }
	end, zero, one := entry(markEnd), entry(markZero), entry(markOne)
	var mark uint32
	var pcs [128]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		for _, pc := range pcs[:n] {
			f := runtime.FuncForPC(pc - 1)
			if f == nil {
				continue
			}
			switch f.Entry() {
			case zero:
				mark <<= 1
			case one:
				mark = mark<<1 | 1
			case end:
				mark &= 1<<markBits - 1
				if c := caller(mark & (1<<callerBits - 1)); mark&^(1<<callerBits-1) == m.mark && !yield(c) {
					return
				}
				mark = 0
			}
		}
		if n < len(pcs) {
			return
		}
	}
}

// The errors for a write from inside of a function, which would wait for itself.
var (
	errFromHook = fmt.Errorf("%w: a hook must not write; in Changed pass on the context that the hook received, "+
		"in Validate amend Change.New", ErrInTransaction)
	errFromUpdate = fmt.Errorf("%w: this is called from inside the function of an Update; change the copy that "+
		"the function receives, or write after the Update", ErrInTransaction)
	errFromStore  = fmt.Errorf("%w: Persist must not write", ErrInTransaction)
	errFromEvent  = fmt.Errorf("%w: a function of Subscribe must not write; a Changed hook may, with its context", ErrInTransaction)
	errFromStream = fmt.Errorf("%w: a Sink must not write; a Changed hook may, with its context", ErrInTransaction)
	errFollowUps  = errors.New("the Changed hooks have updated the model again and again: does each Update cause the next one?")
)

// err returns the error for a write by the caller.
func (c caller) err() error {
	switch c {
	case fromUpdate:
		return errFromUpdate
	case fromStore:
		return errFromStore
	case fromEvent:
		return errFromEvent
	case fromStream:
		return errFromStream
	}
	return errFromHook
}

// checkCaller returns an error if the present goroutine would wait for itself.
func (m *Model) checkCaller() error {
	for c := range m.callers {
		switch {
		case c != fromLoop:
			return c.err()
		case m.slot.needsLoop():
			return errLoop
		}
	}
	return nil
}

// runsHook reports whether the present goroutine is inside of a hook of m.
func (m *Model) runsHook() bool {
	for c := range m.callers {
		return c == fromHook
	}
	return false
}
