package account

import "time"

// learn updates the state with an event. It starts nothing: decide does that.
func (t *transition) learn(e Event) {
	switch e.Kind {
	case AccountChanged: // what is known about the old server no longer applies
		t.disconnect(CloseConnection)
		t.State = State{Started: t.Started}
	case VersionsChanged:
		t.VersionStep = 0
	case RegisterRequested:
		t.onRegisterRequested()
	case UpdateRequested:
		t.UpdateDue = true
	case ReconnectRequested:
		t.onReconnectRequested()
	case WakeRequested:
		t.onWakeRequested()
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
		t.Connection, t.Effort, t.Outcome, t.Timer = Disconnected, Invalid, Failed, NoTimer
	case ConnectionLost:
		t.onConnectionLost(e.Short)
	case ResponseReceived:
		t.onResponse(e)
	case NoResponse:
		t.onNoResponse()
	case NetworkRefused:
		t.onNetworkRefused()
	case TimerFired:
		t.onTimer()
	case WindowEnded:
		if t.facts.QueueMode {
			t.Connection = Asleep
			t.do(Action{Do: ReceiverOff})
		}
	case MessagePassed: // the device is reachable again, for an awake window
		t.wake()
	}
}

// onWakeRequested wakes the device with an Update (Transport 1.2.1 §6.5). During a pause that the
// server has asked for it wakes without one: the registration is valid, so notifications can go.
func (t *transition) onWakeRequested() {
	switch {
	case t.Connection != Asleep:
	case t.Timer == UpdateRetry:
		t.wake()
	default:
		t.UpdateDue = true
	}
}

// onRegisterRequested replaces the planned attempts by one at once. If registering is not the goal
// now, the attempt follows when it is: an offline device registers when it is online again.
func (t *transition) onRegisterRequested() {
	t.restart()
	t.Started = true
	if t.Request == Update && t.facts.Goal() == GoalRegistered {
		t.cancel()
	}
	if t.Registration != Unknown && t.Request == NoRequest {
		t.Registration = Outdated
	}
}

// onReconnectRequested ends the connection, which does not count as a failed attempt: the request
// in flight follows over the next connection. A device that de-registers keeps the connection,
// because the server can be told only there.
func (t *transition) onReconnectRequested() {
	if (t.Connection == Connected || t.Connection == Asleep) && t.facts.Goal() <= GoalWait && t.Request != Deregister {
		t.disconnect(SuspendConnection)
	}
}

// restart restarts the sequences of attempts.
func (t *transition) restart() {
	t.Effort, t.Outcome, t.Retry, t.Timer = Trying, Undecided, Retry{}, NoTimer
}

func (t *transition) onResponse(e Event) {
	request := t.Request
	t.Request = NoRequest
	switch request {
	case Register:
		t.onRegisterResponse(e)
	case Update:
		t.onUpdateResponse(e)
	case Deregister: // the response is ignored
		t.Registration = Unknown
	}
}

func (t *transition) onRegisterResponse(e Event) {
	switch {
	case e.Code == Created && e.Location:
		t.succeed()
	case e.Code == PreconditionFailed && t.VersionStep+1 < t.facts.Versions:
		t.VersionStep++ // the next lower version, at once
	case e.Code == BadRequest && !t.NoFormats && e.Formats:
		t.NoFormats = true // some servers refuse the list: again without it, at once
	default:
		if e.Code == PreconditionFailed || e.Code == BadRequest {
			t.VersionStep, t.NoFormats = 0, false // the next attempt offers everything again
		}
		t.fail(e.MaxAge)
	}
}

func (t *transition) onUpdateResponse(e Event) {
	switch {
	case e.Code == Changed:
		t.succeed()
	case e.Code.isTemporary():
		if !e.Code.isUnprocessed() {
			t.Registration = Unsure
		}
		t.retryUpdate(e.MaxAge)
	default: // a Register follows
		t.Registration = Unknown
	}
}

// retryUpdate plans to repeat a refused Update after a pause of at least atLeast: the registration
// is still valid. After as many refusals as a sequence has attempts, a Register replaces the
// Update.
func (t *transition) retryUpdate(atLeast time.Duration) {
	pause := time.Duration(0)
	policy := &t.facts.RegistrationRetry
	t.UpdateDue = true
	if t.Retry.Attempts++; t.Retry.Attempts < policy.Attempts {
		pause = backoff(policy.FirstPause, t.Retry.Attempts-1)
	} else {
		t.Retry, t.Registration = Retry{}, Outdated
	}
	pause = min(max(pause, atLeast), MaxPause)
	if !t.facts.Endless { // beyond its lifetime there is no registration to update
		pause = min(pause, t.facts.UntilExpiry)
	}
	if pause > 0 {
		t.startTimer(UpdateRetry, pause)
	}
}

// succeed records that the server has confirmed a Register or an Update.
func (t *transition) succeed() {
	t.Registration, t.Outcome = Known, Succeeded
	t.Effort, t.Retry, t.Timer = Trying, Retry{}, NoTimer
}

// onNoResponse handles a request that has timed out: the connection itself is in doubt.
func (t *transition) onNoResponse() {
	switch t.Request {
	case Register:
		t.disconnect(CloseConnection)
		t.fail(0)
	case Update: // at once a Register over a new connection
		t.disconnect(CloseConnection)
		t.Registration = Unknown
	case Deregister:
		t.abandonRequest()
	}
}

func (t *transition) onConnectionLost(short bool) {
	request := t.Request
	t.abandonRequest()
	t.Connection = Disconnected
	switch {
	case request == Deregister, t.facts.Goal() != GoalRegistered, t.Timer == NextAttempt, t.Effort != Trying:
		// Nothing needs a connection now.
	case short && t.Timer == UpdateRetry: // the pause that the server asked for goes on
		t.startTimer(NextAttempt, max(QuickPause, t.facts.TimerLeft))
	case short && !t.QuickUsed: // the server may just have restarted
		t.QuickUsed = true
		t.startTimer(NextAttempt, QuickPause)
		t.spread = QuickPause
	case short, request == Register:
		t.fail(0)
	default: // the connection has worked for some time: reconnect at once
		t.QuickUsed = false
		if t.Timer != UpdateRetry {
			t.Timer = NoTimer
		}
	}
}

// onNetworkRefused ends the attempt at the second refusal. The first one may come from a server
// that is restarting.
func (t *transition) onNetworkRefused() {
	switch {
	case !t.Refused:
		t.Refused = true
	case t.Request == Deregister:
		t.cancel()
	case t.Request != NoRequest:
		t.onNoResponse()
	default:
		t.disconnect(CloseConnection)
		t.fail(0)
	}
}

func (t *transition) onTimer() {
	timer := t.Timer
	t.Timer = NoTimer
	switch timer {
	case InitialDelay:
		t.Started = true
	case NextAttempt:
		t.Effort = Trying
	case UpdateRetry, NextUpdate:
		t.UpdateDue = true
	}
}

// fail counts a failed attempt and plans the next one, after a pause of at least atLeast.
func (t *transition) fail(atLeast time.Duration) {
	if t.facts.Goal() > GoalWait {
		return // registering is no longer the goal
	}
	pause, more := t.Retry.countFailure(&t.facts.RegistrationRetry)
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
		// Otherwise a device without a bootstrap server would never register again.
		t.startTimer(NextAttempt, pause)
	}
}
