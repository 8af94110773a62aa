package account

import "time"

// State is what an account remembers between two events. The zero value is an account that was just
// added.
type State struct {
	Connection    Connection
	Request       Request      // in flight, at most one
	Registration  Registration // what the server knows about the device
	Timer         Timer        // pending, at most one
	Window        bool         // the awake window of queue mode runs: then the receiver is off
	Effort        Effort
	Outcome       Outcome // for the order of registrations
	Retry         Retry
	VersionStep   uint8 // how many versions below the highest one Register offers, after 4.12
	NoFormats     bool  // Register does not list Content-Formats (ct), after 4.00
	Refused       bool  // the network has refused the attempt once
	QuickUsed     bool  // the quick retry after a short connection is used up
	Started       bool  // the initial delay has passed
	ServerUnaware bool  // the device has left, and the server may not know
	UpdateDue     bool  // an Update has to be sent even if nothing has changed
}

// Resumed returns the state of an account that goes on with a registration of before a restart of
// the device. unsure says that the outcome of the last Update is unknown.
func Resumed(versionStep uint8, noFormats, unsure bool) State {
	s := State{Registration: Known, Outcome: Succeeded, Started: true, VersionStep: versionStep, NoFormats: noFormats}
	if unsure {
		s.Registration = Unsure
	}
	return s
}

// Connection is the state of the connection to the server.
type Connection uint8

// The states of a connection.
const (
	Disconnected Connection = iota
	Connecting
	Connected
	Asleep // connected, with the receiver off (queue mode)
)

// Request is a request of the registration interface.
type Request uint8

// The requests of the registration interface.
const (
	NoRequest Request = iota
	Register
	Update
	Deregister
)

// String returns the name of the request as in Core 1.2.2 §6.2.
func (r Request) String() string {
	return [...]string{NoRequest: "no request", Register: "Register", Update: "Update", Deregister: "De-register"}[r]
}

// Registration is what the server knows about the device.
type Registration uint8

// The states of a registration.
const (
	// Unknown: the server does not know the device, or nothing says that it does.
	Unknown Registration = iota
	// Known: the server has the registration.
	Known
	// Unsure: as Known, but the outcome of an Update is unknown. The next one contains everything.
	Unsure
	// Outdated: the server has a registration that the next Register replaces.
	Outdated
)

// Timer is the purpose of the account's one timer.
type Timer uint8

// The purposes of the timer.
const (
	NoTimer      Timer = iota
	InitialDelay       // Initial Registration Delay (/1/x/14)
	NextAttempt        // pause after a failed attempt (/1/x/18 and /1/x/19)
	UpdateRetry        // pause after an Update that the server has refused for the moment
	NextUpdate         // until the Update before the lifetime ends
)

// Effort says whether the account tries to register.
type Effort uint8

// The efforts.
const (
	Trying  Effort = iota
	GivenUp        // every attempt of every sequence has failed
	Invalid        // URI, credentials or dialer cannot be used
	Removed        // the account is removed; no event has an effect
)

// Outcome says how the account's turn in the order of registrations has ended.
type Outcome uint8

// The outcomes.
const (
	Undecided Outcome = iota
	Succeeded
	Failed
)

// Kind is the kind of an event.
type Kind uint8

// The kinds of events.
const (
	FactsChanged       Kind = iota // the caller's facts have changed
	AccountChanged                 // the account has another URI or other credentials
	VersionsChanged                // /1/x/25 has changed
	RegisterRequested              // by the application
	UpdateRequested                // by the application or the server (/1/x/8)
	ReconnectRequested             // by the application, which knows that the connection is dead
	WakeRequested                  // something has to be sent, perhaps while the receiver is off
	BootstrapEnded                 // with or without success
	DialSucceeded
	DialFailed
	DialImpossible // the account cannot be used
	ConnectionLost
	ResponseReceived
	NoResponse     // the request in flight has failed without a response
	NetworkRefused // the network has refused a datagram, such as at a port without a listener
	TimerFired
	WindowEnded   // no message for the awake time, and nothing under way
	MessagePassed // a message was sent or received while the receiver was off
	kinds
)

// Event is an input of [Next].
type Event struct {
	Kind Kind

	Survives bool // DialSucceeded: the server still knows the device over this connection
	Short    bool // ConnectionLost: the connection lasted less than 10 s

	Code     Code          // ResponseReceived
	Formats  bool          // ResponseReceived: the Register had a list of Content-Formats
	Location bool          // ResponseReceived: with a Location-Path
	MaxAge   time.Duration // ResponseReceived: the pause that the server asks for
}

// Code is a CoAP response code.
type Code uint8

// The response codes that [Next] tells apart; every other code has the effect of a refusal.
const (
	Created            Code = 0x41
	Deleted            Code = 0x42
	Changed            Code = 0x44
	BadRequest         Code = 0x80
	RequestIncomplete  Code = 0x88
	PreconditionFailed Code = 0x8c
	TooManyRequests    Code = 0x9d
	ServiceUnavailable Code = 0xa3
)

// isTemporary reports whether a response to an Update says nothing about the registration, so that
// the Update can be repeated. A 4.xx response says something: 4.04 that the server does not know
// the registration, the others that the server does not accept this Update or this device. Two are
// exceptions: RequestIncomplete (RFC 7959 §2.9.2) is about the transfer, TooManyRequests (RFC 8516)
// about the rate. A 5.xx response is about the server. A 2.xx response that is not defined for
// Update (Transport 1.2.2 §6.7) is no refusal.
func (c Code) isTemporary() bool {
	return c>>5 != 4 || c == RequestIncomplete || c == TooManyRequests
}

// isUnprocessed reports whether a temporary response says that the server has not looked at the
// Update. After any other one, such as that of a gateway which waited in vain, the server may have
// applied it.
func (c Code) isUnprocessed() bool {
	return c == RequestIncomplete || c == TooManyRequests || c == ServiceUnavailable
}

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
	StartWindow // report WindowEnded when the connection has been idle for the awake time
	StopWindow
	ReceiverOff
	ReceiverOn
	RequestBootstrap
	Remove // forget the account
)

// Action is an instruction to the caller of [Next].
type Action struct {
	Do          Do
	Request     Request       // Send
	VersionStep uint8         // Send of a Register
	NoFormats   bool          // Send of a Register
	Full        bool          // Send of an Update: with every parameter and the list of objects
	Timer       Timer         // StartTimer
	After       time.Duration // StartTimer, more than 0
	Spread      time.Duration // StartTimer: add a random time up to this to After
}

// expects reports whether an event can happen in a state. A late event of a connection, request or
// timer that has ended has no effect.
func (s *State) expects(k Kind) bool {
	switch k {
	case DialSucceeded, DialFailed, DialImpossible:
		return s.Connection == Connecting
	case ConnectionLost:
		return s.Connection == Connected || s.Connection == Asleep
	case ResponseReceived, NoResponse:
		return s.Request != NoRequest
	case NetworkRefused:
		return s.Request != NoRequest || s.Connection == Connecting
	case TimerFired:
		return s.Timer != NoTimer
	case WindowEnded:
		return s.Window
	case MessagePassed:
		return s.Connection == Asleep
	}
	return true
}
