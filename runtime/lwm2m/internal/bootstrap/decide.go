package bootstrap

import "time"

// Next returns the state after an event, and the actions to execute, in order.
func Next(s State, e Event, f Facts) (State, []Action) {
	if !s.expects(e.Kind) {
		return s, nil
	}
	t := transition{State: s, facts: &f}
	t.learn(e)
	t.decide()
	t.settleTimer(s.Timer, e.Kind)
	return t.State, t.actions
}

// transition is one call of [Next].
type transition struct {
	State
	facts   *Facts
	actions []Action
	due     bool          // the hold-off or the pause is over
	ended   bool          // an attempt has ended in this transition
	delay   time.Duration // of Timer, if this transition has started it
	spread  time.Duration
}

// decide takes one step.
func (t *transition) decide() {
	switch {
	case t.facts.Closing, !t.facts.Account:
		t.abandon(CloseConnection)
		t.State = State{Attempts: t.Attempts}
	case t.facts.Offline:
		t.abandon(SuspendConnection)
	default:
		t.advance()
	}
}

// advance begins what is due. An attempt that is under way continues, also if the reason for it is
// gone: the server may have begun its sequence.
func (t *transition) advance() {
	if t.Attempting() {
		t.request()
		return
	}
	needs := t.needs(t.facts)
	if !needs {
		t.HeldOff = false
	}
	switch {
	case t.Phase == Waiting && !needs:
		t.Phase, t.Timer = Idle, NoTimer
	case t.due:
		t.start()
	case t.Phase != Waiting && needs:
		t.wait()
	}
	if !t.Attempting() && t.Phase != Finished {
		t.listen()
	}
}

// wait begins the hold-off or the rest of the pause after the last attempt, or an attempt at once.
func (t *transition) wait() {
	since := t.facts.SinceLast
	if t.ended {
		since = 0
	}
	if since >= Rest {
		t.Attempts = 0
	}
	delay, timer := pause(t.Attempts)-since, NextAttempt
	if t.Asked != NotAsked && !t.HeldOff {
		delay = 0 // who asks knows that the last attempt was a moment ago
	}
	if !t.HeldOff && t.Asked != ByApplication && t.facts.HoldOff > delay {
		delay, timer = t.facts.HoldOff, HoldOff
	}
	if delay <= 0 {
		t.start()
		return
	}
	if t.Phase == Finished {
		t.disconnect(CloseConnection)
	}
	t.Phase = Waiting
	t.startTimer(timer, delay)
	if timer == NextAttempt {
		t.spread = delay / 2
	}
}

// start begins an attempt.
func (t *transition) start() {
	if t.Phase == Finished {
		t.disconnect(CloseConnection) // the account may have changed
	}
	t.Phase, t.Timer = Requesting, NoTimer
	t.Attempts = min(t.Attempts+1, maxAttempts)
	t.HeldOff, t.NoPack, t.NoFormat, t.Refused = true, false, false, false
	t.request()
}

// request sends the next request of an attempt, over a new connection if there is none.
func (t *transition) request() {
	switch {
	case t.Phase != Requesting || t.Request != NoRequest:
	case t.Connection == Disconnected:
		t.Connection = Connecting
		t.do(Action{Do: Dial})
	case t.Connection == Connected:
		t.Request = BootstrapRequest
		if t.facts.Pack && !t.NoPack {
			t.Request = PackRequest
		}
		t.do(Action{Do: Send, Request: t.Request, NoFormat: t.NoFormat})
	}
}

// listen keeps a connection between the attempts if the server may begin a sequence by itself, and
// ends it otherwise.
func (t *transition) listen() {
	switch {
	case !t.facts.Unsolicited:
		t.disconnect(CloseConnection)
		if t.Timer == ListenRetry {
			t.Timer = NoTimer
		}
	case t.Connection == Disconnected && (t.Timer == NoTimer || t.Timer == HoldOff && t.delay > 0):
		t.Connection = Connecting
		t.do(Action{Do: Dial})
	}
}

// fail ends an attempt without success. The next one follows after a pause of at least atLeast, if
// a bootstrap is still needed.
func (t *transition) fail(atLeast time.Duration) {
	t.abort()
	t.disconnect(CloseConnection)
	t.Phase, t.Timer = Idle, NoTimer
	t.ended = true
	t.do(Action{Do: EndAttempt})
	if t.needs(t.facts) && !t.facts.blocked() {
		t.Phase = Waiting
		after := max(pause(t.Attempts), atLeast)
		t.startTimer(NextAttempt, after)
		t.spread = min(after, MaxPause) / 2
	}
}

// succeed ends an attempt with success. The connection over which Bootstrap-Finish came remains for
// a while, for a server that has not received the response.
func (t *transition) succeed() {
	served := t.Phase == Serving
	t.cancel()
	t.Asked, t.HeldOff, t.Timer, t.Attempts = NotAsked, false, NoTimer, max(t.Attempts, 1)
	t.ended = true
	t.do(Action{Do: EndAttempt, Success: true})
	if served && t.Connection == Connected && t.facts.Linger > 0 {
		t.Phase = Finished
		t.startTimer(Linger, t.facts.Linger)
		return
	}
	t.Phase = Idle
	t.disconnect(CloseConnection)
}

// abandon ends everything without planning another attempt.
func (t *transition) abandon(how Do) {
	t.abort()
	t.Phase, t.Timer = Idle, NoTimer
	t.disconnect(how)
}

// abort undoes the writes of a sequence or a pack that has not come into effect.
func (t *transition) abort() {
	if t.Phase == Serving || t.Phase == Applying {
		t.do(Action{Do: AbortSequence})
	}
}

// disconnect ends the connection, or the attempt to make one.
func (t *transition) disconnect(how Do) {
	t.Request = NoRequest
	if t.Connection != Disconnected {
		t.Connection = Disconnected
		t.do(Action{Do: how})
	}
}

// cancel cancels the request in flight.
func (t *transition) cancel() {
	if t.Request != NoRequest {
		t.Request = NoRequest
		t.do(Action{Do: CancelRequest})
	}
}

func (t *transition) do(a Action) { t.actions = append(t.actions, a) }

// startTimer starts the one timer and replaces a pending one.
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
}
