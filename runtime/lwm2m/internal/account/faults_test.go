package account

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

// withEvent decides by an event that is changed first.
func withEvent(change func(*Event)) decider {
	return func(s State, e Event, f Facts) (State, []Action) {
		change(&e)
		return Next(s, e, f)
	}
}

// withState changes the state that follows.
func withState(change func(from State, e Event, to *State)) decider {
	return func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if s.Effort != Removed && s.expects(e.Kind) {
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
	"leaves the receiver off":          without(ReceiverOn),
	"never turns the receiver off":     without(ReceiverOff),
	"never starts the awake window":    without(StartWindow),
	"never stops the awake window":     without(StopWindow),
	"ignores removal":                  withFacts(func(f *Facts) { f.Removed = false }),
	"ignores Disable":                  withFacts(func(f *Facts) { f.Disabled = false }),
	"ignores offline":                  withFacts(func(f *Facts) { f.Offline = false }),
	"ignores the order":                withFacts(func(f *Facts) { f.Turn = true }),
	"ignores a running bootstrap":      withFacts(func(f *Facts) { f.Bootstrapping = false }),
	"ignores a changed offer": func(s State, e Event, f Facts) (State, []Action) {
		f.OfferChanged = false
		return Next(s, e, f)
	},
	"ignores that bootstrap is impossible": withFacts(func(f *Facts) { f.CanBootstrap = true }),
	"offers one version too many":          withFacts(func(f *Facts) { f.Versions++ }),
	"pauses too long":                      withFacts(func(f *Facts) { f.RegistrationRetry.FirstPause = 48 * time.Hour }),
	"takes every connection for surviving": withEvent(func(e *Event) { e.Survives = true }),
	"takes no connection for surviving":    withEvent(func(e *Event) { e.Survives = false }),
	"takes a refusal for a success": withEvent(func(e *Event) {
		if e.Code >= 0x80 {
			e.Code, e.Location = Created, true
		}
	}),
	"needs no location": withEvent(func(e *Event) { e.Location = true }),
	"takes silence for an Update that arrived": withState(func(from State, e Event, to *State) {
		if e.Kind == NoResponse && from.Request == Update {
			to.Registration = Known
		}
	}),
	"takes a lost Update for one that arrived": withState(func(from State, e Event, to *State) {
		if e.Kind == ConnectionLost && from.Request == Update && to.Registration == Unsure {
			to.Registration = Known
		}
	}),
	"takes a failed Update for one without effect": withState(func(from State, e Event, to *State) {
		if e.Kind == ResponseReceived && from.Request == Update && to.Registration == Unsure {
			to.Registration = Known
		}
	}),
	"keeps a registration after 4.04": withState(func(from State, e Event, to *State) {
		if e.Kind == ResponseReceived && from.Request == Update && e.Code == 0x84 {
			to.Registration = Known
		}
	}),
	"leaves the list of formats out again and again": withState(func(_ State, e Event, to *State) {
		if e.Code == BadRequest {
			to.NoFormats = false
		}
	}),
	"retries quickly again and again":          withState(func(_ State, _ Event, to *State) { to.QuickUsed = false }),
	"says that a server was told that was not": withState(func(_ State, _ Event, to *State) { to.ServerUnaware = false }),
	"forgets the first refusal":                withState(func(_ State, _ Event, to *State) { to.Refused = false }),
	"forgets to count attempts":                withState(func(from State, _ Event, to *State) { to.Retry = from.Retry }),
	"counts without a bound": withState(func(from State, _ Event, to *State) {
		if to.Effort != Removed {
			to.Retry.Sequences = from.Retry.Sequences + 1
		}
	}),
	"leaves something behind": withState(func(_ State, _ Event, to *State) {
		if to.Effort == Removed {
			to.Registration = Known
		}
	}),
	"stays awake during a pause": func(s State, e Event, f Facts) (State, []Action) {
		f.QueueMode = f.QueueMode && s.Timer != UpdateRetry && s.Timer != NextAttempt
		return Next(s, e, f)
	},
	"ignores a wake during a pause": func(s State, e Event, f Facts) (State, []Action) {
		if e.Kind == WakeRequested && s.Timer == UpdateRetry {
			return s, nil
		}
		return Next(s, e, f)
	},
	"gives up for good": withState(func(_ State, _ Event, to *State) {
		if to.Effort == GivenUp {
			to.Timer = NoTimer
		}
	}),
	"sends twice": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		for _, a := range actions {
			if a.Do == Send {
				return to, append(actions, a)
			}
		}
		return to, actions
	},
	"answers to events of the past": func(s State, e Event, f Facts) (State, []Action) {
		t := transition{State: s, facts: &f}
		t.learn(e)
		t.decide()
		t.settleTimer(s.Timer, e.Kind)
		t.settleWindow(s.Window, e.Kind)
		return t.State, t.actions
	},
	"does not de-register": func(s State, e Event, f Facts) (State, []Action) {
		if f.Goal() >= GoalDeregistered && s.Request != Register {
			s.Registration = Unknown
		}
		return Next(s, e, f)
	},
	"asks for a bootstrap while suspended": func(s State, e Event, f Facts) (State, []Action) {
		to, actions := Next(s, e, f)
		if f.Goal() == GoalSuspended && e.Kind == FactsChanged {
			actions = append(actions, Action{Do: RequestBootstrap})
		}
		return to, actions
	},
}

// needsQueueMode names the faults that -short does not find, because it has no queue mode.
var needsQueueMode = map[string]bool{
	"leaves the receiver off": true, "never turns the receiver off": true, "never starts the awake window": true,
	"never stops the awake window": true, "stays awake during a pause": true, "ignores a wake during a pause": true,
}

// Every planted fault is found, most of them by the exploration itself, the others by what is
// proven about paths through the states.
func TestPlantedFaults(t *testing.T) {
	onPaths := map[string]bool{}
	for name, faulty := range faults {
		if testing.Short() && needsQueueMode[name] {
			continue // there is no queue mode then
		}
		x := explore(faulty)
		fault := x.fault
		if fault == "" {
			fault = pathFault(faulty, x.states)
			onPaths[name] = true
		}
		if fault == "" {
			t.Errorf("a decision that %s is not found out", name)
			continue
		}
		fault, _, _ = strings.Cut(fault, "\n")
		t.Logf("%s: %s, after %d transitions", name, fault, x.transitions)
	}
	t.Logf("%d planted faults, %d of them found on paths", len(faults), len(onPaths))
}
