package account

import (
	"testing"
	"time"
)

// The decisions that users ask about most.
func TestRows(t *testing.T) {
	f := typicalFacts()
	up := State{Connection: Connected, Registration: Known, Started: true, Outcome: Succeeded}
	updating, registering, asleep := up, up, up
	updating.Request, registering.Request, registering.Registration, asleep.Connection = Update, Register, Unknown, Asleep
	plain := registering
	plain.NoFormats = true
	refused := registering
	refused.Refused = true
	paused, waiting := asleep, asleep
	paused.Timer, paused.UpdateDue, waiting.Timer, waiting.Registration = UpdateRetry, true, NextAttempt, Unknown
	awake := up
	awake.Window = true
	awakeInPause := awake
	awakeInPause.Timer, awakeInPause.UpdateDue = UpdateRetry, true
	quick := up
	quick.QuickUsed = true
	unsure := State{Connection: Connecting, Registration: Unsure, Started: true}
	busy := Event{Kind: ResponseReceived, Code: 0xa3, MaxAge: time.Hour}
	for _, c := range []struct {
		name string
		from State
		e    Event
		want string
	}{
		{"an Update gets no response", updating, Event{Kind: NoResponse}, "disconnect, connect"},
		{"4.04 to an Update", updating, Event{Kind: ResponseReceived, Code: 0x84}, "Register"},
		{"5.03 with Max-Age to an Update", updating, busy, "Update again in 1 h"},
		{"5.00 to an Update", updating, Event{Kind: ResponseReceived, Code: 0xa0}, "Update again in 1 min"},
		{"4.00 to an Update", updating, Event{Kind: ResponseReceived, Code: 0x80}, "Register"},
		{"5.03 with Max-Age to a Register", registering, busy, "next attempt in 1 h"},
		{"4.00 to a Register", registering, Event{Kind: ResponseReceived, Code: BadRequest, Formats: true}, "Register without ct"},
		{"4.00 to a Register that has no ct", registering, Event{Kind: ResponseReceived, Code: BadRequest}, "next attempt in 1 min"},
		{"4.00 to a Register without ct", plain, Event{Kind: ResponseReceived, Code: BadRequest}, "next attempt in 1 min"},
		{"4.12 to a Register", registering, Event{Kind: ResponseReceived, Code: PreconditionFailed}, "Register one version lower"},
		{"a short connection", up, Event{Kind: ConnectionLost, Short: true}, "next attempt in 1 s"},
		{"the next short connection", quick, Event{Kind: ConnectionLost, Short: true}, "next attempt in 1 min"},
		{"a connection that got old", up, Event{Kind: ConnectionLost}, "connect"},
		{"a connection after a lost Update", unsure, Event{Kind: DialSucceeded, Survives: true}, "Update with everything"},
		{"a first refusal by the network", registering, Event{Kind: NetworkRefused}, "nothing"},
		{"a second refusal by the network", refused, Event{Kind: NetworkRefused}, "disconnect, next attempt in 1 min"},
		{"Reconnect during a Register", registering, Event{Kind: ReconnectRequested}, "disconnect, keep the session, connect"},
		{"a wake", asleep, Event{Kind: WakeRequested}, "receiver on, Update"},
		{"a wake in the pause that a server asked for", paused, Event{Kind: WakeRequested}, "receiver on, awake window on"},
		{"a wake in the pause after a failed attempt", waiting, Event{Kind: WakeRequested}, "nothing"},
		{"the end of that pause", waiting, Event{Kind: TimerFired}, "receiver on, Register"},
		{"a message while asleep", asleep, Event{Kind: MessagePassed}, "receiver on, Update in 1 h, awake window on"},
		{"the end of the awake window", awake, Event{Kind: WindowEnded}, "receiver off, Update in 1 h"},
		{"the end of the awake window in a pause", awakeInPause, Event{Kind: WindowEnded}, "receiver off"},
	} {
		f := f
		f.QueueMode = c.from.Connection == Asleep || c.from.Window
		if _, actions := Next(c.from, c.e, f); describe(actions) != c.want {
			t.Errorf("%s: %q, want %q", c.name, describe(actions), c.want)
		}
	}
}
