package dm

import "context"

// maxFollowUps is how deep Changed hooks may update the Model in reaction to each other's Updates.
const maxFollowUps = 16

// followUp starts a transaction of the application from inside a Changed hook of t, on its
// goroutine and with its context. The change of t is published, so the follow-up is a transaction
// of its own. It takes over the writer slot and gives it back when it ends.
func (t *Transaction) followUp(ctx context.Context) (*Transaction, error) {
	switch {
	case t.follower != nil:
		return nil, errFromHook // t's context inside of a hook of the follow-up
	case t.depth == maxFollowUps:
		return nil, errFollowUps
	}
	t.changedHooks()
	u := t.m.newHolder(ctx, Application)
	u.outer, u.depth = t, t.depth+1
	t.follower = u
	return u, nil
}

// endFollowUp rolls back a follow-up that the hook has not ended.
func (t *Transaction) endFollowUp() {
	if t.follower != nil {
		t.follower.Rollback()
	}
}
