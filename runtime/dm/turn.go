package dm

import "context"

// TryBegin starts a transaction if the writer slot is free.
func (m *Model) TryBegin(ctx context.Context, who Origin) (*Transaction, bool) {
	if inside(ctx, m) || !m.slot.try(true) {
		return nil, false
	}
	return m.begun(ctx, who), true
}

// BeginAsync starts a transaction when its turn has come and calls granted with it then: at once when
// the writer slot is free, otherwise from the goroutine that frees it, which granted must not hold
// up. From inside a hook that is when the hook's transaction is over. cancel gives up the turn; it
// returns false when granted has been called already.
func (m *Model) BeginAsync(ctx context.Context, who Origin, granted func(*Transaction)) (cancel func() bool) {
	return m.slot.enqueue(true, func() { granted(m.begun(ctx, who)) })
}

// Suspend gives the writer slot away until Resume, with the changes kept. It is for bootstrap
// sequences between two requests.
func (t *Transaction) Suspend() {
	if t.state.CompareAndSwap(holding, suspended) {
		t.ctx.past.Store(true)
		t.m.slot.release()
	}
}

// Resume takes the writer slot again, waiting until ctx ends. Hooks receive ctx from now on.
func (t *Transaction) Resume(ctx context.Context) error {
	if t.state.Load() == over {
		return ErrDone
	}
	if err := t.m.acquire(ctx); err != nil {
		return err
	}
	return t.hold(ctx)
}

// ResumeAsync takes the writer slot again when its turn has come, and calls granted then; see
// Model.BeginAsync. When the transaction was rolled back meanwhile, granted is called all the same,
// and every operation is ErrDone.
func (t *Transaction) ResumeAsync(ctx context.Context, granted func()) (cancel func() bool) {
	return t.m.slot.enqueue(true, func() {
		_ = t.hold(ctx) // an operation says so
		granted()
	})
}

// hold notes that the slot, which was just acquired, is the transaction's.
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
