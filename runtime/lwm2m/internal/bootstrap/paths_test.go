package bootstrap

import (
	"fmt"
	"testing"
	"time"
)

// needing are the facts of a device that needs a bootstrap and can have one.
func needing() (all []Facts) {
	for _, f := range combinations() {
		if !f.blocked() && f.Needed && !f.Finishing {
			all = append(all, f)
		}
	}
	return all
}

// recovery checks that every state leads to a finished bootstrap with a network that works and a
// server that accepts. It returns the most events that this takes.
func recovery(next decider, states []State) (most int, fault string) {
	for _, f := range needing() {
		for _, from := range states {
			s, _ := next(from, Event{Kind: FactsChanged}, f)
			for steps, done := 0, false; !done; steps++ {
				if steps > 10 {
					return most, fmt.Sprintf("no bootstrap from %+v: after %d events it is %+v", from, steps, s)
				}
				e, ok := successOf(s)
				if !ok {
					return most, fmt.Sprintf("nothing can happen in %+v", s)
				}
				done = e.Kind == SequenceFinished || e.Kind == PackApplied
				s, _ = next(s, e, f)
				most = max(most, steps+1)
			}
		}
	}
	return most, ""
}

// successOf returns the event of a network and a server that work.
func successOf(s State) (Event, bool) {
	switch {
	case s.Phase == Serving:
		return Event{Kind: SequenceFinished}, true
	case s.Phase == Applying:
		return Event{Kind: PackApplied}, true
	case s.Connection == Connecting:
		return Event{Kind: DialSucceeded}, true
	case s.Request == PackRequest:
		return Event{Kind: ResponseReceived, Code: Content, Usable: true}, true
	case s.Request == BootstrapRequest:
		return Event{Kind: ResponseReceived, Code: Changed}, true
	case s.Timer != NoTimer:
		return Event{Kind: TimerFired}, true
	}
	return Event{}, false
}

// storm checks that no network and no server can make the device send without pauses: between two
// pauses there is a bounded number of events that the network or the server causes, except requests
// of a server that is allowed to send them.
func storm(next decider, states []State) (most int, fault string) {
	for _, f := range needing() {
		if f.SinceLast >= Rest {
			continue // there was no attempt
		}
		depth := map[State]int{}
		var longest func(s State, level int) int
		longest = func(s State, level int) int {
			if d, ok := depth[s]; ok {
				return d
			}
			if level > 40 {
				fault = fmt.Sprintf("events without a pause never end at %+v", s)
				return 0
			}
			n := 0
			for _, ev := range events {
				k := ev.e.Kind
				if k < DialSucceeded || k == TimerFired || k == ServerRequested || !s.expects(k) {
					continue
				}
				if k == SequenceFinished && s.Phase != Serving || k == PackApplied && s.Phase != Applying {
					continue
				}
				if to, _ := next(s, ev.e, f); to != s && fault == "" {
					n = max(n, 1+longest(to, level+1))
				}
			}
			depth[s] = n
			return n
		}
		for _, s := range states {
			most = max(most, longest(s, 0))
			if fault != "" {
				return most, fault
			}
		}
	}
	return most, ""
}

func TestEveryStateLeadsToBootstrap(t *testing.T) {
	most, fault := recovery(Next, reachable(t))
	if fault != "" {
		t.Fatal(fault)
	}
	t.Logf("at most %d events to a finished bootstrap", most)
}

func TestNoStorm(t *testing.T) {
	most, fault := storm(Next, reachable(t))
	if fault != "" {
		t.Fatal(fault)
	}
	t.Logf("at most %d events of the network and the server between two pauses", most)
}

// The pauses grow from 15 s to an hour, and begin again after a day without an attempt.
func TestPauses(t *testing.T) {
	f := Facts{Account: true, Needed: true, Procedure: 247 * time.Second, SinceLast: Rest}
	s, _ := Next(State{}, Event{Kind: FactsChanged}, f)
	f.SinceLast = 0
	for i, want := range []time.Duration{15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600, 3600} {
		want *= time.Second
		var actions []Action
		s, actions = Next(s, Event{Kind: DialFailed}, f)
		last := actions[len(actions)-1]
		if last.Do != StartTimer || last.After != want || last.Spread != want/2 {
			t.Errorf("after attempt %d: %+v, want a pause of %v", i+1, last, want)
		}
		s, _ = Next(s, Event{Kind: TimerFired}, f)
		if s.Phase != Requesting {
			t.Fatalf("after pause %d: %+v", i+1, s)
		}
	}
	f.Needed = false
	s, _ = Next(s, Event{Kind: DialFailed}, f)
	f.Needed, f.SinceLast = true, 10*time.Minute
	if to, actions := Next(s, Event{Kind: FactsChanged}, f); to.Phase != Waiting || actions[0].After != 50*time.Minute {
		t.Errorf("a need soon after an attempt: %+v, %+v", to, actions)
	}
	f.SinceLast = Rest
	if to, _ := Next(s, Event{Kind: FactsChanged}, f); to.Phase != Requesting || to.Attempts != 1 {
		t.Errorf("a need a day after an attempt: %+v", to)
	}
}

// A bootstrap that the device or a server decides on waits for the Client Hold Off Time, one that
// the application requests does not.
func TestHoldOff(t *testing.T) {
	f := Facts{Account: true, HoldOff: time.Minute, SinceLast: Rest}
	for _, c := range []struct {
		e      Event
		needed bool
		want   Phase
	}{
		{Event{Kind: FactsChanged}, true, Waiting},
		{Event{Kind: RequestedByServer}, false, Waiting},
		{Event{Kind: RequestedByApplication}, false, Requesting},
	} {
		f.Needed = c.needed
		s, actions := Next(State{}, c.e, f)
		if s.Phase != c.want || c.want == Waiting && (s.Timer != HoldOff || actions[0].After != time.Minute) {
			t.Errorf("%+v: %+v, %+v", c.e, s, actions)
		}
	}
}
