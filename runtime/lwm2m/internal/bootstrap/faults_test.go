package bootstrap

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// without drops the actions of one kind.
func without(do Do) decider {
	return func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		return to, slices.DeleteFunc(actions, func(a Action) bool { return a.Do == do })
	}
}

// withFacts decides by facts that are changed first.
func withFacts(change func(*Facts)) decider {
	return func(s State, e Event, f Facts) (State, []Action) {
		change(&f)
		return Next(s, e, f)
	}
}

// withState changes the state that follows.
func withState(change func(from State, e Event, to *State)) decider {
	return func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if s.expects(e.Kind) {
			change(s, e, &to)
		}
		return to, actions
	}
}

// faults are decisions that are wrong in one place each.
var faults = map[string]decider{
	"never dials":                      without(Dial),
	"never sends":                      without(Send),
	"never cancels":                    without(CancelRequest),
	"keeps connections when suspended": without(SuspendConnection),
	"never closes":                     without(CloseConnection),
	"never starts a timer":             without(StartTimer),
	"never stops a timer":              without(StopTimer),
	"never undoes a sequence":          without(AbortSequence),
	"never reports an end":             without(EndAttempt),
	"ignores a shutdown":               withFacts(func(f *Facts) { f.Closing = false }),
	"ignores offline":                  withFacts(func(f *Facts) { f.Offline = false }),
	"needs no account":                 withFacts(func(f *Facts) { f.Account = true }),
	"never bootstraps by itself":       withFacts(func(f *Facts) { f.Needed = false }),
	"lets every server begin":          withFacts(func(f *Facts) { f.Unsolicited = true }),
	"lets a sequence go on for ever":   withFacts(func(f *Facts) { f.Overlong = false }),
	"gives a finished sequence up":     withFacts(func(f *Facts) { f.Finishing = false }),
	"takes every 2.05 for a pack": func(s State, e Event, f Facts) (State, []Action) {
		e.Usable = true
		return Next(s, e, f)
	},
	"asks for pct again and again": withState(func(_ State, _ Event, to *State) { to.NoFormat = false }),
	"forgets the first refusal":    withState(func(_ State, _ Event, to *State) { to.Refused = false }),
	"counts without a bound": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if to.Attempts > s.Attempts || s.Attempts >= maxAttempts {
			to.Attempts = s.Attempts + 1
		}
		return to, actions
	},
	"makes no pause": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if to.Timer == NextAttempt && to.Phase == Waiting {
			to, more := Next(to, Event{Kind: TimerFired}, f)
			return to, append(actions, more...)
		}
		return to, actions
	},
	"waits for ever for Finish": withState(func(_ State, _ Event, to *State) {
		if to.Phase == Serving {
			to.Timer = NoTimer
		}
	}),
	"takes a failure for a success": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		for i := range actions {
			actions[i].Success = actions[i].Do == EndAttempt
		}
		return to, actions
	},
	"sends twice": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		for _, a := range actions {
			if a.Do == Send {
				return to, append(actions, a)
			}
		}
		return to, actions
	},
	"gives up": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if to.Phase == Waiting && to.Attempts == maxAttempts && s.Phase != Waiting {
			to.Phase, to.Timer = Idle, NoTimer
			actions = slices.DeleteFunc(actions, func(a Action) bool { return a.Do == StartTimer })
		}
		return to, actions
	},
	"pauses for a day": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		for i := range actions {
			if actions[i].Do == StartTimer && actions[i].Timer == NextAttempt {
				actions[i].After = 24 * time.Hour
			}
		}
		return to, actions
	},
	"answers to events of the past": func(s State, e Event, f Facts) (State, []Action) {
		t := transition{State: s, facts: &f}
		t.learn(e)
		t.decide()
		t.settleTimer(s.Timer, e.Kind)
		return t.State, t.actions
	},
}

// Every planted fault is found, most of them by the exploration itself, the others by what is
// proven about paths through the states.
func TestPlantedFaults(t *testing.T) {
	for name, faulty := range faults {
		x := explore(faulty)
		fault := x.fault
		if fault == "" {
			_, fault = recovery(faulty, x.states)
		}
		if fault == "" {
			_, fault = storm(faulty, x.states)
		}
		if fault == "" {
			t.Errorf("a decision that %s is not found out", name)
			continue
		}
		fault, _, _ = strings.Cut(fault, "\n")
		t.Logf("%s: %s, after %d transitions", name, fault, x.transitions)
	}
}
