package dm

import "context"

// TryBegin starts a transaction if the writer slot is free. It never waits. TryBegin is for
// runtimes.
func (m *Model) TryBegin(ctx context.Context, who Origin) (*Transaction, bool) {
	if hookOf(ctx, m) != nil || !m.slot.try(true) {
		return nil, false
	}
	return m.newHolder(ctx, who), true
}

// BeginAsync starts a transaction as soon as the writer slot is free for it, in order, and calls
// granted with it. It calls granted on the caller's goroutine if the slot is free, otherwise on the
// goroutine that releases the slot, which granted must not block; post to a loop there. Called from
// inside a hook, it grants the slot after the hook's transaction. cancel leaves the queue; it
// returns false if granted was already called. BeginAsync is for runtimes.
func (m *Model) BeginAsync(ctx context.Context, who Origin, granted func(*Transaction)) (cancel func() bool) {
	return m.slot.enqueue(true, func() { granted(m.newHolder(ctx, who)) })
}

// Suspend releases the writer slot until Resume and keeps the changes. It is for runtimes, which
// suspend a bootstrap sequence between two requests.
func (t *Transaction) Suspend() {
	if t.outer != nil {
		return // the slot is that of the hook's transaction
	}
	if t.state.CompareAndSwap(holding, suspended) {
		t.ctx.past.Store(true)
		t.m.slot.release()
	}
}

// Resume takes the writer slot again and waits for it until ctx ends. Hooks receive ctx from then
// on. Resume is for runtimes.
func (t *Transaction) Resume(ctx context.Context) error {
	if t.state.Load() == over {
		return ErrDone
	}
	if err := t.m.acquire(ctx); err != nil {
		return err
	}
	return t.hold(ctx)
}

// ResumeAsync takes the writer slot again as soon as it is free, in order, and calls granted; the
// goroutine is that of BeginAsync. If the transaction was rolled back in the meantime, granted is
// still called, and every operation fails with ErrDone. ResumeAsync is for runtimes.
func (t *Transaction) ResumeAsync(ctx context.Context, granted func()) (cancel func() bool) {
	return t.m.slot.enqueue(true, func() {
		_ = t.hold(ctx) // the next operation returns the error
		granted()
	})
}

// hold records that the transaction has the slot, which was just acquired.
func (t *Transaction) hold(ctx context.Context) error {
	if t.state.Load() == over {
		t.m.slot.release()
		return ErrDone
	}
	t.ctx = &txContext{Context: ctx, t: t}
	if !t.state.CompareAndSwap(suspended, holding) { // rolled back, or resumed twice
		t.m.slot.release()
		return ErrDone
	}
	return nil
}
