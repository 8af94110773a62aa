package bootstrap

import "time"

// State is what the client remembers about its bootstrap between two events. The zero value is a
// device that has just started.
type State struct {
	Phase      Phase
	Connection Connection
	Request    Request // in flight, at most one
	Timer      Timer   // pending, at most one
	Asked      Asked   // until a bootstrap has finished
	Attempts   uint8   // since the last rest, at most maxAttempts
	HeldOff    bool    // the hold-off of the present need has passed
	NoPack     bool    // the Bootstrap-Pack-Request of this attempt has failed
	NoFormat   bool    // the server refuses the preferred Content-Format (pct)
	Refused    bool    // the network has refused the attempt once
}

// Phase is what the client does about its bootstrap.
type Phase uint8

// The phases. The later ones from Requesting to Serving are those of an attempt.
const (
	Idle       Phase = iota // no bootstrap is needed
	Waiting                 // the hold-off, or the pause after an attempt
	Requesting              // connecting, or a request is in flight
	Applying                // a Bootstrap-Pack is being applied
	Serving                 // the server has accepted the request, or has begun its sequence
	Finished                // the device is bootstrapped; repeated requests are still answered
)

// Connection is the state of the connection to the bootstrap server.
type Connection uint8

// The states of a connection.
const (
	Disconnected Connection = iota
	Connecting
	Connected
)

// Request is a request of the bootstrap interface.
type Request uint8

// The requests of the bootstrap interface.
const (
	NoRequest Request = iota
	PackRequest
	BootstrapRequest
)

// String returns the name of the request as in Core 1.2.2 §6.1.7.
func (r Request) String() string {
	return [...]string{
		NoRequest: "no request", PackRequest: "Bootstrap-Pack-Request", BootstrapRequest: "Bootstrap-Request",
	}[r]
}

// Timer is the purpose of the one timer.
type Timer uint8

// The purposes of the timer.
const (
	NoTimer     Timer = iota
	HoldOff           // Client Hold Off Time (/0/x/11)
	NextAttempt       // pause after an attempt
	Procedure         // EXCHANGE_LIFETIME without a request of the server (Core 1.2.2 §6.1.3)
	Linger            // until the connection of a finished bootstrap ends
	ListenRetry       // pause before the connection for unsolicited bootstraps is made again
)

// Asked says who has asked for a bootstrap that has not finished yet.
type Asked uint8

// Who has asked.
const (
	NotAsked Asked = iota
	ByServer       // a management server (/1/x/9)
	ByApplication
)

// Kind is the kind of an event.
type Kind uint8

// The kinds of events.
const (
	FactsChanged           Kind = iota // the caller's facts have changed
	AccountChanged                     // the bootstrap account has another URI or other credentials
	RequestedByServer                  // /1/x/9
	RequestedByApplication             // Client.RequestBootstrap
	DialSucceeded
	DialFailed
	DialImpossible // the account cannot be used
	ConnectionLost
	ResponseReceived
	NoResponse       // the request in flight has failed without a response
	NetworkRefused   // the network has refused a datagram, such as at a port without a listener
	ServerRequested  // the server has sent a valid request of a sequence
	SequenceFinished // Bootstrap-Finish is answered 2.04, and what was written is in effect
	SequenceFailed   // the sequence has ended without effect
	PackApplied      // the Bootstrap-Pack is in effect
	PackFailed       // the Bootstrap-Pack is refused and has no effect
	TimerFired
	kinds
)

// Event is an input of [Next].
type Event struct {
	Kind Kind

	Code   Code          // ResponseReceived
	Usable bool          // ResponseReceived: 2.05 with a payload in a format that a pack may have
	MaxAge time.Duration // ResponseReceived: the pause that the server asks for
}

// Code is a CoAP response code.
type Code uint8

// The response codes that [Next] tells apart; every other code is a refusal.
const (
	Changed           Code = 0x44
	Content           Code = 0x45
	BadRequest        Code = 0x80
	UnsupportedFormat Code = 0x8f
)

// Do is the kind of an action.
type Do uint8

// The kinds of actions.
const (
	Dial              Do = iota // connect
	Send                        // send Action.Request
	CancelRequest               // cancel the request in flight
	SuspendConnection           // close the connection and keep its session
	CloseConnection             // close the connection and its session
	StartTimer                  // start the timer, replacing a pending one
	StopTimer
	ApplyPack     // apply the payload of the response
	AbortSequence // undo what the server has written in this attempt
	EndAttempt    // the attempt has ended, with success if Action.Success says so
)

// Action is an instruction to the caller of [Next].
type Action struct {
	Do       Do
	Request  Request       // Send
	NoFormat bool          // Send of a Bootstrap-Request: without pct
	Timer    Timer         // StartTimer
	After    time.Duration // StartTimer, more than 0
	Spread   time.Duration // StartTimer: add a random time up to this to After
	Success  bool          // EndAttempt
}

// Attempting reports whether an attempt is under way.
func (s *State) Attempting() bool { return s.Phase >= Requesting && s.Phase <= Serving }

// Serves reports whether requests of the bootstrap server are served. Others are ignored: a device
// that has not asked, and whose program does not allow it, is not bootstrapped.
func (s *State) Serves(f Facts) bool {
	switch {
	case s.Connection != Connected || s.Phase == Applying:
		return false
	case s.Phase == Serving, s.Phase == Requesting && s.Request == BootstrapRequest:
		return true
	}
	return f.Unsolicited && !f.blocked()
}

// expects reports whether an event can happen in a state. A late event of a connection, request or
// timer that has ended has no effect. What has been published is in effect, whatever the state.
func (s *State) expects(k Kind) bool {
	switch k {
	case DialSucceeded, DialFailed, DialImpossible:
		return s.Connection == Connecting
	case ConnectionLost, ServerRequested:
		return s.Connection == Connected
	case ResponseReceived, NoResponse:
		return s.Request != NoRequest
	case NetworkRefused:
		return s.Phase == Requesting
	case SequenceFailed:
		return s.Phase == Serving
	case PackFailed:
		return s.Phase == Applying
	case TimerFired:
		return s.Timer != NoTimer
	}
	return true
}

// Awaits returns the event that the client waits for, in words. It is empty for a dead end, that is
// a state that no event would end; the tests show that no such state can be reached.
func (s *State) Awaits(f Facts) string {
	switch {
	case s.Phase == Serving && s.Timer == Procedure:
		return "Bootstrap-Finish"
	case s.Phase == Applying && s.Timer == Procedure:
		return "the Bootstrap-Pack to be applied"
	case s.Phase == Requesting && s.Connection == Connecting:
		return "the connection"
	case s.Phase == Requesting && s.Request != NoRequest:
		return "the response to " + s.Request.String()
	case s.Phase == Waiting && s.Timer == HoldOff:
		return "the end of the Client Hold Off Time"
	case s.Phase == Waiting && s.Timer == NextAttempt:
		return "the next attempt"
	case s.Phase == Finished && s.Timer == Linger:
		return "the end of the connection"
	case s.Phase == Idle && f.Closing:
		return "nothing: the client shuts down"
	case s.Phase == Idle && !f.Account:
		return "the account of a bootstrap server"
	case s.Phase == Idle && f.Offline:
		return "Resume"
	case s.Phase == Idle && !s.needs(&f):
		return "a reason to bootstrap"
	}
	return ""
}
