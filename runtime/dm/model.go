package dm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
)

// Model holds the objects of one device, or of one end device behind a gateway, and their state.
// Reads never wait and see one published state; writes are Transactions, one at a time. All methods
// are safe for concurrent use. The zero value has no objects yet.
type Model struct {
	cfg         ModelConfig
	root        atomic.Pointer[root]
	slot        slot
	subscribers subscribers
	private     bool   // holds one object that is not part of a Model yet
	mark        uint32 // see within

	mu     sync.Mutex
	status Status
}

// ModelConfig is the configuration of a Model.
type ModelConfig struct {
	// Persist stores what a transaction changed, as one record, after the Commit hooks and before
	// the change is published. An error undoes the transaction. Persist is called for one
	// transaction at a time. The zero value means that nothing is stored.
	Persist func(ctx context.Context, c Committed) error
	// Consequences makes further changes that follow from those of a transaction, as part of it:
	// before its checks and its Validate hooks, on the goroutine of Prepare. Write, Create and
	// Delete of t have the rights of the application there. An error undoes the transaction. It is
	// for runtimes. The zero value means that nothing follows.
	Consequences func(t *Transaction) error
	// Logger receives faults that no caller can be told: failed Rollback hooks (Error), and live
	// values outside of their range (Warn, once each). The zero value means slog.Default().
	Logger *slog.Logger
}

// Committed is a change that is about to be published.
type Committed struct {
	// Origin is who made the change.
	Origin Origin
	// Before and After are the whole Model before and after the change.
	Before, After Snapshot
	// Events are the differences between Before and After.
	Events []Event
}

// Status counts faults inside a Model that no caller was told.
type Status struct {
	// RollbackFailures counts Rollback hooks that returned an error.
	RollbackFailures int
	// LastRollbackError is the error of the last of them. The zero value means that none failed.
	LastRollbackError error
}

// NewModel returns a Model of the given objects, which may already have instances. It fails if two
// objects share an ID, also in different versions, or if an object is part of another Model.
func NewModel(cfg ModelConfig, objects ...Object) (*Model, error) {
	m := &Model{cfg: cfg, mark: newMark()}
	m.root.Store(&root{})
	var errs []error
	for _, o := range objects {
		errs = append(errs, m.Register(context.Background(), o))
	}
	err := errors.Join(errs...)
	if err == nil {
		return m, nil
	}
	for _, s := range m.root.Load().all() { // for another try with these objects
		_ = m.Unregister(context.Background(), s.id())
	}
	return nil, err
}

// privateModel returns a Model for an object that is not part of a shared one yet.
func privateModel(s *objectState) *Model {
	m := &Model{private: true, mark: newMark()}
	m.root.Store((&root{}).with(s))
	return m
}

// Register adds an object with its instances. It may be called while the device runs, and
// subscribers are called.
func (m *Model) Register(ctx context.Context, o Object) error {
	if o == nil || o.inner() == nil {
		return errNotMade
	}
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.slot.release()
	old := o.inner().where.Load()
	if !old.private {
		return errTaken(o)
	}
	r := m.root.Load()
	if s, ok := r.find(o.ID()); ok {
		return fmt.Errorf("objects %s %s and %s %s share the ID %d: register one of them",
			s.definition().Name, s.definition().Version, o.Definition().Name, o.Definition().Version, o.ID())
	}
	if err := old.acquire(ctx); err != nil {
		return err
	}
	defer old.slot.release()
	if o.inner().where.Load() != old { // another Model has taken it
		return errTaken(o)
	}
	s, _ := old.root.Load().find(o.ID())
	m.root.Store(r.with(s))
	o.inner().where.Store(m)
	m.call(Batch{Events: []Event{{ObjectPath(o.ID()), Created}}})
	return nil
}

func errTaken(o Object) error {
	return fmt.Errorf("object %s (%d) is already part of a model", o.Definition().Name, o.ID())
}

// Unregister removes an object from the Model. The object keeps its instances and can be registered
// again. Subscribers are called.
func (m *Model) Unregister(ctx context.Context, id ObjectID) error {
	if err := m.acquire(ctx); err != nil {
		return err
	}
	defer m.slot.release()
	r := m.root.Load()
	s, ok := r.find(id)
	if !ok {
		return fail(NotFound, ObjectPath(id), "the device has no such object")
	}
	s.o.where.Store(privateModel(s))
	m.root.Store(r.without(id))
	m.call(Batch{Events: []Event{{ObjectPath(id), Deleted}}})
	return nil
}

// Begin starts a transaction. It waits for the writer slot until ctx ends, or for a minute
// (ErrBusy) if ctx has no deadline. The hooks of the transaction receive a context made from ctx.
// From inside a hook of the same Model, Begin returns ErrInTransaction at once. Only a Changed hook
// may begin a transaction of the application, with the context that it received; see Hooks.
func (m *Model) Begin(ctx context.Context, who Origin) (*Transaction, error) {
	acquire := m.acquire
	if outer := hookOf(ctx, m); outer != nil && outer.changing.Load() && who == Application {
		if m.runsHook() {
			return outer.followUp(ctx)
		}
		acquire = m.wait // another goroutine has the context, and waits like any other
	}
	if err := acquire(ctx); err != nil {
		return nil, err
	}
	return m.newHolder(ctx, who), nil
}

func (m *Model) newHolder(ctx context.Context, who Origin) *Transaction {
	t := newTransaction(ctx, m, who)
	t.state.Store(holding)
	return t
}

func (m *Model) acquire(ctx context.Context) error {
	if hookOf(ctx, m) != nil {
		return errFromHook
	}
	return m.wait(ctx)
}

// wait takes the writer slot. It waits for it unless the goroutine would wait for itself.
func (m *Model) wait(ctx context.Context) error {
	if m.slot.try(false) {
		return nil
	}
	if err := m.checkCaller(); err != nil {
		return err
	}
	return m.slot.acquire(ctx)
}

// call calls the subscribers.
func (m *Model) call(b Batch) { m.within(fromEvent, func() { m.subscribers.call(b) }) }

// Snapshot returns the current state of the Model. The Snapshot never changes, and the call never
// waits.
func (m *Model) Snapshot() Snapshot { return Snapshot{m: m, r: m.root.Load()} }

// Subscribe calls fn after every published transaction that changed something, in the order of
// publishing, on the goroutine that published. fn must be quick and must not write to the Model
// (ErrInTransaction), and the batch is valid only during the call. cancel ends the subscription;
// one call may still be running when it returns.
func (m *Model) Subscribe(fn func(Batch)) (cancel func()) { return m.subscribers.add(fn) }

// Status returns the faults that no caller was told.
func (m *Model) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

func (m *Model) rollbackFailed(err error) {
	m.mu.Lock()
	m.status.RollbackFailures++
	m.status.LastRollbackError = err
	m.mu.Unlock()
	m.logger().Error(
		"a Rollback hook failed: the data model is as before the transaction, the hardware behind it may not be",
		"error", err)
}

func (m *Model) logger() *slog.Logger {
	if m.cfg.Logger == nil {
		return slog.Default()
	}
	return m.cfg.Logger
}
