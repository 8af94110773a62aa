// Package update runs what objects that install something have in common. An [Engine] keeps a
// record for each instance. It makes each change of records durable, lets servers read it after
// that, and only then carries out what follows from it. So a server never reads what a loss of
// power takes back.
package update

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Config says what an Engine does with the records of an object.
type Config[R any] struct {
	// Save makes records durable, all of them or none.
	Save func(records map[dm.InstanceID]R) error
	// Publish lets servers read the records, by Show.
	Publish func(records map[dm.InstanceID]R)
	// What names the object in log messages.
	What   string
	Logger *slog.Logger
}

// Engine keeps the records of an object, whose instances are fixed. R is copied: what it points to
// is replaced and never changed. Methods may be called from any goroutine.
type Engine[R any] struct {
	cfg  Config[R]
	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu    sync.Mutex
	slots map[dm.InstanceID]*slot[R]
	// Steps are stored in order, and published and carried out in order. The second has to wait
	// for transactions, which wait for the first.
	toStore, toPublish  []*Step[R]
	storing, publishing bool // a goroutine works on the list
	stuck               bool // the last attempt to store a step has failed

	claims atomic.Int32 // of installations that are about to begin
}

// slot is an instance.
type slot[R any] struct {
	rec    R // as decided; servers read it after it was stored
	seq    uint64
	work   *work
	opened *Push[R] // the last write of an image
	push   *Push[R] // the write whose image is arriving
	timer  *time.Timer
}

// New returns an engine with records that are durable.
func New[R any](cfg Config[R], records map[dm.InstanceID]R) *Engine[R] {
	e := &Engine[R]{cfg: cfg, slots: map[dm.InstanceID]*slot[R]{}}
	for id, r := range records {
		e.slots[id] = &slot[R]{rec: r}
	}
	e.ctx, e.stop = context.WithCancel(context.Background())
	return e
}

// Close ends what runs in the background and refuses all changes from now on. It waits for nothing.
func (e *Engine[R]) Close() {
	e.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.slots {
		if s.timer != nil {
			s.timer.Stop()
		}
	}
}

// Done returns a channel that is closed by Close.
func (e *Engine[R]) Done() <-chan struct{} { return e.ctx.Done() }

// Record returns the record of an instance as it was decided last.
func (e *Engine[R]) Record(id dm.InstanceID) R {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.slots[id].rec
}

// Records returns all records.
func (e *Engine[R]) Records() map[dm.InstanceID]R {
	e.mu.Lock()
	defer e.mu.Unlock()
	records := map[dm.InstanceID]R{}
	for id, s := range e.slots {
		records[id] = s.rec
	}
	return records
}

// Ready returns an error while records cannot be stored.
func (e *Engine[R]) Ready() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stuck {
		return dm.Errorf(dm.ServiceUnavailable, "the last state could not be stored yet")
	}
	return nil
}

// Claim lets Claimed return true until release is called. It comes before the question whether
// another object installs something: of two that ask each other at least one sees the other.
func (e *Engine[R]) Claim() (release func()) {
	e.claims.Add(1)
	return func() { e.claims.Add(-1) }
}

// Claimed reports whether an installation is about to begin.
func (e *Engine[R]) Claimed() bool { return e.claims.Load() > 0 }

// Request makes a change that a server asks for, and waits until it can be read. It returns refusal
// if the change does not happen.
func (e *Engine[R]) Request(ctx context.Context, refusal error, fn func(*Change[R]) bool) error {
	if err := e.Ready(); err != nil {
		return err
	}
	s, ok := e.Change(fn)
	if !ok {
		return refusal
	}
	return e.await(ctx, s, s.shown)
}

// Set changes what is no part of a state, such as a setting, and stores it. What servers read does
// not change.
func (e *Engine[R]) Set(id dm.InstanceID, set func(*R)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return
	}
	r := &e.slots[id].rec
	set(r)
	e.enqueue(&Step[R]{records: map[dm.InstanceID]R{id: *r}, published: true})
}

// Persist waits until everything that has been decided is durable, so that a server is answered
// after that; see dm.ModelConfig.Persist. It returns the error of the store as soon as something
// cannot be stored. It does not wait for changes of the program, among which are those of Publish.
func (e *Engine[R]) Persist(ctx context.Context, c dm.Committed) error {
	if c.Origin == dm.Application {
		return nil
	}
	e.mu.Lock()
	pending := slices.Clone(e.toStore)
	e.mu.Unlock()
	for _, s := range pending {
		if err := e.await(ctx, s, s.durable); err != nil {
			return err
		}
	}
	return nil
}

// Resume carries out tasks that follow from records which are durable already.
func (e *Engine[R]) Resume(records map[dm.InstanceID]R, tasks []Task[R], published bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &Step[R]{records: records, seqs: map[dm.InstanceID]uint64{}, tasks: tasks, stored: true, published: published}
	for id := range e.slots {
		s.seqs[id] = e.slots[id].seq
	}
	e.enqueue(s)
}

// Step is a change of records that has yet to be stored, published and acted upon.
type Step[R any] struct {
	records map[dm.InstanceID]R
	seqs    map[dm.InstanceID]uint64
	tasks   []Task[R]
	durable chan struct{} // closed when the change is durable, or after err is set
	shown   chan struct{} // closed when servers can read the change, or after err is set
	err     error         // why it was not stored at once, or a step before it was not
	// What need not be done.
	stored, published bool
}

// Task is what follows from a change.
type Task[R any] struct {
	// Sync makes something durable before the change is stored. May be nil.
	Sync func() error
	// Once says that the change is dropped if it cannot be stored at once, or one before it cannot:
	// its request has failed, so it must not happen later.
	Once bool
	// Fail is called in place of Run with the error of Sync, or of the storing with Once. May be
	// nil without the two.
	Fail func(error)
	// Late is called with the error when the change, or one before it, cannot be stored at once.
	// The engine goes on to try. May be nil.
	Late func(error)
	// Run carries the task out after the change was published. It returns quickly.
	Run func(*Step[R])
}

// enqueue adds a step. e.mu must be held.
func (e *Engine[R]) enqueue(s *Step[R]) {
	s.durable, s.shown = make(chan struct{}), make(chan struct{})
	e.toStore = append(e.toStore, s)
	if !e.storing {
		e.storing = true
		go e.storeSteps()
	}
}

// storeSteps stores steps until there are none.
func (e *Engine[R]) storeSteps() {
	for {
		e.mu.Lock()
		if len(e.toStore) == 0 || e.ctx.Err() != nil {
			e.storing = false
			e.mu.Unlock()
			return
		}
		s := e.toStore[0]
		e.mu.Unlock()
		ok := s.stored || e.store(s)
		e.mu.Lock()
		e.toStore = slices.Delete(e.toStore, 0, 1)
		if ok {
			s.reach(s.durable)
			e.toPublish = append(e.toPublish, s)
			if !e.publishing {
				e.publishing = true
				go e.publishSteps()
			}
		}
		e.mu.Unlock()
	}
}

// publishSteps publishes and carries out steps until there are none.
func (e *Engine[R]) publishSteps() {
	for {
		e.mu.Lock()
		if len(e.toPublish) == 0 || e.ctx.Err() != nil {
			e.publishing = false
			e.mu.Unlock()
			return
		}
		s := e.toPublish[0]
		e.toPublish = slices.Delete(e.toPublish, 0, 1)
		e.mu.Unlock()
		if !s.published {
			err := call(func() error { e.cfg.Publish(s.records); return nil })
			if err != nil {
				e.cfg.Logger.Error("a callback has ended early", "err", err)
			}
		}
		s.reach(s.shown)
		for _, t := range s.tasks {
			t.Run(s)
		}
	}
}

// reach closes a channel, unless an error has.
func (s *Step[R]) reach(c chan struct{}) {
	if s.err == nil {
		close(c)
	}
}

// Show changes what servers can read of an instance. update is the Update of the object. It is
// tried again while a transaction of a server runs (dm.ErrBusy).
func (e *Engine[R]) Show(id dm.InstanceID, update func() error) {
	for {
		err := update()
		if err == nil {
			return
		}
		e.cfg.Logger.Error("the state of the "+e.cfg.What+" cannot be shown", "component", id, "err", err)
		if !errors.Is(err, dm.ErrBusy) || e.ctx.Err() != nil {
			return
		}
	}
}

// await waits for a channel of a step.
func (e *Engine[R]) await(ctx context.Context, s *Step[R], c <-chan struct{}) error {
	select {
	case <-c:
		return s.err
	case <-e.ctx.Done():
		return dm.Errorf(dm.ServiceUnavailable, "the device is shutting down")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Change is a change of records under the lock of the engine.
type Change[R any] struct {
	e       *Engine[R]
	records map[dm.InstanceID]*R
	tasks   []Task[R]
	now     []func() // what happens at once, if the change does
}

// Get returns a record with the changes so far.
func (c *Change[R]) Get(id dm.InstanceID) R {
	if r := c.records[id]; r != nil {
		return *r
	}
	return c.e.slots[id].rec
}

// IDs returns the instances in order.
func (c *Change[R]) IDs() []dm.InstanceID { return slices.Sorted(maps.Keys(c.e.slots)) }

// Record returns a record to change.
func (c *Change[R]) Record(id dm.InstanceID) *R {
	r := c.records[id]
	if r == nil {
		v := c.e.slots[id].rec
		r = &v
		c.records[id] = r
	}
	return r
}

// Do adds a task.
func (c *Change[R]) Do(t Task[R]) { c.tasks = append(c.tasks, t) }

// Abandon ends the work of an instance: its end is of no interest any more.
func (c *Change[R]) Abandon(id dm.InstanceID) {
	c.now = append(c.now, func() {
		if w := c.e.slots[id].work; w != nil {
			w.abandon()
		}
	})
}

// StopTimer stops the timer of an instance.
func (c *Change[R]) StopTimer(id dm.InstanceID) {
	c.now = append(c.now, func() {
		if t := c.e.slots[id].timer; t != nil {
			t.Stop()
		}
	})
}

// EndPush ends the push of an instance: further blocks of it are refused.
func (c *Change[R]) EndPush(id dm.InstanceID) {
	c.now = append(c.now, func() { c.e.slots[id].push = nil })
}

// Working reports whether a work runs for the instance, perhaps one that was abandoned.
func (c *Change[R]) Working(id dm.InstanceID) bool { return c.e.slots[id].work != nil }

// Change calls fn under the lock. If fn returns true, the change happens. Otherwise nothing does,
// and Change returns false.
func (e *Engine[R]) Change(fn func(*Change[R]) bool) (*Step[R], bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.change(fn)
}

// change is Change with e.mu held.
func (e *Engine[R]) change(fn func(*Change[R]) bool) (*Step[R], bool) {
	if e.ctx.Err() != nil {
		return nil, false
	}
	c := &Change[R]{e: e, records: map[dm.InstanceID]*R{}}
	if !fn(c) {
		return nil, false
	}
	s := &Step[R]{records: map[dm.InstanceID]R{}, seqs: map[dm.InstanceID]uint64{}, tasks: c.tasks}
	for id, r := range c.records {
		slot := e.slots[id]
		slot.rec = *r
		slot.seq++
		s.records[id], s.seqs[id] = *r, slot.seq
	}
	for _, f := range c.now {
		f()
	}
	e.enqueue(s)
	return s, true
}
