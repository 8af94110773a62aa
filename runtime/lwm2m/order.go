package lwm2m

import (
	"cmp"
	"fmt"
	"slices"
)

// takeTurn lets an account begin, after its initial delay (/1/x/14).
func (s *server) takeTurn() {
	s.turn = true
	if s.acct.initialDelay > 0 && s.wanted() {
		s.schedule(s.acct.initialDelay, "first attempt", s.attempt)
		s.err = nil
		s.c.publish()
		return
	}
	s.steer()
}

// advance gives their turn to the accounts that have a place in the order (/1/x/13), one after the other: the next begins
// when the one before is registered, or has been given up and does not hold the others back (/1/x/15). An account that is disabled or
// offline is passed over.
func (c *Client) advance() {
	ordered := make([]*server, 0, len(c.servers))
	for _, s := range c.servers {
		if s.acct.ordered {
			ordered = append(ordered, s)
		}
	}
	slices.SortStableFunc(ordered, func(a, b *server) int { return cmp.Compare(a.acct.priority, b.acct.priority) })
	for i, s := range ordered {
		switch {
		case s.disabled, s.offline, s.gone:
			continue
		case !s.turn:
			c.explain(ordered[i+1:], s, "comes first in the order of registrations")
			s.takeTurn()
			return
		case s.outcome == outcomeNone:
			c.explain(ordered[i+1:], s, "comes first in the order of registrations")
			return
		case s.outcome == outcomeFailed && s.acct.block:
			c.explain(ordered[i+1:], s, "failed to register and holds back those behind it")
			return
		}
	}
}

// explain says in the status of the accounts that wait what they wait for.
func (c *Client) explain(waiting []*server, first *server, why string) {
	for _, s := range waiting {
		if !s.turn {
			s.err = fmt.Errorf("server %d %s", first.acct.short, why)
		}
	}
	c.publish()
}
