package account

import "time"

// learn takes over what an event says. It begins nothing: that is left to decide.
func (t *transition) learn(e Event) {
	switch e.Kind {
	case AccountChanged: // nothing that is known about the old server counts
		t.disconnect(CloseConnection)
		t.State = State{Started: t.Started}
	case VersionsChanged:
		t.VersionStep = 0
	case RegisterRequested:
		t.registerRequested()
	case UpdateRequested:
		t.UpdateDue = true
	case WakeRequested:
		t.UpdateDue = t.UpdateDue || t.Connection == Asleep
	case BootstrapEnded:
		if t.Effort == GivenUp {
			t.restart()
		}
	case DialSucceeded:
		t.Connection = Connected
		if !e.Survives {
			t.Registration, t.Timer = Unknown, NoTimer
		}
		t.UpdateDue = t.Registration != Unknown
	case DialFailed:
		t.Connection = Disconnected
		t.fail(0)
	case DialImpossible:
		t.Connection, t.Effort, t.Outcome = Disconnected, Invalid, Failed
	case ConnectionLost:
		t.connectionLost(e.Short)
	case ResponseReceived:
		t.response(e)
	case NoResponse:
		t.noResponse()
	case NetworkRefused:
		t.networkRefused()
	case TimerFired:
		t.timerFired()
	}
}

// registerRequested discards the planned attempts. Where registering is not the goal now, it
// follows when it is: an offline device registers when it is online again.
func (t *transition) registerRequested() {
	t.restart()
	t.Started = true
	if t.Request == Update && t.facts.Goal() == GoalRegistered {
		t.cancel()
	}
	if t.Registration != Unknown && t.Request == NoRequest {
		t.Registration = Outdated
	}
}

// restart begins the sequences of attempts from the first one.
func (t *transition) restart() {
	t.Effort, t.Outcome, t.Retry, t.Timer = Trying, Undecided, Retry{}, NoTimer
}

func (t *transition) response(e Event) {
	request := t.Request
	t.Request = NoRequest
	switch request {
	case Register:
		t.registerResponse(e)
	case Update:
		t.updateResponse(e)
	case Deregister: // the device leaves whatever the server says
		t.Registration = Unknown
	}
}

func (t *transition) registerResponse(e Event) {
	switch {
	case e.Code == Created && e.Location:
		t.registered()
	case e.Code == PreconditionFailed && t.VersionStep+1 < t.facts.Versions:
		t.VersionStep++ // the next lower version, at once
	case e.Code == BadRequest && !t.NoFormats:
		t.NoFormats = true // some servers do not accept the list; without it, at once
	default:
		if e.Code == PreconditionFailed || e.Code == BadRequest {
			t.VersionStep, t.NoFormats = 0, false // the next attempt offers everything again
		}
		t.fail(e.MaxAge)
	}
}

func (t *transition) updateResponse(e Event) {
	switch {
	case e.Code == Changed:
		t.registered()
	case e.Code.temporary():
		t.retryUpdate(e.MaxAge)
	default: // a Register says everything
		t.Registration = Unknown
	}
}

// retryUpdate repeats an Update that was refused although the registration stands, atLeast from
// now. After as many refusals as a sequence has attempts a Register replaces it.
func (t *transition) retryUpdate(atLeast time.Duration) {
	pause := time.Duration(0)
	policy := &t.facts.RegistrationRetry
	t.UpdateDue = true
	if t.Retry.Attempts++; t.Retry.Attempts < policy.Attempts {
		pause = backoff(policy.FirstPause, t.Retry.Attempts-1)
	} else {
		t.Retry, t.Registration = Retry{}, Outdated
	}
	if pause = min(max(pause, atLeast), MaxPause); pause > 0 {
		t.startTimer(UpdateRetry, pause)
	}
}

func (t *transition) registered() {
	t.Registration, t.Outcome = Known, Succeeded
	t.Effort, t.Retry, t.Timer = Trying, Retry{}, NoTimer
}

// noResponse handles a request that has timed out: the connection itself is in doubt.
func (t *transition) noResponse() {
	switch t.Request {
	case Register:
		t.disconnect(CloseConnection)
		t.fail(0)
	case Update: // a Register over a new connection, at once
		t.disconnect(CloseConnection)
		t.Registration = Unknown
	case Deregister:
		t.abandonRequest()
	}
}

func (t *transition) connectionLost(short bool) {
	request := t.Request
	t.abandonRequest()
	t.Connection = Disconnected
	switch {
	case request == Deregister, t.facts.Goal() != GoalRegistered, t.Timer == NextAttempt, t.Effort != Trying:
		// Nothing needs a connection now.
	case short && !t.QuickUsed: // the server may just have restarted
		t.QuickUsed = true
		t.startTimer(NextAttempt, QuickPause)
		t.spread = QuickPause
	case short, request == Register:
		t.fail(0)
	default: // the connection worked and got old: reconnect at once
		t.QuickUsed = false
		if t.Timer != UpdateRetry {
			t.Timer = NoTimer
		}
	}
}

// networkRefused ends the attempt when it is refused for the second time: the first refusal may
// come from a server that is just restarting.
func (t *transition) networkRefused() {
	switch {
	case !t.Refused:
		t.Refused = true
	case t.Request == Deregister:
		t.cancel()
	case t.Request != NoRequest:
		t.noResponse()
	default:
		t.disconnect(CloseConnection)
		t.fail(0)
	}
}

func (t *transition) timerFired() {
	timer := t.Timer
	t.Timer = NoTimer
	switch timer {
	case InitialDelay:
		t.Started = true
	case NextAttempt:
		t.Effort = Trying
	case UpdateRetry, NextUpdate:
		t.UpdateDue = true
	case AwakeWindow:
		if t.facts.QueueMode && t.Connection == Connected && t.Request == NoRequest {
			t.Connection = Asleep
			t.do(Action{Do: ReceiverOff})
		}
	}
}

// fail counts a failed attempt and plans the next one, atLeast from now.
func (t *transition) fail(atLeast time.Duration) {
	if t.facts.Goal() > GoalWait {
		return // registering is not the goal any more
	}
	pause, more := t.Retry.failed(&t.facts.RegistrationRetry)
	pause = min(max(pause, atLeast), MaxPause)
	if more {
		t.startTimer(NextAttempt, pause)
		return
	}
	t.Effort, t.Outcome = GivenUp, Failed
	t.disconnect(CloseConnection)
	switch {
	case t.facts.CanBootstrap:
		t.do(Action{Do: RequestBootstrap})
	case !t.facts.RegistrationRetry.NoneAfter:
		// Without this a device that nobody can bootstrap would be lost for ever.
		t.startTimer(NextAttempt, pause)
	}
}
