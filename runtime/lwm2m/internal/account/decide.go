package account

import "time"

// Next returns the state after an event, and the actions to execute, in order.
func Next(s State, e Event, f Facts) (State, []Action) {
	if s.Effort == Removed || !s.expects(e.Kind) {
		return s, nil
	}
	t := transition{State: s, facts: &f}
	t.learn(e)
	t.decide()
	t.settleTimer(s.Timer, e.Kind)
	t.settleWindow(s.Window, e.Kind)
	return t.State, t.actions
}

// transition is one call of [Next].
type transition struct {
	State
	facts   *Facts
	actions []Action
	delay   time.Duration // of Timer, if this transition has started it
	spread  time.Duration
}

// decide takes one step towards the goal.
func (t *transition) decide() {
	switch t.facts.Goal() {
	case GoalRegistered:
		t.advance()
	case GoalWait:
		// A request or an attempt that is under way continues; no new one begins.
	case GoalSuspended:
		t.Timer, t.Effort = NoTimer, Trying
		t.disconnect(SuspendConnection)
	case GoalDeregistered, GoalRemoved:
		t.deregister()
	}
}

// advance takes the next step to become registered or to stay registered. The first case that
// applies decides.
func (t *transition) advance() {
	switch {
	case t.Connection == Connecting, t.Request != NoRequest, t.Effort == Invalid, t.Timer == NextAttempt:
		// Wait for the connection, the response, a change of the account or the timer.
	case t.Effort == GivenUp:
		if !t.facts.CanBootstrap && !t.facts.RegistrationRetry.NoneAfter {
			t.startTimer(NextAttempt, t.facts.RegistrationRetry.RestartPause)
		}
	case !t.Started && t.facts.UntilStart > 0:
		if t.Timer != InitialDelay {
			t.startTimer(InitialDelay, t.facts.UntilStart)
		}
	case t.Connection == Disconnected:
		t.Connection, t.Started, t.Refused = Connecting, true, false
		if t.Timer != UpdateRetry {
			t.Timer = NoTimer
		}
		t.do(Action{Do: Dial})
	case t.Timer == UpdateRetry:
		// Wait: the server has refused the Update for the moment.
	case t.Registration == Unknown, t.Registration == Outdated, t.facts.Expired:
		t.send(Register)
	case t.UpdateDue, t.facts.OfferChanged:
		t.send(Update)
	default:
		t.rest()
	}
}

// rest starts the timer of a registration that needs no request now.
func (t *transition) rest() {
	if t.Timer == NoTimer && !t.facts.Endless {
		t.startTimer(NextUpdate, t.facts.UntilUpdate)
	}
}

// deregister de-registers if there is a connection, then ends the connection. It first waits for
// the response to a Register in flight, which contains the location to de-register.
func (t *transition) deregister() {
	t.Timer = NoTimer
	if (t.Connection == Connected || t.Connection == Asleep) && !t.facts.Offline {
		switch {
		case t.Request == Register, t.Request == Deregister:
			return
		case t.Registration != Unknown:
			t.cancel()
			t.send(Deregister)
			return
		}
	}
	t.ServerUnaware = t.ServerUnaware || t.Registration != Unknown
	t.disconnect(CloseConnection)
	t.State = State{VersionStep: t.VersionStep, NoFormats: t.NoFormats, Started: t.Started, ServerUnaware: t.ServerUnaware}
	if t.facts.Removed {
		t.Effort = Removed
		t.do(Action{Do: Remove})
	}
}

// send sends a request.
func (t *transition) send(r Request) {
	t.wake()
	full := r == Update && t.Registration == Unsure
	if r == Register {
		t.Registration = Unknown
	}
	t.Request, t.Timer, t.UpdateDue, t.ServerUnaware, t.Refused = r, NoTimer, false, false, false
	t.do(Action{Do: Send, Request: r, VersionStep: t.VersionStep, NoFormats: t.NoFormats, Full: full})
}

// wake turns the receiver on.
func (t *transition) wake() {
	if t.Connection == Asleep {
		t.Connection = Connected
		t.do(Action{Do: ReceiverOn})
	}
}

// disconnect ends the connection, or the attempt to make one.
func (t *transition) disconnect(how Do) {
	t.abandonRequest()
	if t.Connection != Disconnected {
		t.Connection = Disconnected
		t.do(Action{Do: how})
	}
}

// cancel cancels the request in flight.
func (t *transition) cancel() {
	if t.Request != NoRequest {
		t.abandonRequest()
		t.do(Action{Do: CancelRequest})
	}
}

// abandonRequest forgets the request in flight, whose outcome remains unknown.
func (t *transition) abandonRequest() {
	switch t.Request {
	case Register: // the server may have the new registration, or still the one that it replaces
		t.ServerUnaware = true
	case Update:
		t.Registration = Unsure
	case Deregister:
		t.Registration, t.ServerUnaware = Unknown, true
	}
	t.Request = NoRequest
}

func (t *transition) do(a Action) { t.actions = append(t.actions, a) }

// startTimer starts the account's one timer and replaces a pending one.
func (t *transition) startTimer(timer Timer, d time.Duration) {
	t.Timer, t.delay, t.spread = timer, max(d, 1), 0
}

// settleTimer adds the action that makes the caller's timer agree with the state.
func (t *transition) settleTimer(before Timer, k Kind) {
	switch {
	case t.Timer != NoTimer && t.delay > 0:
		t.do(Action{Do: StartTimer, Timer: t.Timer, After: t.delay, Spread: t.spread})
	case t.Timer == NoTimer && before != NoTimer && k != TimerFired:
		t.do(Action{Do: StopTimer})
	}
	if t.Request == NoRequest && t.Connection != Connecting {
		t.Refused = false
	}
}

// settleWindow has the awake window run while the device is in queue mode, connected, and waits for
// no response of its own, whatever timer is pending: a pause that the server or the retry policy
// asks for does not keep the receiver on.
func (t *transition) settleWindow(before bool, k Kind) {
	if !t.facts.QueueMode {
		t.wake()
	}
	t.Window = t.facts.QueueMode && t.Connection == Connected && t.Request == NoRequest
	switch {
	case t.Window && !before:
		t.do(Action{Do: StartWindow})
	case !t.Window && before && k != WindowEnded:
		t.do(Action{Do: StopWindow})
	}
}
