package lwm2m

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// startInOrder starts the accounts whose turn in the order of registrations has come (/1/x/13).
// The status of the others says which account they wait for.
func (c *Client) startInOrder() {
	if c.reconciling || c.closing {
		return
	}
	places := make([]account.Place, len(c.servers))
	for i, s := range c.servers {
		facts := s.viewFacts()
		places[i] = account.Place{
			Ordered: s.settings.ordered, Priority: s.settings.priority, Block: s.settings.block,
			HadTurn: s.intent.turn, Goal: facts.Goal(), Outcome: s.state.Outcome,
		}
	}
	var begin []*server
	changed := false
	for i, first := range account.Turns(places) {
		s := c.servers[i]
		switch {
		case s.intent.turn:
		case first >= 0:
			changed = changed || s.intent.after != c.servers[first]
			s.intent.after = c.servers[first]
		default:
			s.intent.turn, s.intent.after = true, nil
			s.intent.startAt = c.loop.sched.Now().Add(s.settings.initialDelay)
			begin = append(begin, s)
		}
	}
	for _, s := range begin {
		s.handle(account.Event{Kind: account.FactsChanged})
	}
	if changed {
		c.publish()
	}
}

// waitReason returns the reason of an account that waits for another one.
func waitReason(first *server) error {
	if first == nil {
		return nil // the order has not been computed yet
	}
	if first.state.Outcome == account.Failed {
		return fmt.Errorf("server %d failed to register and holds back the servers after it", first.settings.shortID)
	}
	return fmt.Errorf("server %d comes first in the order of registrations", first.settings.shortID)
}
