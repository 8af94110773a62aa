package lwm2m

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// ShortServerID identifies a server among those of a device, 1..65534.
type ShortServerID = dm.ShortServerID

// State is the state of one account: what the client is doing about the server.
type State uint8

// The states of an account.
const (
	// StateInitial: the client has not tried to register: another server comes first, or the
	// initial delay (/1/x/14) has not passed.
	StateInitial State = iota
	// StateInvalid: the URI, the credentials or the dialer cannot be used. The client tries again
	// when the account changes, or when Register is called.
	StateInvalid
	// StateConnecting: name resolution, connection or handshake.
	StateConnecting
	// StateRegistering: Register is sent.
	StateRegistering
	// StateRegistered: the server knows the device, and no request is in flight.
	StateRegistered
	// StateUpdating: Update is sent; the server knows the device.
	StateUpdating
	// StateReregistering: Register is sent after an earlier registration, because an Update has
	// failed or the registration has ended.
	StateReregistering
	// StateError: the last attempt has failed; the next one is planned.
	StateError
	// StateFailed: every attempt of every sequence has failed (/1/x/17 to /1/x/20).
	StateFailed
	// StateDeregistering: De-register is sent, or the response to Register is awaited first.
	StateDeregistering
	// StateDeregistered: the account is disabled or removed, or the client is shut down. Err says
	// whether the server could not be told.
	StateDeregistered
	// StateSuspended: the client is offline. Location is set if the server still knows the device.
	StateSuspended
	// StateAsleep: the server knows the device, and the receiver is off until something is sent
	// (queue mode).
	StateAsleep
)

var stateNames = [...]string{
	StateInitial: "initial", StateInvalid: "invalid", StateConnecting: "connecting", StateRegistering: "registering",
	StateRegistered: "registered", StateUpdating: "updating", StateReregistering: "registering again", StateError: "error",
	StateFailed: "failed", StateDeregistering: "de-registering", StateDeregistered: "de-registered", StateSuspended: "suspended",
	StateAsleep: "asleep",
}

// String returns the state in words.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Registered reports whether the server knows the device and can reach it.
func (s State) Registered() bool { return s == StateRegistered || s == StateUpdating }

// Status is the state of a client.
type Status struct {
	// Servers are the accounts of management servers, by ascending Short Server ID.
	Servers []ServerStatus
	// Offline reports whether the client is suspended as a whole.
	Offline bool
	// Bootstrap is what the client does about its bootstrap, and why.
	Bootstrap BootstrapStatus
	// Closed reports whether the client is shut down.
	Closed bool
	// Model counts failures inside the data model.
	Model dm.Status
}

// Server returns the status of one account, and false if there is none.
func (s Status) Server(shortID ShortServerID) (ServerStatus, bool) {
	for _, v := range s.Servers {
		if v.ShortID == shortID {
			return v, true
		}
	}
	return ServerStatus{}, false
}

// String returns one line for each server, with its state and the reason.
func (s Status) String() string {
	var lines []string
	for _, v := range s.Servers {
		lines = append(lines, v.String())
	}
	if len(lines) == 0 {
		lines = append(lines, "there is no account of a management server")
	}
	if s.Offline {
		lines = append(lines, "the client is offline")
	}
	if line := s.Bootstrap.String(); line != "" {
		lines = append(lines, line)
	}
	if s.Closed {
		lines = append(lines, "the client is shut down")
	}
	return strings.Join(lines, "\n")
}

// ServerStatus is the state of one account, and the reason for it.
type ServerStatus struct {
	// ShortID and URI name the server.
	ShortID ShortServerID
	URI     string
	// State is the state, and Since when the account got it.
	State State
	Since time.Time
	// Err is the reason of the state: the last failure, or why the account is not registered. It is
	// nil after a success. A *[ResponseError] is the server's own answer.
	Err error
	// Attempts is how many attempts in a row have failed.
	Attempts int
	// Next is the time of the client's next action, and Plan names the action in words: an attempt,
	// an update, enabling the account. Both are zero if nothing is planned.
	Next time.Time
	Plan string
	// Awaits says what the account waits for, in words, also where nothing is planned: a response,
	// a bootstrap, its turn, a call of the application.
	Awaits string

	// Version, Location, Lifetime and Expires describe the registration while the server knows the
	// device. A Lifetime of 0 never expires, and Expires is zero then.
	Version  registry.Version
	Location string
	Lifetime time.Duration
	Expires  time.Time
	// Reduced says what the registration omits because the server refused a complete one, in words
	// such as "without ct" or "LwM2M 1.1 instead of 1.2". It is empty if nothing is omitted.
	Reduced string
	// Slowed reports whether notifications are sent more slowly than they come, because the message
	// IDs of CoAP would run out (RFC 7252 §4.4): fewer observations, or a longer pmin, help.
	Slowed bool
	// Stored is how many values wait to be sent, because the server could not be reached when it
	// would have been notified of them (/1/x/6). Dropped is how many of them were never sent, since
	// the account was added: because of Limits.StoredValues or hqmax, because the observation has
	// ended, or because its format carries no times and so only the newest value.
	Stored  int
	Dropped uint64
	// Secured says how the security session of the connection began, in words such as "session
	// resumed". It is empty without security or without a connection.
	Secured string
}

// String returns one line with the state and its reason, without any secret.
func (s ServerStatus) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "server %d (%s): %s", s.ShortID, s.URI, s.State)
	if s.State.Registered() {
		fmt.Fprintf(&b, " with LwM2M %s at %s", s.Version, s.Location)
		if s.Reduced != "" {
			fmt.Fprintf(&b, " (%s)", s.Reduced)
		}
	}
	if s.Err != nil {
		fmt.Fprintf(&b, ": %v", s.Err)
	}
	if s.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", s.Attempts)
	}
	if s.Slowed {
		b.WriteString("; notifications are slowed down")
	}
	switch {
	case !s.Next.IsZero():
		fmt.Fprintf(&b, "; %s at %s", s.Plan, s.Next.Format(time.RFC3339))
	case s.Awaits != "" && !s.State.Registered():
		fmt.Fprintf(&b, "; waits for %s", s.Awaits)
	}
	return b.String()
}

// ResponseError is the error of a request that a server has refused.
type ResponseError struct {
	// Operation is "Register", "Update", "Bootstrap-Request" or "Bootstrap-Pack-Request".
	Operation string
	// Code is the response code.
	Code coap.Code
	// Diagnostic is the diagnostic payload of the response, cut to 200 bytes. It may be empty.
	Diagnostic string
}

// Error returns operation, code and diagnostic payload in words.
func (e *ResponseError) Error() string {
	s := fmt.Sprintf("the server answered %s with %s", e.Operation, e.Code)
	if e.Diagnostic != "" {
		s += fmt.Sprintf(" (%q)", e.Diagnostic)
	}
	return s
}

// The reasons of states. Compare them with errors.Is.
var (
	// ErrNoLocation: the response to Register has no Location-Path, or one that cannot be used.
	ErrNoLocation = errors.New("lwm2m: the server registered the device without a usable location")
	// ErrVersion: the server accepts no version from Config.MinVersion to Config.MaxVersion.
	ErrVersion = errors.New("lwm2m: the server accepts no version of LwM2M that this client may use")
	// ErrOffline: the client is suspended, see [Client.Suspend].
	ErrOffline = errors.New("lwm2m: the client is offline")
	// ErrDisabled: the account is disabled, by [Client.Disable] or by the server (/1/x/4).
	ErrDisabled = errors.New("lwm2m: the account is disabled")
	// ErrRemoved: the account is removed from the Security or the Server object.
	ErrRemoved = errors.New("lwm2m: the account is removed")
	// ErrClosed: the client is shut down.
	ErrClosed = errors.New("lwm2m: the client is shut down")
	// ErrUnknownServer: there is no account with this Short Server ID.
	ErrUnknownServer = errors.New("lwm2m: no account has this Short Server ID")
	// ErrNoBootstrap: there is no account of a bootstrap server.
	ErrNoBootstrap = errors.New("lwm2m: there is no account of a bootstrap server")
)
