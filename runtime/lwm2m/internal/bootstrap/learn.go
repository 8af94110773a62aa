package bootstrap

// learn updates the state with an event. It sends nothing: decide does that.
func (t *transition) learn(e Event) {
	switch e.Kind {
	case AccountChanged:
		t.onAccountChanged()
	case RequestedByServer:
		t.Asked = max(t.Asked, ByServer)
	case RequestedByApplication:
		t.Asked = ByApplication
		if t.Phase == Waiting { // at once
			t.Phase, t.Timer, t.HeldOff = Idle, NoTimer, false
		}
	case DialSucceeded:
		t.Connection = Connected
	case DialFailed, DialImpossible:
		t.onDisconnected()
	case ConnectionLost:
		t.onDisconnected()
	case ResponseReceived:
		t.onResponse(e)
	case NoResponse:
		t.onNoResponse()
	case NetworkRefused: // the first refusal may come from a server that is restarting
		if t.Refused {
			t.fail(0)
		}
		t.Refused = !t.Refused && t.Phase == Requesting
	case ServerRequested:
		t.onServerRequested()
	case SequenceFinished, PackApplied:
		t.succeed()
	case SequenceFailed:
		t.fail(0)
	case PackFailed:
		t.Phase, t.NoPack, t.Timer = Requesting, true, NoTimer
	case TimerFired:
		t.onTimer()
	}
}

// onAccountChanged ends an attempt with the old account. The connection over which the account was
// replaced remains until its time is over.
func (t *transition) onAccountChanged() {
	if t.Phase == Finished {
		return
	}
	t.abandon(CloseConnection)
	t.Attempts, t.HeldOff = 0, false
}

// onDisconnected handles a connection that has ended or could not be made.
func (t *transition) onDisconnected() {
	t.Connection, t.Request = Disconnected, NoRequest
	switch t.Phase {
	case Serving:
		if !t.facts.Finishing { // otherwise the device has all that it needs
			t.fail(0)
		}
	case Requesting:
		t.fail(0)
	case Finished:
		t.Phase, t.Timer = Idle, NoTimer
	}
	if t.Phase == Idle && t.facts.Unsolicited {
		t.startTimer(ListenRetry, listenPause)
		t.spread = listenPause / 2
	}
}

func (t *transition) onResponse(e Event) {
	request := t.Request
	t.Request, t.Refused = NoRequest, false
	switch {
	case request == PackRequest && e.Code == Content && e.Usable:
		t.Phase = Applying
		t.startTimer(Procedure, t.facts.Procedure)
		t.do(Action{Do: ApplyPack})
	case request == PackRequest: // Core 1.2.2 §6.1.3: the client falls back to Bootstrap-Request
		t.NoPack = true
	case e.Code == Changed && t.Phase == Requesting:
		t.serve()
	case e.Code == Changed: // the server has begun before
	case t.facts.Format && !t.NoFormat && t.Phase == Requesting && (e.Code == BadRequest || e.Code == UnsupportedFormat):
		t.NoFormat = true // LwM2M 1.0 has no pct: again without it, at once
	default:
		t.fail(e.MaxAge)
	}
}

// onNoResponse handles a request that has timed out. A server that has begun its sequence has
// accepted the request.
func (t *transition) onNoResponse() {
	request := t.Request
	t.Request = NoRequest
	switch {
	case request == PackRequest:
		t.NoPack = true
	case t.Phase == Requesting:
		t.fail(0)
	}
}

// onServerRequested handles a request of the server, which begins a sequence or continues it.
func (t *transition) onServerRequested() {
	switch {
	case t.Phase == Applying: // the pack comes first
	case t.Phase == Serving && t.facts.Overlong: // the procedure time-out is not put off any more
	case t.Phase == Serving, t.Phase == Requesting && t.Request == BootstrapRequest:
		t.serve()
	case t.facts.Unsolicited:
		if !t.Attempting() {
			t.Attempts = min(t.Attempts+1, maxAttempts)
		}
		t.cancel()
		t.HeldOff = true
		t.serve()
	}
}

// serve begins or continues to serve the server's requests.
func (t *transition) serve() {
	t.Phase = Serving
	t.startTimer(Procedure, t.facts.Procedure)
}

func (t *transition) onTimer() {
	timer := t.Timer
	t.Timer = NoTimer
	switch timer {
	case HoldOff, NextAttempt:
		t.due = true
	case Procedure:
		if t.facts.Finishing { // the server has done its part
			t.startTimer(Procedure, t.facts.Procedure)
			return
		}
		t.fail(0)
	case Linger:
		t.Phase = Idle
	}
}
