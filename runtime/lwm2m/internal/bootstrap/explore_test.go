package bootstrap

import (
	"fmt"
	"testing"
	"time"
)

// decider is Next, or Next with a planted fault.
type decider func(State, Event, Facts) (State, []Action)

// events are all events with every argument that Next distinguishes.
var events = []struct {
	name string
	e    Event
}{
	{"facts changed", Event{Kind: FactsChanged}},
	{"account changed", Event{Kind: AccountChanged}},
	{"a server asks", Event{Kind: RequestedByServer}},
	{"the application asks", Event{Kind: RequestedByApplication}},
	{"connected", Event{Kind: DialSucceeded}},
	{"connecting failed", Event{Kind: DialFailed}},
	{"account unusable", Event{Kind: DialImpossible}},
	{"connection lost", Event{Kind: ConnectionLost}},
	{"2.04", Event{Kind: ResponseReceived, Code: Changed}},
	{"2.05 with a pack", Event{Kind: ResponseReceived, Code: Content, Usable: true}},
	{"2.05 without a pack", Event{Kind: ResponseReceived, Code: Content}},
	{"4.00", Event{Kind: ResponseReceived, Code: BadRequest}},
	{"4.03", Event{Kind: ResponseReceived, Code: 0x83}},
	{"5.03 with Max-Age 2 h", Event{Kind: ResponseReceived, Code: 0xa3, MaxAge: 2 * time.Hour}},
	{"no response", Event{Kind: NoResponse}},
	{"refused by the network", Event{Kind: NetworkRefused}},
	{"a request of the server", Event{Kind: ServerRequested}},
	{"the sequence is finished", Event{Kind: SequenceFinished}},
	{"the sequence has failed", Event{Kind: SequenceFailed}},
	{"the pack is applied", Event{Kind: PackApplied}},
	{"the pack is refused", Event{Kind: PackFailed}},
	{"timer", Event{Kind: TimerFired}},
}

// combinations returns all combinations of the facts that Next distinguishes.
func combinations() (all []Facts) {
	for bits := range 1 << 9 {
		b := func(i int) bool { return bits>>i&1 != 0 }
		f := Facts{
			Closing: b(0), Offline: b(1), Account: !b(2), Needed: b(3), Pack: b(4), Format: b(5), Unsolicited: b(6),
			Procedure: 247 * time.Second, SinceLast: Rest,
		}
		if b(7) { // no decision reads both
			f.HoldOff, f.Linger = 10*time.Second, 45*time.Second
		}
		if b(8) {
			f.SinceLast = 0
		}
		f.Finishing = !f.Pack && f.Format // both values with all others that are read with it
		f.Overlong = f.Pack && f.Format
		if f.blocked() && (b(4) || b(5) || b(7) || b(8)) {
			continue // none of these is read then
		}
		all = append(all, f)
	}
	return all
}

// world is the connection, request, timer and transaction that result from the actions.
type world struct {
	connection Connection
	request    Request
	timer      Timer
	open       bool // writes of a sequence or a pack may be pending
}

func worldOf(s State) world {
	return world{s.Connection, s.Request, s.Timer, s.Phase == Serving || s.Phase == Applying}
}

// happen applies the effect of an event.
func (w *world) happen(k Kind, to State) {
	switch k {
	case DialSucceeded:
		w.connection = Connected
	case DialFailed, DialImpossible, ConnectionLost:
		w.connection, w.request = Disconnected, NoRequest
	case ResponseReceived, NoResponse:
		w.request = NoRequest
	case SequenceFinished, PackApplied, PackFailed, SequenceFailed:
		w.open = false
	case TimerFired:
		w.timer = NoTimer
	}
	w.open = w.open || to.Phase == Serving || to.Phase == Applying
}

// execute executes an action. It returns why the action is impossible, or "".
func (w *world) execute(a Action) string {
	bad := false
	switch a.Do {
	case Dial:
		bad, w.connection = w.connection != Disconnected, Connecting
	case Send:
		bad, w.request = w.connection != Connected || w.request != NoRequest || a.Request == NoRequest, a.Request
	case CancelRequest:
		bad, w.request = w.request == NoRequest, NoRequest
	case SuspendConnection, CloseConnection:
		bad, w.connection, w.request = w.connection == Disconnected, Disconnected, NoRequest
	case StartTimer:
		bad, w.timer = a.After <= 0 || a.After > 2*time.Hour || a.Timer == NoTimer, a.Timer
	case StopTimer:
		bad, w.timer = w.timer == NoTimer, NoTimer
	case AbortSequence:
		w.open = false
	}
	if bad {
		return fmt.Sprintf("%+v is impossible", a)
	}
	return ""
}

// checkTransition checks what must be true of every transition. It returns the fault, or "".
func checkTransition(s State, e Event, f Facts, to State, actions []Action) string {
	w := worldOf(s)
	w.happen(e.Kind, to)
	sent, timers, ends, dials := 0, 0, 0, 0
	for _, a := range actions {
		switch a.Do {
		case Send:
			sent++
		case Dial:
			dials++
		case StartTimer, StopTimer:
			timers++
		case EndAttempt:
			if ends++; a.Success != (e.Kind == SequenceFinished || e.Kind == PackApplied) {
				return "success is confused with failure"
			}
		}
		if (a.Do == Send || a.Do == Dial) && f.blocked() {
			return "something is sent although nothing may be"
		}
		if fault := w.execute(a); fault != "" {
			return fault
		}
	}
	switch {
	case w != worldOf(to):
		return fmt.Sprintf("the state says %v, the world is %v", worldOf(to), w)
	case sent > 1 || timers > 1 || ends > 1 || dials > 1:
		return "something is done twice"
	case s.Phase == Serving && f.Overlong && e.Kind == ServerRequested && !f.blocked() && len(actions) > 0:
		return "a server keeps the device in its sequence for ever"
	case e.Kind == SequenceFinished && ends == 0 || e.Kind == PackApplied && ends == 0:
		return "a bootstrap that has finished is not reported"
	}
	return checkState(s, e, f, to, sent, ends)
}

// checkState is the part of checkTransition that looks at the states.
func checkState(s State, e Event, f Facts, to State, sent, ends int) string {
	switch {
	case to.Awaits(f) == "":
		return "a dead end"
	case f.blocked() && (to.Connection != Disconnected || to.Phase != Idle || to.Timer != NoTimer):
		return "something continues that has to end"
	case !f.blocked() && to.needs(&f) && (to.Phase == Idle || to.Phase == Finished) && ends == 0:
		return "a bootstrap is needed and nothing is under way"
	case !f.Unsolicited && (to.Phase == Idle || to.Phase == Waiting) && to.Connection != Disconnected:
		return "a connection is left over"
	case !f.Unsolicited && !s.Serves(f) && e.Kind == ServerRequested && to.Phase == Serving:
		return "a server bootstraps the device without having been asked"
	case s.Phase == Serving && f.Finishing && !f.blocked() && to.Phase != Serving && (e.Kind == TimerFired || e.Kind == ConnectionLost):
		return "a sequence ends that the server has finished"
	case (to.Phase == Serving || to.Phase == Applying) && to.Timer != Procedure:
		return "a sequence without an end"
	case s.Phase == Waiting && sent > 0 && e.Kind != TimerFired && e.Kind != RequestedByApplication:
		return "an attempt before the end of the pause"
	case s.Attempting() && !to.Attempting() && ends == 0 && !f.blocked() && e.Kind != AccountChanged:
		return "the end of an attempt is not reported"
	case ends == 1 && e.Kind != SequenceFinished && e.Kind != PackApplied && !f.blocked() && to.needs(&f) && to.Timer != NextAttempt:
		return "no attempt follows a failed one"
	case e.Kind == NetworkRefused && !s.Refused && !f.blocked() && to.Phase != s.Phase:
		return "an attempt ends with the first refusal"
	case ends > 0 && to.Attempting():
		return "an attempt follows another one without a pause"
	case e.Kind == NetworkRefused && !s.Refused && !f.blocked() && to == s:
		return "the first refusal is forgotten"
	case e.Kind == NetworkRefused && s.Refused && to.Attempting():
		return "an attempt goes on after the second refusal"
	case s.Request == PackRequest && e.Kind == ResponseReceived && !e.Usable && !f.blocked() && to.Request != BootstrapRequest:
		return "no Bootstrap-Request follows a refused Bootstrap-Pack-Request"
	}
	return ""
}

// exploration is the result of visiting every state that can be reached.
type exploration struct {
	states      []State
	transitions int
	fault       string // the first one; empty if there is none
}

// maxStates is far above the number of states of a sound decision.
const maxStates = 20_000

// explore visits every state that next can reach, with every event and every combination of facts,
// until a fault is found.
func explore(next decider) (x exploration) {
	all := combinations()
	seen := map[State]bool{{}: true}
	x.states = []State{{}}
	for i := 0; i < len(x.states); i++ {
		s := x.states[i]
		for _, ev := range events {
			expected := s.expects(ev.e.Kind)
			for j := range all {
				if !expected && j > 0 {
					break // Next returns before it looks at a fact
				}
				to, actions := next(s, ev.e, all[j])
				x.transitions++
				fault := ""
				if expected {
					fault = checkTransition(s, ev.e, all[j], to, actions)
				} else if to != s || len(actions) > 0 {
					fault = "an event that cannot happen has an effect"
				}
				if fault != "" {
					x.fault = fmt.Sprintf("%s\nfrom    %+v\nevent   %s\nfacts   %+v\nto      %+v\nactions %+v",
						fault, s, ev.name, all[j], to, actions)
					return x
				}
				if !seen[to] {
					seen[to] = true
					x.states = append(x.states, to)
				}
				if len(x.states) > maxStates {
					x.fault = fmt.Sprintf("more than %d states: something counts without a bound", maxStates)
					return x
				}
			}
		}
	}
	return x
}

var explored exploration

// reachable returns the states that explore finds, explored once for all tests.
func reachable(t *testing.T) []State {
	t.Helper()
	if explored.states == nil {
		begin := time.Now()
		explored = explore(Next)
		t.Logf("%d states, %d transitions in %v", len(explored.states), explored.transitions, time.Since(begin).Round(time.Millisecond))
	}
	if explored.fault != "" {
		t.Fatal(explored.fault)
	}
	return explored.states
}

func TestEveryState(t *testing.T) { reachable(t) }
