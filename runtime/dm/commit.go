package dm

import (
	"errors"
	"slices"
)

// Commit ends the transaction: Prepare, Persist, Publish and Finish in one. It waits for the store.
// After an error nothing is changed: the transaction is rolled back and over. That of a bootstrap
// sequence stays open for correction, as long as no Sink was told to commit.
func (t *Transaction) Commit() error {
	if err := t.Prepare(); err != nil {
		return err
	}
	if err := t.Persist(); err != nil {
		t.failed()
		return err
	}
	t.Publish()
	t.Finish()
	return nil
}

// Prepare runs the Validate and Commit hooks. After an error everything is rolled back, as Commit
// says.
func (t *Transaction) Prepare() error {
	if err := t.ready(); err != nil {
		return err
	}
	t.rebase()
	err := t.prepare()
	if err != nil {
		t.failed()
	}
	return err
}

func (t *Transaction) prepare() error {
	for _, p := range t.parts {
		if err := p.precheck(); err != nil {
			return t.asFinish(err)
		}
	}
	if t.deferred() {
		for _, p := range t.parts {
			p.save()
			if err := t.begin(p); err != nil {
				return err
			}
		}
	}
	for _, p := range t.parts {
		if err := p.validate(t.ctx); err != nil {
			return t.asFinish(err)
		}
	}
	for _, p := range t.parts {
		if err := p.commit(t.ctx); err != nil {
			return err
		}
	}
	for _, s := range t.sinks {
		t.closing = true
		if err := s.sink.Commit(t.ctx); err != nil {
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
		return &Error{Code: NotAcceptable, Path: e.Path, Err: err}
	}
	return &Error{Code: NotAcceptable, Err: err}
}

// rebase carries the changes over to what has been published while the transaction was suspended.
// What it did to an object that was unregistered meanwhile is forgotten.
func (t *Transaction) rebase() {
	published := t.m.root.Load()
	if published == t.base {
		return
	}
	t.base = published
	t.parts = slices.DeleteFunc(t.parts, func(p *part) bool {
		s, ok := published.find(p.id())
		return !ok || !p.rebase(s)
	})
	t.abortSinks(func(s *openSink) bool {
		v, ok := t.view(s.path.Object())
		if !ok {
			return true
		}
		c := v.cell(s.path.Instance(), s.path.Resource())
		return c == nil || c.stream() != s.stream
	})
}

// abortSinks aborts the open sinks that match.
func (t *Transaction) abortSinks(match func(*openSink) bool) {
	if t.sinks == nil {
		return
	}
	t.sinks = slices.DeleteFunc(t.sinks, func(s *openSink) bool {
		if !match(s) {
			return false
		}
		s.abort()
		return true
	})
}

// Persists reports, after Prepare, whether Persist has something to store, so that it is worth a
// worker.
func (t *Transaction) Persists() bool { return t.m.cfg.Persist != nil && t.differs() }

// differs reports whether the transaction makes any difference.
func (t *Transaction) differs() bool {
	found := false
	for _, p := range t.parts {
		p.events(func(Event) { found = true })
		if found {
			return true
		}
	}
	return false
}

// Persist hands the change to the Model's store, after Prepare. It may be called on any goroutine,
// takes as long as the store, and runs no hook. A transaction that makes no difference is not stored.
// After an error nothing can be published: call Rollback, on the goroutine on which hooks run.
func (t *Transaction) Persist() error {
	if t.next == nil || t.published {
		return errors.New("Persist comes between Prepare and Publish")
	}
	if t.m.cfg.Persist == nil {
		return nil
	}
	c := Committed{
		Origin: t.origin,
		Before: Snapshot{m: t.m, r: t.base},
		After:  Snapshot{m: t.m, r: t.next},
		Events: t.events(),
	}
	if len(c.Events) == 0 {
		return nil
	}
	if err := t.m.cfg.Persist(t.ctx, c); err != nil {
		t.unstored = true
		return &Error{Code: CodeOf(err), Err: err}
	}
	return nil
}

// Publish makes the change visible to every read from now on, after Persist. It cannot fail.
func (t *Transaction) Publish() {
	if t.next == nil || t.published || t.unstored || t.state.Load() != holding {
		return
	}
	t.published = true
	t.begun = nil // nothing is to be rolled back any more
	t.m.root.Store(t.next)
}

// Finish tells subscribers and Changed hooks, after Publish, and ends the transaction.
func (t *Transaction) Finish() {
	if !t.published || t.state.Load() == over {
		return
	}
	defer t.end()
	for _, s := range t.sinks {
		s.close()
	}
	t.sinks = nil
	defer t.changedHooks(t.parts)
	if t.m.subscribers.any() {
		if events := t.events(); len(events) > 0 {
			t.m.subscribers.tell(Batch{Origin: t.origin, Cause: t.cause, Events: events})
		}
	}
}

// changedHooks runs the Changed hooks of the parts; one that panics keeps none of the others from
// running.
func (t *Transaction) changedHooks(parts []*part) {
	if len(parts) == 0 {
		return
	}
	defer t.changedHooks(parts[1:])
	parts[0].changed(t.ctx)
}

// Rollback drops all changes and ends the transaction; the Rollback hooks of all begun objects run in
// reverse order. After Publish it does what Finish does, and after the transaction's end nothing, so
// that it may be deferred.
func (t *Transaction) Rollback() {
	switch {
	case t.state.Load() == over:
		return
	case t.published:
		t.Finish()
		return
	}
	defer t.end()
	defer t.abortSinks(func(*openSink) bool { return true })
	t.undo()
}

// failed rolls back after an error. The transaction of a bootstrap sequence goes on.
func (t *Transaction) failed() {
	if !t.deferred() || t.closing {
		t.Rollback()
		return
	}
	t.undo()
}

// undo runs the Rollback hooks, and makes the transaction what it was before Prepare.
func (t *Transaction) undo() {
	begun := t.begun
	t.begun, t.next, t.unstored = nil, nil, false
	t.rollbackHooks(begun)
	for _, p := range t.parts {
		p.restore()
	}
}

// rollbackHooks runs the Rollback hooks of the parts, last first; one that panics keeps none of the
// others from running.
func (t *Transaction) rollbackHooks(parts []*part) {
	if len(parts) == 0 {
		return
	}
	last := len(parts) - 1
	defer t.rollbackHooks(parts[:last])
	if err := parts[last].rollback(t.ctx); err != nil {
		t.m.rollbackFailed(err)
	}
}

// end gives the slot away for good.
func (t *Transaction) end() {
	if t.state.Swap(over) == holding {
		t.ctx.past.Store(true)
		t.m.slot.release()
	}
}

func (t *Transaction) events() []Event {
	var events []Event
	for _, p := range t.parts {
		p.events(func(e Event) { events = append(events, e) })
	}
	return events
}
