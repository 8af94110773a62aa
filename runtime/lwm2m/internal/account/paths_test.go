package account

import (
	"fmt"
	"testing"
)

// ends reports whether the network and the clock make an event happen by themselves.
func ends(k Kind) bool { return k >= DialSucceeded }

// longest returns the length of the longest path from s along next. A cycle is a fault.
type longest struct {
	next  func(State) ([]State, string)
	depth map[State]int
	fault string
}

func (l *longest) from(s State) int {
	const open = -1
	switch d, ok := l.depth[s]; {
	case ok && d == open:
		l.fault = fmt.Sprintf("there is a cycle through %+v", s)
		return 0
	case ok:
		return d
	}
	l.depth[s] = open
	most := 0
	successors, fault := l.next(s)
	if fault != "" {
		l.fault = fault
	}
	for _, to := range successors {
		if l.fault != "" {
			break
		}
		if to != s {
			most = max(most, 1+l.from(to))
		}
	}
	l.depth[s] = most
	return most
}

// removal checks that a removed account is gone after a few events, whatever the network does.
func removal(next decider, states []State) (most int, fault string) {
	for _, f := range combinations() {
		// No decision on the way out reads the offer and the lifetime.
		if !f.Removed || f.OfferChanged || f.Expired || f.Endless {
			continue
		}
		l := longest{depth: map[State]int{}}
		l.next = func(s State) (successors []State, fault string) {
			if s.Effort == Removed {
				return nil, ""
			}
			for _, ev := range events {
				if s.expects(ev.e.Kind) && ends(ev.e.Kind) {
					to, _ := next(s, ev.e, f)
					successors = append(successors, to)
				}
			}
			if len(successors) == 0 {
				return nil, fmt.Sprintf("nothing can end in %+v", s)
			}
			return successors, ""
		}
		for _, s := range states {
			s, _ = next(s, Event{Kind: FactsChanged}, f)
			most = max(most, l.from(s))
			if l.fault != "" {
				return most, l.fault
			}
		}
	}
	return most, ""
}

// recovery checks that every state leads to a registration at rest with a network that works and a
// server that accepts.
func recovery(next decider, states []State) (most int, fault string) {
	for _, f := range combinations() {
		if f.Goal() != GoalRegistered || f.OfferChanged || f.Expired || f.RegistrationRetry.NoneAfter {
			continue
		}
		for _, from := range states {
			if from.Effort == Removed {
				continue
			}
			s, _ := next(from, Event{Kind: FactsChanged}, f)
			steps := 0
			for ; !atRest(s); steps++ {
				e, ok := successOf(s)
				if !ok {
					return most, fmt.Sprintf("nothing can happen in %+v", s)
				}
				if s, _ = next(s, e, f); steps > 12 {
					return most, fmt.Sprintf("no registration from %+v: after %d events it is %+v", from, steps, s)
				}
			}
			most = max(most, steps)
		}
	}
	return most, ""
}

func atRest(s State) bool {
	return s.Registration == Known && s.Request == NoRequest && !s.UpdateDue && (s.Connection == Connected || s.Connection == Asleep) && s.Timer != UpdateRetry
}

// successOf returns the event of a network that works.
func successOf(s State) (Event, bool) {
	switch {
	case s.Connection == Connecting:
		return Event{Kind: DialSucceeded}, true
	case s.Request != NoRequest:
		code := [...]Code{Register: Created, Update: Changed, Deregister: Deleted}[s.Request]
		return Event{Kind: ResponseReceived, Code: code, Location: true}, true
	case s.Timer != NoTimer:
		return Event{Kind: TimerFired}, true
	case s.Effort == Invalid:
		return Event{Kind: AccountChanged}, true
	case s.Effort == GivenUp:
		return Event{Kind: BootstrapEnded}, true
	}
	return Event{}, false
}

// pauses checks that no server and no network makes the device send or connect in a cycle without a
// pause: what can happen at once (responses with an error, refusals, connections that end within
// 10 s) leads to a timer after a few events.
func pauses(next decider, states []State) (most int, fault string) {
	for _, f := range combinations() {
		if f.Goal() != GoalRegistered || f.OfferChanged || f.Expired {
			continue
		}
		l := longest{depth: map[State]int{}}
		l.next = func(s State) (successors []State, fault string) {
			for _, ev := range events {
				e := ev.e
				atOnce := e.Kind == DialSucceeded || e.Kind == DialFailed || e.Kind == NetworkRefused || e.Kind == ConnectionLost && e.Short ||
					e.Kind == ResponseReceived && (e.Code >= 0x80 || !e.Location && e.Code == Created)
				if !atOnce || !s.expects(e.Kind) {
					continue
				}
				to, actions := next(s, e, f)
				if to == s && len(actions) > 0 {
					return nil, fmt.Sprintf("%+v repeats for ever in %+v", actions, s)
				}
				successors = append(successors, to)
			}
			return successors, ""
		}
		for _, s := range states {
			most = max(most, l.from(s))
			if l.fault != "" {
				return most, l.fault
			}
		}
	}
	return most, ""
}

// offers checks that what has changed is told to the server.
func offers(next decider, states []State) (most int, fault string) {
	f := setting(0)
	f.OfferChanged = true
	for _, s := range states {
		if atRest(s) && s.Effort == Trying {
			if to, _ := next(s, Event{Kind: FactsChanged}, f); to.Request != Update && to.Timer != NextAttempt {
				return 0, fmt.Sprintf("the offer has changed and no Update follows in %+v", s)
			}
		}
	}
	return 1, ""
}

// counted checks that attempts that fail again and again end in giving up.
func counted(next decider, states []State) (most int, fault string) {
	f := setting(0)
	for _, s := range states {
		if s.Effort != Trying {
			continue
		}
		s, _ = next(s, Event{Kind: FactsChanged}, f)
		n := 0
		for ; s.Effort == Trying; n++ {
			e := Event{Kind: TimerFired}
			switch {
			case s.Connection == Connecting:
				e.Kind = DialFailed
			case s.Request != NoRequest:
				e.Kind = NoResponse
			}
			if s, _ = next(s, e, f); n > 20 {
				return most, fmt.Sprintf("attempts are never given up from %+v", s)
			}
		}
		most = max(most, n)
	}
	return most, ""
}

// refusals checks that an attempt ends with the second refusal by the network.
func refusals(next decider, states []State) (most int, fault string) {
	f := setting(0)
	for _, from := range states {
		if from.Request == NoRequest && from.Connection != Connecting || from.Effort == Removed {
			continue
		}
		s, _ := next(from, Event{Kind: NetworkRefused}, f)
		if s, _ = next(s, Event{Kind: NetworkRefused}, f); s.Request == from.Request && s.Connection == from.Connection && s.Timer == from.Timer {
			return 2, fmt.Sprintf("two refusals do not end the attempt in %+v", from)
		}
	}
	return 2, ""
}

// paths are what is proven about paths through the states.
var paths = []struct {
	name  string
	check func(decider, []State) (int, string)
}{
	{"a removed account is gone", removal},
	{"every state leads to a registration", recovery},
	{"refusals lead to a pause", pauses},
	{"a changed offer leads to an Update", offers},
	{"refusals by the network end an attempt", refusals},
	{"failures lead to giving up", counted},
}

func pathFault(next decider, states []State) string {
	for _, p := range paths {
		if _, fault := p.check(next, states); fault != "" {
			return fault
		}
	}
	return ""
}

func TestPaths(t *testing.T) {
	states := reachable(t)
	for _, p := range paths {
		most, fault := p.check(Next, states)
		if fault != "" {
			t.Errorf("%s: %s", p.name, fault)
		}
		t.Logf("%s after at most %d events", p.name, most)
	}
}
