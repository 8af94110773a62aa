package account

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

// full explores with three versions and two sequences of attempts instead of two and one, and with
// an initial delay that comes and goes.
var full = flag.Bool("full", false, "explore with every setting of the facts")

// decider is Next, or Next with a planted fault.
type decider func(State, Event, Facts) (State, []Action)

// events are all events with every argument that Next distinguishes.
var events = []struct {
	name string
	e    Event
}{
	{"facts changed", Event{Kind: FactsChanged}},
	{"account changed", Event{Kind: AccountChanged}},
	{"versions changed", Event{Kind: VersionsChanged}},
	{"Register requested", Event{Kind: RegisterRequested}},
	{"Update requested", Event{Kind: UpdateRequested}},
	{"Reconnect requested", Event{Kind: ReconnectRequested}},
	{"wake requested", Event{Kind: WakeRequested}},
	{"bootstrap ended", Event{Kind: BootstrapEnded}},
	{"connected, session survives", Event{Kind: DialSucceeded, Survives: true}},
	{"connected, new session", Event{Kind: DialSucceeded}},
	{"connecting failed", Event{Kind: DialFailed}},
	{"account unusable", Event{Kind: DialImpossible}},
	{"connection lost within 10 s", Event{Kind: ConnectionLost, Short: true}},
	{"connection lost", Event{Kind: ConnectionLost}},
	{"2.01", Event{Kind: ResponseReceived, Code: Created, Location: true}},
	{"2.01 without location", Event{Kind: ResponseReceived, Code: Created}},
	{"2.02", Event{Kind: ResponseReceived, Code: Deleted}},
	{"2.04", Event{Kind: ResponseReceived, Code: Changed}},
	{"4.00", Event{Kind: ResponseReceived, Code: BadRequest, Formats: true}},
	{"4.03", Event{Kind: ResponseReceived, Code: 0x83}},
	{"4.04", Event{Kind: ResponseReceived, Code: 0x84}},
	{"4.12", Event{Kind: ResponseReceived, Code: PreconditionFailed}},
	{"5.03 with Max-Age 1 h", Event{Kind: ResponseReceived, Code: 0xa3, MaxAge: time.Hour}},
	{"no response", Event{Kind: NoResponse}},
	{"refused by the network", Event{Kind: NetworkRefused}},
	{"timer", Event{Kind: TimerFired}},
	{"awake window ended", Event{Kind: WindowEnded}},
	{"message", Event{Kind: MessagePassed}},
}

const settings = 12

// setting returns facts for a number of settings bits. With -short there is one version and no
// queue mode.
func setting(bits int) Facts {
	b := func(i int) bool { return bits>>i&1 != 0 }
	f := Facts{
		Removed: b(0), Disabled: b(1), Offline: b(2), Turn: !b(3), Bootstrapping: b(4),
		CanBootstrap: b(5), OfferChanged: b(6), Expired: b(7), Endless: b(8), QueueMode: b(9),
		Versions: 3, UntilUpdate: time.Hour, UntilExpiry: 2 * time.Hour, TimerLeft: 30 * time.Minute,
		RegistrationRetry: Policy{Attempts: 2, Sequences: 2, FirstPause: time.Minute, SequencePause: 24 * time.Hour, RestartPause: time.Hour, NoneAfter: b(10)},
	}
	if b(11) {
		f.UntilStart = time.Minute
	}
	if !*full {
		f.Versions, f.UntilStart, f.RegistrationRetry.Sequences = 2, time.Minute, 1
	}
	if testing.Short() {
		f.Versions, f.QueueMode = 1, false
	}
	return f
}

// combinations returns all combinations of the facts that Next distinguishes. Of the first five
// facts Next reads the goal and Offline only; GoalWait has two reasons. Of the other facts it reads
// hardly any unless the goal is a registration: -full checks that, because it has all combinations.
func combinations() []Facts {
	type key struct {
		goal    Goal
		offline bool
		boot    bool
		rest    int
	}
	var list []Facts
	seen := map[key]bool{}
	n := settings
	if !*full {
		n--
	}
	for bits := range 1 << n {
		f := setting(bits)
		k := key{f.Goal(), f.Offline && f.Goal() > GoalSuspended, f.Turn && f.Goal() == GoalWait, bits >> 5}
		const queueMode = 1 << (9 - 5)
		if k.goal > GoalWait && !*full {
			k.rest &= queueMode // the only one of the others that is read on the way out
		}
		if testing.Short() {
			k.rest &^= queueMode
		}
		if !seen[k] {
			seen[k] = true
			list = append(list, f)
		}
	}
	return list
}

// world is the connection, request, timer and awake window that result from the actions.
type world struct {
	connection Connection
	request    Request
	timer      Timer
	window     bool
}

// happen applies the effect of an event.
func (w *world) happen(k Kind) {
	switch k {
	case DialSucceeded:
		w.connection = Connected
	case DialFailed, DialImpossible, ConnectionLost:
		w.connection, w.request = Disconnected, NoRequest
	case ResponseReceived, NoResponse:
		w.request = NoRequest
	case TimerFired:
		w.timer = NoTimer
	case WindowEnded:
		w.window = false
	}
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
		bad, w.timer = a.After <= 0 || a.After > 24*time.Hour || a.Timer == NoTimer, a.Timer
	case StopTimer:
		bad, w.timer = w.timer == NoTimer, NoTimer
	case StartWindow:
		bad, w.window = w.window, true
	case StopWindow:
		bad, w.window = !w.window, false
	case ReceiverOff:
		bad, w.connection = w.connection != Connected || w.request != NoRequest, Asleep
	case ReceiverOn:
		bad, w.connection = w.connection != Asleep, Connected
	case Remove:
		bad = w.connection != Disconnected || w.request != NoRequest
	}
	if bad {
		return fmt.Sprintf("%+v is impossible", a)
	}
	return ""
}

// checkTransition checks what must be true of every transition. It returns the fault, or "".
func checkTransition(s State, e Event, f Facts, to State, actions []Action) string {
	w := world{s.Connection, s.Request, s.Timer, s.Window}
	w.happen(e.Kind)
	sent, timers := 0, 0
	for _, a := range actions {
		switch a.Do {
		case Send:
			sent++
			if f.Goal() == GoalSuspended || f.Offline || f.Goal() == GoalWait || a.Request != Deregister && f.Goal() != GoalRegistered {
				return fmt.Sprintf("%v is sent against the goal", a.Request)
			}
		case Dial:
			if f.Goal() != GoalRegistered {
				return "a connection is made against the goal"
			}
		case RequestBootstrap:
			if f.Goal() > GoalWait || !f.CanBootstrap {
				return "a bootstrap is requested that cannot be or is not needed"
			}
		case StartTimer, StopTimer:
			if timers++; a.After == QuickPause && (s.QuickUsed || !to.QuickUsed || a.Spread <= 0) {
				return "a second quick retry, or one without a random part"
			}
		}
		if fault := w.execute(a); fault != "" {
			return fault
		}
	}
	switch {
	case w != world{to.Connection, to.Request, to.Timer, to.Window}:
		return fmt.Sprintf("the state says %v, the world is %v", world{to.Connection, to.Request, to.Timer, to.Window}, w)
	case sent > 1 || timers > 1:
		return "something is done twice"
	}
	return checkState(s, e, f, to)
}

// checkState is the part of checkTransition that looks at the states alone.
func checkState(s State, e Event, f Facts, to State) string {
	goal := f.Goal()
	switch {
	case to.Effort == Removed && to != State{Effort: Removed, VersionStep: to.VersionStep, NoFormats: to.NoFormats, Started: to.Started, ServerUnaware: to.ServerUnaware}:
		return "something is left of a removed account"
	case to.VersionStep >= f.Versions:
		return "a version is offered that does not exist"
	case to.Awaits(f) == "":
		return "a dead end"
	case to.View(f) == ViewRegistered && (to.Connection != Connected || to.Registration == Unknown):
		return "the view is registered, and the account is not"
	case goal == GoalRegistered && to.Effort == Trying && to.Timer == NoTimer && to.Request == NoRequest && to.Connection != Connecting &&
		(!f.Endless || to.Connection == Disconnected || to.Registration == Unknown || f.OfferChanged || f.Expired):
		return "a registration is wanted and nothing is under way" // judged without Awaits
	case e.Kind == FactsChanged && goal >= GoalDeregistered && !f.Offline && (s.Connection == Connected || s.Connection == Asleep) &&
		(s.Registration != Unknown || s.Request == Register) && to.Request != Register && to.Request != Deregister:
		return "the server could be told that the device leaves, and is not"
	case e.Kind == DialSucceeded && !e.Survives && to.Registration != Unknown:
		return "the server does not know the device over this connection"
	case e.Kind == DialSucceeded && e.Survives && s.Registration == Known && !f.Expired && goal == GoalRegistered && s.Effort == Trying &&
		to.Request != Update && to.Timer != UpdateRetry:
		return "the server is not told over which connection the device can be reached"
	case goal == GoalSuspended && (to.Connection != Disconnected || to.Timer != NoTimer), goal >= GoalDeregistered && to.Timer != NoTimer:
		return "something continues that has to end"
	case to.Window != (f.QueueMode && to.Connection == Connected && to.Request == NoRequest):
		return "the receiver stays on in queue mode, or an awake window runs for nothing"
	case to.Connection == Asleep && (!f.QueueMode || to.Request != NoRequest):
		return "the receiver is off without queue mode, or during a request"
	case e.Kind == WindowEnded && f.QueueMode && goal <= GoalWait && to.Connection != Asleep && to.Request == NoRequest:
		return "the receiver stays on after the awake window"
	case e.Kind == WakeRequested && s.Connection == Asleep && goal == GoalRegistered && s.Effort == Trying && s.Timer != NextAttempt && to.Connection == Asleep:
		return "nothing can be sent although it is due"
	case goal == GoalRemoved && f.Offline && to.Effort != Removed:
		return "an account that is removed while offline stays"
	}
	return checkOutcome(s, e, f, to)
}

// checkOutcome checks what the state says about the registration after a response or without one.
func checkOutcome(s State, e Event, f Facts, to State) string {
	left := f.Goal() >= GoalDeregistered && to.Request == NoRequest && to.Connection == Disconnected
	untold := e.Kind == FactsChanged || e.Kind == ConnectionLost || e.Kind == NoResponse && s.Request == Deregister
	abandoned := s.Request == Update && e.Kind != ResponseReceived && e.Kind != NoResponse && e.Kind != NetworkRefused && to.Request != Update
	accepted := e.Code == Created && e.Location && s.Request == Register || e.Code == Changed && s.Request == Update
	switch {
	case e.Kind == ResponseReceived && accepted && f.Goal() <= GoalWait && (to.Outcome != Succeeded || to.Retry != Retry{}):
		return "a success is not noted"
	case e.Kind == ResponseReceived && !accepted && s.Request == Update && to.Registration != Unknown && !e.Code.isTemporary():
		return "a registration that the server denies is kept"
	case e.Kind == ResponseReceived && !accepted && s.Request == Update && to.Registration == Unknown && e.Code.isTemporary() && f.Goal() == GoalRegistered && to.Request != Register:
		return "a temporary refusal ends a registration"
	case e.Kind == ResponseReceived && !accepted && s.Request == Update && e.Code.isTemporary() && !e.Code.isUnprocessed() && to.Registration == Known:
		return "an Update that the server may have applied is taken for one without effect"
	case e.Kind == ResponseReceived && !accepted && s.Request != NoRequest && s.Request != Update && to.Registration == Known:
		return "a refusal is taken for a registration"
	case left && untold && s.Registration != Unknown && !to.ServerUnaware,
		to.ServerUnaware && to.Registration != Unknown:
		return "the view says that the server was told that the device leaves"
	case abandoned && to.Registration == Known:
		return "an Update without an outcome is taken for one that arrived"
	case e.Kind == NoResponse && to.Registration == Known:
		return "a request without response is taken for a registration"
	case e.Kind == NetworkRefused && !s.Refused && (to.Connection != s.Connection || to.Request != s.Request) && f.Goal() == GoalRegistered:
		return "an attempt ends with the first refusal"
	case e.Kind == NetworkRefused && s.Refused && to == s && f.Goal() == GoalRegistered:
		return "an attempt goes on after the second refusal"
	case e.Kind == ReconnectRequested && f.Goal() <= GoalWait && (to.Retry != s.Retry || to.Effort != s.Effort || s.Request == Deregister && to.Request != Deregister):
		return "a new connection that the application wants is taken for a failure"
	case e.Kind == NoResponse && s.Request != Deregister && to.Connection == Connected:
		return "a connection in doubt is used again"
	case e.Kind == ResponseReceived && !accepted && s.Request == Register && to.VersionStep == s.VersionStep && to.NoFormats == s.NoFormats && f.Goal() <= GoalWait &&
		to.Retry == s.Retry && to.Effort == s.Effort:
		return "a failed attempt is not counted"
	}
	return ""
}

// exploration is the result of visiting every state that can be reached.
type exploration struct {
	states      []State
	transitions int
	fault       string // the first one; empty if there is none
}

// explore visits every state that next can reach, with every event and every combination of facts,
// until a fault is found.
func explore(next decider) (x exploration) {
	all := combinations()
	seen := map[State]bool{{}: true}
	x.states = []State{{}}
	for i := 0; i < len(x.states); i++ {
		s := x.states[i]
		for _, ev := range events {
			last := s
			expected := s.expects(ev.e.Kind) && s.Effort != Removed
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
					x.fault = fmt.Sprintf("%s\nfrom    %+v\nevent   %s\nfacts   %+v (goal %d)\nto      %+v\nactions %+v",
						fault, s, ev.name, all[j], all[j].Goal(), to, actions)
					return x
				}
				if to == last {
					continue
				}
				last = to
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

// maxStates is far above the number of states of a sound decision.
const maxStates = 50_000

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

// The states with which a device begins after a restart are among those of a device that was
// offline.
func TestResumedIsExplored(t *testing.T) {
	all := reachable(t)
	for _, s := range []State{Resumed(0, false, false), Resumed(0, true, true)} {
		if !slices.Contains(all, s) {
			t.Errorf("%+v is not explored", s)
		}
	}
}
