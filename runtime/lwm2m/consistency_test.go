package lwm2m

import (
	"fmt"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// Inconsistencies returns what in the accounts of a client contradicts itself, between two turns of
// the loop. It is called on the loop.
func Inconsistencies(c *Client) []string {
	var found []string
	for _, s := range c.servers {
		bad := func(holds bool, what string) {
			if !holds {
				found = append(found, fmt.Sprintf("server %d: %s (%+v)", s.settings.shortID, what, s.state))
			}
		}
		connected := s.state.Connection == account.Connected || s.state.Connection == account.Asleep
		bad(!s.handling && len(s.events) == 0, "an event waits")
		bad(connected == (s.link.Socket() != nil) && connected == (s.socket != nil), "the connection")
		bad((s.state.Request != account.NoRequest) == (s.call != nil), "the request in flight")
		bad(s.call == nil || s.call.Active(), "a request is over and counts as in flight")
		bad((s.state.Timer != account.NoTimer) == s.timer.Pending(), "the timer")
		bad((s.state.Timer != account.NoTimer) == !s.timerAt.IsZero(), "the time of the timer")
		bad(s.slow.Pending() == false || s.call != nil || s.state.Connection == account.Connecting, "the job of a slow attempt")
		bad(s.overdue.Pending() == (s.call != nil), "the job of a request that takes too long")
		bad(!s.enabling.Pending() || s.intent.disabled, "the job that ends a Disable")
		bad(s.state.Effort != account.Removed, "a removed account is left")
		bad(s.shown.state == State(s.state.View(s.viewFacts())), "the state shown is not the state")
		bad(s.intent.after == nil || !s.intent.turn && slices.Contains(c.servers, s.intent.after), "the account that comes first")
		bad(s.intent.turn || s.intent.after != nil || c.closing, "neither its turn nor an account before it")
		bad(int(s.state.VersionStep) < len(s.versions), "the version")
		bad(s.intent.offline == c.offline.covers(&s.settings) || c.closing, "offline")
		if known := s.state.Registration != account.Unknown; known {
			bad(s.registration.location != nil, "no location")
		}
		if st := s.describe(); true {
			bad((st.Plan == "") == st.Next.IsZero(), "plan without time: "+st.String())
			bad(st.Awaits != "", "nothing is awaited: "+st.String())
			switch st.State {
			case StateError, StateFailed, StateInvalid:
				bad(st.Err != nil, "no reason: "+st.String())
			case StateConnecting, StateRegistering, StateReregistering, StateRegistered, StateUpdating:
				bad(st.Err == nil || !isIntended(st.Err), "a wish as reason: "+st.String())
			case StateSuspended, StateDeregistered:
				bad(st.Err != nil && isIntended(st.Err), "no wish as reason: "+st.String())
			}
			if st.State == StateRegistered {
				bad(st.Err == nil || s.state.Timer == account.UpdateRetry, "a failure, registered: "+st.String())
			}
		}
	}
	return found
}
