package dm

import "context"

// Live reports whether a function provides the value of a resource at or below p that who can read,
// so that the value may change without a transaction. Streams do not count; resources marked with
// Quiet or Moving count if p names them. Live is for runtimes.
func (s Snapshot) Live(who Origin, p Path) bool {
	found := false
	s.eachLive(who, p, func(r *Reporting) bool {
		found = p.level >= ResourceLevel || !r.silentFor(p.level)
		return !found
	})
	return found
}

// CheckWrite reports why a Write to p must fail whatever the payload is: nothing exists at p, or it
// cannot be written. It calls no user code, so a runtime can refuse a request before the payload
// has arrived. CheckWrite is for runtimes.
func (s Snapshot) CheckWrite(ctx context.Context, who Origin, p Path) error {
	t := &Transaction{m: s.m, base: s.r, origin: who, rights: who}
	t.ctx = &txContext{Context: ctx, t: t}
	w := writing{t: t, base: p}
	return w.checkTarget()
}
