package dm

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// Transaction is a group of changes to a Model that is published whole or not at all. Everything that
// changes a Model is one: each request of a server, each Update of the application, and a whole
// bootstrap sequence. Only a protocol engine deals with it directly.
//
// A Transaction holds the Model's one writer slot from Begin to its end; Suspend and Resume let a
// bootstrap sequence give the slot away between requests. Until it ends, reads of the Model see
// nothing of it. Its methods are not safe for concurrent use, Persist aside.
//
//	t, err := model.Begin(ctx, dm.Server(101))
//	if err == nil {
//		err = t.Write(path, dm.Replace, entries)
//	}
//	if err == nil {
//		err = t.Commit()
//	} else {
//		t.Rollback()
//	}
//
// An engine whose loop must not wait for the store calls Prepare, Persist on a worker, Publish and
// Finish instead of Commit.
type Transaction struct {
	m      *Model
	origin Origin
	ctx    txContext
	base   *root
	parts  []part // ascending by object ID
	few    [2]part
	begun  []part // in the order of their Begin
	first  [2]part
	sinks  []*openSink
	next   *root
	held   bool // it holds the slot
	over   atomic.Bool
}

// txContext is the context that hooks receive: it knows its transaction.
type txContext struct {
	context.Context
	t *Transaction
}

type txKey struct{}

func (c *txContext) Value(key any) any {
	switch key.(type) {
	case txKey:
		return c.t
	case originKey:
		return c.t.origin
	}
	return c.Context.Value(key)
}

// SnapshotFrom returns what a hook's transaction makes of the whole Model, for checks across objects.
// It returns false where ctx is not that of a hook.
func SnapshotFrom(ctx context.Context) (Snapshot, bool) {
	t, ok := ctx.Value(txKey{}).(*Transaction)
	if !ok || t.over.Load() {
		return Snapshot{}, false
	}
	return t.Snapshot(), true
}

// Origin returns who performs the transaction.
func (t *Transaction) Origin() Origin { return t.origin }

// Snapshot returns what the transaction makes of the Model so far. It is valid until the
// transaction's next operation.
func (t *Transaction) Snapshot() Snapshot { return Snapshot{m: t.m, r: t.base, t: t} }

// Suspend gives the writer slot away until Resume, with the changes kept. It is for bootstrap
// sequences between two requests.
func (t *Transaction) Suspend() {
	if t.held {
		t.held = false
		t.m.slot.release()
	}
}

// Resume takes the writer slot again, waiting until ctx ends.
func (t *Transaction) Resume(ctx context.Context) error {
	if t.over.Load() {
		return ErrDone
	}
	if err := t.m.acquire(ctx); err != nil {
		return err
	}
	t.held, t.ctx.Context = true, ctx
	return nil
}

// ResumeAsync takes the writer slot again when its turn has come, and calls granted then; see
// Model.BeginAsync.
func (t *Transaction) ResumeAsync(ctx context.Context, granted func()) (cancel func() bool) {
	return t.m.slot.enqueue(func() {
		t.held, t.ctx.Context = true, ctx
		granted()
	})
}

// deferred reports whether Begin hooks wait for the end of the transaction.
func (t *Transaction) deferred() bool { return t.origin.IsBootstrap() }

// view returns an object as the transaction sees it.
func (t *Transaction) view(id ObjectID) (view, bool) {
	for _, p := range t.parts {
		if p.id() == id {
			return p, true
		}
	}
	s, ok := t.base.find(id)
	return s, ok
}

// touch opens an object for changes; its Begin hook runs at the first touch.
func (t *Transaction) touch(id ObjectID) (part, error) {
	i, ok := slices.BinarySearchFunc(t.parts, id, func(p part, id ObjectID) int { return int(p.id()) - int(id) })
	if !ok {
		s, ok := t.base.find(id)
		if !ok {
			return nil, fail(NotFound, ObjectPath(id), "the device has no such object")
		}
		if t.parts == nil {
			t.parts = t.few[:0]
		}
		t.parts = slices.Insert(t.parts, i, s.part(t))
	}
	p := t.parts[i]
	if t.deferred() || p.hasBegun() {
		return p, nil
	}
	return p, t.begin(p)
}

func (t *Transaction) begin(p part) error {
	if t.begun == nil {
		t.begun = t.first[:0]
	}
	t.begun = append(t.begun, p)
	return p.begin(&t.ctx)
}

// ready reports why no operation is possible.
func (t *Transaction) ready() error {
	switch {
	case t.over.Load():
		return ErrDone
	case !t.held:
		return errors.New("the transaction is suspended: Resume it first")
	}
	return nil
}

// Commit ends the transaction: Prepare, Persist, Publish and Finish in one. It waits for the store.
// After an error nothing is changed: the transaction is rolled back and over, unless it is that of a
// bootstrap sequence, which stays open for correction.
func (t *Transaction) Commit() error {
	if err := t.Prepare(); err != nil {
		return err
	}
	if err := t.Persist(); err != nil {
		return err
	}
	t.Publish()
	t.Finish()
	return nil
}

// Prepare runs the Validate and Commit hooks. After an error everything is rolled back, as Commit
// says.
func (t *Transaction) Prepare() error {
	err := t.ready()
	if err != nil {
		return err
	}
	if err = t.prepare(); err != nil {
		t.undo()
		t.end(!t.deferred())
	}
	return err
}

func (t *Transaction) prepare() error {
	t.rebase()
	for _, p := range t.parts {
		if err := p.precheck(); err != nil {
			return t.asFinish(err)
		}
	}
	if t.deferred() {
		for _, p := range t.parts {
			if err := t.begin(p); err != nil {
				return err
			}
		}
	}
	for _, p := range t.parts {
		if err := p.validate(&t.ctx); err != nil {
			return err
		}
	}
	for _, p := range t.parts {
		if err := p.commit(&t.ctx); err != nil {
			return err
		}
	}
	for _, s := range t.sinks {
		if err := s.sink.Commit(&t.ctx); err != nil {
			return at(s.path, err)
		}
	}
	next := &root{slices.Clone(t.base.all())}
	for _, p := range t.parts {
		i, _ := next.search(p.id())
		next.states[i] = p.result()
	}
	t.next = next
	return nil
}

// asFinish returns a refusal of the whole as 4.06 where it ends a bootstrap sequence (Core 1.2.2
// §6.1.7.6): the data model is not consistent yet.
func (t *Transaction) asFinish(err error) error {
	if !t.deferred() {
		return err
	}
	var e *Error
	if errors.As(err, &e) {
		return &Error{Code: NotAcceptable, Path: e.Path, Err: e.Err}
	}
	return err
}

// rebase carries the changes over to what has been published while the transaction was suspended.
func (t *Transaction) rebase() {
	published := t.m.root.Load()
	if published == t.base {
		return
	}
	t.base = published
	t.parts = slices.DeleteFunc(t.parts, func(p part) bool {
		s, ok := published.find(p.id())
		if ok {
			p.rebase(s)
		}
		return !ok
	})
}

// Persists reports whether Persist has something to store, so that it is worth a worker.
func (t *Transaction) Persists() bool { return t.m.cfg.Persist != nil && len(t.parts) > 0 }

// Persist hands the change to the Model's store, after Prepare. It may be called on any goroutine,
// and takes as long as the store. After an error everything is rolled back, as Commit says.
func (t *Transaction) Persist() error {
	if t.next == nil {
		return errors.New("Persist comes after Prepare")
	}
	persist := t.m.cfg.Persist
	if persist == nil || len(t.parts) == 0 {
		return nil
	}
	c := Committed{
		Origin: t.origin,
		Before: Snapshot{m: t.m, r: t.base},
		After:  Snapshot{m: t.m, r: t.next},
		Events: t.events(),
	}
	if err := persist(&t.ctx, c); err != nil {
		t.undo()
		t.end(!t.deferred())
		return &Error{Code: CodeOf(err), Err: err}
	}
	return nil
}

// Publish makes the change visible to every read from now on, after Persist. It cannot fail.
func (t *Transaction) Publish() {
	if t.next != nil {
		t.m.root.Store(t.next)
	}
}

// Finish tells subscribers and Changed hooks, after Publish, and ends the transaction.
func (t *Transaction) Finish() {
	if t.next == nil || t.over.Load() {
		return
	}
	for _, s := range t.sinks {
		s.close()
	}
	t.sinks = nil
	if t.m.subscribers.any() {
		if events := t.events(); len(events) > 0 {
			t.m.subscribers.tell(Batch{Origin: t.origin, Events: events})
		}
	}
	for _, p := range t.parts {
		p.changed(&t.ctx)
	}
	t.begun = nil
	t.end(true)
}

// Rollback drops all changes and ends the transaction; the Rollback hooks of all begun objects run in
// reverse order. After the transaction's end it does nothing, so it may be deferred.
func (t *Transaction) Rollback() {
	if t.over.Load() {
		return
	}
	t.undo()
	t.end(true)
}

// undo runs the Rollback hooks and aborts open sinks.
func (t *Transaction) undo() {
	for _, p := range slices.Backward(t.begun) {
		if err := p.rollback(&t.ctx); err != nil {
			t.m.rollbackFailed(err)
		}
	}
	t.begun, t.next = nil, nil
	for _, s := range t.sinks {
		s.abort()
	}
	t.sinks = nil
}

// end gives the slot away, for good when over.
func (t *Transaction) end(over bool) {
	if over {
		t.over.Store(true)
		t.Suspend()
	}
}

func (t *Transaction) events() []Event {
	var events []Event
	for _, p := range t.parts {
		p.events(func(e Event) { events = append(events, e) })
	}
	return events
}

// run is a transaction of the application that touches one object: fn makes the changes.
func (t *Transaction) run(id ObjectID, fn func(part) error) error {
	defer t.Rollback() // does nothing after Commit; a panic of fn must not keep the slot
	p, err := t.touch(id)
	if err != nil {
		return err
	}
	if err := fn(p); err != nil {
		return err
	}
	return t.Commit()
}
