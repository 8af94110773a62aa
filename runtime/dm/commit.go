package dm

import (
	"errors"
	"slices"
)

// Commit ends the transaction: it calls Prepare, Persist, Publish and Finish. It waits for the
// store. After an error nothing is changed, and the transaction is rolled back and over. A
// bootstrap sequence stays open for correction after an error, unless a Sink was already told to
// commit.
func (t *Transaction) Commit() error {
	if err := t.Prepare(); err != nil {
		return err
	}
	if err := t.Persist(); err != nil {
		t.afterError()
		return err
	}
	t.Publish()
	t.Finish()
	return nil
}

// Prepare runs the Validate and Commit hooks, on the caller's goroutine. After an error everything
// is rolled back, as with Commit. Prepare is for runtimes.
func (t *Transaction) Prepare() error { return t.PrepareAfter(nil) }

// PrepareAfter is Prepare with a step of the runtime between ModelConfig.Consequences and the
// checks and hooks. The step sees what was published since the transaction began merged with its
// changes, and may change more, from which nothing follows. An error of the step makes PrepareAfter
// fail. Where the transaction stays open for correction, the changes of the step are undone. The
// zero value means no step. PrepareAfter is for runtimes.
func (t *Transaction) PrepareAfter(step func() error) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	t.rebase()
	if t.defersBegin() {
		t.save()
	}
	err := t.asBootstrapRefusal(t.consequences())
	if err == nil && step != nil {
		err = step()
	}
	if err == nil {
		err = t.prepare()
	}
	if err != nil {
		t.afterError()
	}
	return err
}

// Reopen undoes Prepare after Persist has failed, or after a hook has panicked: the Rollback hooks
// run, on the caller's goroutine, and a bootstrap sequence stays open for correction. Reopen
// returns false if the transaction is over now, because it is no bootstrap sequence or a Sink was
// already told to commit. It is for runtimes.
func (t *Transaction) Reopen() bool {
	if !t.published {
		t.afterError()
	}
	return t.state.Load() != over
}

func (t *Transaction) prepare() error {
	for _, p := range t.parts {
		if err := p.precheck(); err != nil {
			return t.asBootstrapRefusal(err)
		}
	}
	if t.defersBegin() {
		for _, p := range t.parts {
			if err := t.begin(p); err != nil {
				return err
			}
		}
	}
	for _, p := range t.parts {
		if err := p.validate(t.ctx); err != nil {
			return t.asBootstrapRefusal(err)
		}
	}
	for _, p := range t.parts {
		if err := p.commit(t.ctx); err != nil {
			return err
		}
	}
	for _, s := range t.sinks {
		t.closing = true
		var err error
		t.m.within(fromStream, func() { err = s.sink.Commit(t.ctx) })
		if err != nil {
			return withPath(s.path, err)
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

// asBootstrapRefusal turns a refusal at the end of a bootstrap sequence into 4.06 (Core 1.2.2
// §6.1.6, Transport 1.2.2 §6.7), which says that the data model is not consistent yet.
func (t *Transaction) asBootstrapRefusal(err error) error {
	if err == nil || !t.defersBegin() {
		return err
	}
	var e *Error
	if errors.As(err, &e) {
		return &Error{Code: NotAcceptable, Path: e.Path, Err: err}
	}
	return &Error{Code: NotAcceptable, Err: err}
}

// rebase applies the changes to what was published while the transaction was suspended. Changes to
// an object that was unregistered in that time are discarded.
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
		t.m.within(fromStream, s.abort)
		return true
	})
}

// Persists reports, after Prepare, whether Persist has something to store and therefore needs a
// worker. Persists is for runtimes.
func (t *Transaction) Persists() bool { return t.m.cfg.Persist != nil && t.differs() }

// differs reports whether the transaction changes anything.
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

// Persist passes the change to the Model's store, after Prepare. It may be called on any goroutine,
// takes as long as the store, and runs no hook. A transaction that changes nothing is not stored.
// After an error the transaction cannot be published: call Rollback, on the goroutine on which
// hooks run. Persist is for runtimes.
func (t *Transaction) Persist() error {
	if t.next == nil || t.published {
		return errors.New("the transaction is not prepared, or already published: call Persist between Prepare and Publish")
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
	var err error
	t.m.within(fromStore, func() { err = t.m.cfg.Persist(t.ctx, c) })
	if err != nil {
		t.unstored = true
		return &Error{Code: CodeOf(err), Err: err}
	}
	return nil
}

// Publish makes the change visible to all later reads, after Persist. It cannot fail. Publish is
// for runtimes.
func (t *Transaction) Publish() {
	if t.next == nil || t.published || t.unstored || t.state.Load() != holding {
		return
	}
	t.published = true
	t.begun = nil // no hook is rolled back from here on
	t.m.root.Store(t.next)
}

// Finish calls the subscribers and the Changed hooks, after Publish, and ends the transaction. Both
// run on the caller's goroutine. Finish is for runtimes.
func (t *Transaction) Finish() {
	if !t.published || t.state.Load() == over {
		return
	}
	defer t.end()
	for _, s := range t.sinks {
		s.close()
	}
	t.sinks = nil
	t.changing.Store(true)
	defer t.changedHooks()
	if t.m.subscribers.any() {
		if events := t.events(); len(events) > 0 {
			t.m.call(Batch{Origin: t.origin, Cause: t.cause, Events: events})
		}
	}
}

// changedHooks runs the Changed hooks that have not run yet; one that panics keeps none of the
// others from running. A follow-up runs the hooks after the one that begins it first, so that no
// hook sees an older change after a newer one.
func (t *Transaction) changedHooks() {
	if t.told == len(t.parts) {
		return
	}
	p := t.parts[t.told]
	t.told++
	defer t.changedHooks()
	p.changed(t.ctx)
	t.endFollowUp()
}

// Rollback discards all changes and ends the transaction. The Rollback hooks of all begun objects
// run in reverse order, on the caller's goroutine. After Publish it does what Finish does, and
// after the end of the transaction it does nothing, so that it may be deferred.
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

// afterError rolls back after an error. The transaction of a bootstrap sequence stays open.
func (t *Transaction) afterError() {
	if !t.defersBegin() || t.closing {
		t.Rollback()
		return
	}
	t.undo()
}

// undo runs the Rollback hooks and returns the transaction to its state before Prepare.
func (t *Transaction) undo() {
	begun := t.begun
	t.begun, t.next, t.unstored = nil, nil, false
	defer t.restore() // also where a hook panics
	t.rollbackHooks(begun)
}

// save keeps the changes of a bootstrap sequence for restore.
func (t *Transaction) save() {
	t.saved, t.hasSaved = slices.Clone(t.parts), true
	for _, p := range t.parts {
		p.save()
	}
}

// restore returns to the changes that save has kept.
func (t *Transaction) restore() {
	if !t.hasSaved {
		return
	}
	t.parts, t.saved, t.hasSaved = t.saved, nil, false
	for _, p := range t.parts {
		p.restore()
	}
}

// rollbackHooks runs the Rollback hooks of the parts, last first. The others run even if one
// panics.
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

// end releases the writer slot for good.
func (t *Transaction) end() {
	if t.state.Swap(over) != holding {
		return
	}
	t.ctx.past.Store(true)
	if t.outer != nil {
		t.outer.follower = nil
		return
	}
	t.endFollowUp()
	t.m.slot.release()
}

func (t *Transaction) events() []Event {
	var events []Event
	for _, p := range t.parts {
		p.events(func(e Event) { events = append(events, e) })
	}
	return events
}
