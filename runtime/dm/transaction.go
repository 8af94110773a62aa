package dm

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// Transaction is a group of changes to a Model that is published as a whole or not at all.
// Everything that changes a Model is a transaction: each request of a server, each Update of the
// application, and a whole bootstrap sequence. A program needs one to restore saved values;
// otherwise only a runtime uses it directly.
//
// A Transaction holds the Model's one writer slot from Begin to its end. Until it ends, reads of
// the Model see none of its changes. Its methods are not safe for concurrent use, except that
// Persist may run on another goroutine. Defer Rollback, which does nothing after Commit, so that a
// panic of a hook does not keep the slot:
//
//	t, err := model.Begin(ctx, dm.Bootstrap)
//	if err != nil {
//		return err
//	}
//	defer t.Rollback()
//	if err := t.Write(path, dm.Replace, entries); err != nil {
//		return err
//	}
//	return t.Commit()
//
// A runtime whose loop must not wait for the store calls Prepare, Persist on a worker, Publish and
// Finish instead of Commit. For a bootstrap sequence it releases the slot between requests with
// Suspend and Resume.
type Transaction struct {
	m      *Model
	origin Origin
	rights Origin // of the operations: that of origin, or the application for what follows
	ctx    *txContext
	inner  txContext // what ctx is before the first Resume
	base   *root
	parts  []*part // ascending by object ID
	few    [2]*part
	begun  []*part // in the order of their Begin
	first  [2]*part
	sinks  []*openSink
	next   *root // what Publish will publish; set by Prepare
	// saved is what parts returns to when a bootstrap sequence cannot be finished yet.
	saved    []*part
	hasSaved bool
	// closing reports that a Sink was told to commit, so that no correction is possible after a
	// failure.
	closing   bool
	published bool
	unstored  bool         // Persist has failed
	cause     Cause        // for Batch.Cause
	state     atomic.Int32 // one of the transaction states

	changing atomic.Bool // Finish runs: the change is published, and Changed hooks may follow up
	told     int         // the parts whose Changed hook has been called
	outer    *Transaction
	follower *Transaction // the follow-up that has the slot in place of this one
	depth    int          // of follow-ups
}

// The states of a Transaction. Only over is final.
const (
	suspended int32 = iota
	holding         // it has the writer slot
	over
)

func newTransaction(ctx context.Context, m *Model, who Origin) *Transaction {
	t := &Transaction{m: m, origin: who, rights: who, base: m.root.Load()}
	t.inner.Context, t.inner.t = ctx, t
	t.ctx = &t.inner
	return t
}

// SetCause records the reason for the transaction. Subscribers receive it in Batch.Cause, so that a
// runtime that publishes on behalf of a request recognises its own changes. Call it before Finish.
// SetCause is for runtimes.
func (t *Transaction) SetCause(c Cause) { t.cause = c }

// Snapshot returns the Model as the transaction leaves it so far. It is valid until the
// transaction's next operation.
func (t *Transaction) Snapshot() Snapshot { return Snapshot{m: t.m, r: t.base, t: t} }

// defersBegin reports whether Begin hooks run at the end of the transaction.
func (t *Transaction) defersBegin() bool { return t.origin == Bootstrap }

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

// touch opens an object for changes. The first call runs its Begin hook; an object whose Begin
// failed stays unopened.
func (t *Transaction) touch(id ObjectID) (*part, error) {
	i, ok := slices.BinarySearchFunc(t.parts, id, func(p *part, id ObjectID) int { return int(p.id()) - int(id) })
	if ok {
		return t.parts[i], nil
	}
	s, ok := t.base.find(id)
	if !ok {
		return nil, fail(NotFound, ObjectPath(id), "the device has no such object")
	}
	p := s.part(t)
	if !t.defersBegin() {
		if err := t.begin(p); err != nil {
			return nil, err
		}
	}
	if t.parts == nil {
		t.parts = t.few[:0]
	}
	t.parts = slices.Insert(t.parts, i, p)
	return p, nil
}

func (t *Transaction) begin(p *part) error {
	if err := p.begin(t.ctx); err != nil {
		return err
	}
	if t.begun == nil {
		t.begun = t.first[:0]
	}
	t.begun = append(t.begun, p)
	return nil
}

// checkOpen returns an error if no operation is possible.
func (t *Transaction) checkOpen() error {
	switch {
	case t.state.Load() == over:
		return ErrDone
	case t.state.Load() == suspended:
		return errors.New("the transaction is suspended: Resume it first")
	case t.next != nil:
		return errors.New("the transaction is prepared: only Persist, Publish, Finish and Rollback may follow")
	}
	return nil
}

// run runs a transaction of the application that touches one object. fn makes the changes.
func (t *Transaction) run(id ObjectID, fn func(*part) error) error {
	defer t.Rollback() // a panic of fn must not keep the slot
	p, err := t.touch(id)
	if err != nil {
		return err
	}
	if err := fn(p); err != nil {
		return err
	}
	return t.Commit()
}
