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

// State is where the client stands with one server.
type State uint8

// The states of an account.
const (
	// StateInitial: nothing was tried yet: it is another server's turn, or the initial delay
	// (/1/x/14) has not passed.
	StateInitial State = iota
	// StateInvalid: the account cannot be used: its URI, credentials or dialer. It is tried again
	// when the account changes.
	StateInvalid
	// StateConnecting: the name is resolved, the connection made, the handshake under way.
	StateConnecting
	// StateRegistering: Register was sent.
	StateRegistering
	// StateRegistered: the server knows the device, and nothing is under way.
	StateRegistered
	// StateUpdating: Update was sent; the server knows the device.
	StateUpdating
	// StateReregistering: Register was sent because an Update failed, or the registration had
	// ended.
	StateReregistering
	// StateError: the last attempt failed; the next one is planned.
	StateError
	// StateFailed: registering was given up: every attempt of every sequence failed (/1/x/17 to
	// 20).
	StateFailed
	// StateDeregistering: De-register was sent.
	StateDeregistering
	// StateDeregistered: the server was told that the device is gone: the account is disabled, or
	// the client shut down.
	StateDeregistered
	// StateSuspended: the client is offline. Location is set if the server still knows the device.
	StateSuspended
	// StateAsleep: the server knows the device, and the receiver is off until something is sent (queue
	// mode).
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

// Status is where a client stands.
type Status struct {
	// Servers are the accounts of management servers, by ascending Short Server ID.
	Servers []ServerStatus
	// Offline says that the client is suspended as a whole.
	Offline bool
	// BootstrapWanted says why a bootstrap is to be had: a server asked for it, or registering was
	// given up (/1/x/16). Nil: none is.
	BootstrapWanted error
	// Closed says that the client was shut down.
	Closed bool
	// Model is what went wrong inside the data model.
	Model dm.Status
}

// Server returns the status of one account; false if there is none.
func (s Status) Server(shortID ShortServerID) (ServerStatus, bool) {
	for _, v := range s.Servers {
		if v.ShortID == shortID {
			return v, true
		}
	}
	return ServerStatus{}, false
}

// String says in one line for each server where the client stands, and why.
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
	if s.BootstrapWanted != nil {
		lines = append(lines, fmt.Sprintf("a bootstrap is wanted: %v", s.BootstrapWanted))
	}
	if s.Closed {
		lines = append(lines, "the client is shut down")
	}
	return strings.Join(lines, "\n")
}

// ServerStatus is where a client stands with one server, and why.
type ServerStatus struct {
	// ShortID and URI name the server.
	ShortID ShortServerID
	URI     string
	// State is where it stands, since Since.
	State State
	Since time.Time
	// Err is what went wrong last; nil when nothing did since the last success. A *[ResponseError]
	// is the server's own answer.
	Err error
	// Attempts is how many attempts in a row have failed.
	Attempts int
	// Next is when the client does the next thing by itself, and Plan says what: an attempt, an
	// update, enabling the account. Zero: nothing is planned.
	Next time.Time
	Plan string
	// Awaits says what the account waits for, in words, also where nothing is planned: a response, a
	// bootstrap, its turn, a call of the application.
	Awaits string

	// Version, Location, Lifetime and Expires describe the registration while the server knows the
	// device. A Lifetime of 0 is for ever, with a zero Expires.
	Version  registry.Version
	Location string
	Lifetime time.Duration
	Expires  time.Time
	// Reduced says what the registration leaves out because the server refused it otherwise, in words
	// such as "without ct" or "LwM2M 1.1 instead of 1.2". It is empty if nothing is left out.
	Reduced string
	// Secured says how the connection began, in words such as "session resumed"; empty without
	// security or connection.
	Secured string
}

// String says in one line where the client stands with the server, and why, without any secret.
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
	switch {
	case !s.Next.IsZero():
		fmt.Fprintf(&b, "; %s at %s", s.Plan, s.Next.Format(time.RFC3339))
	case s.Awaits != "" && !s.State.Registered():
		fmt.Fprintf(&b, "; waits for %s", s.Awaits)
	}
	return b.String()
}

// ResponseError is a request of the registration interface that a server refused.
type ResponseError struct {
	// Operation is "Register" or "Update".
	Operation string
	// Code is the server's answer.
	Code coap.Code
	// Diagnostic is the text that came with it, cut to 200 bytes; it may be empty.
	Diagnostic string
}

// Error names operation, code and text.
func (e *ResponseError) Error() string {
	s := fmt.Sprintf("the server answered %s with %s", e.Operation, e.Code)
	if e.Diagnostic != "" {
		s += fmt.Sprintf(" (%q)", e.Diagnostic)
	}
	return s
}

// Causes of states, to be compared with errors.Is.
var (
	// ErrNoLocation: the server's answer to Register has no Location-Path, or one that cannot be used.
	ErrNoLocation = errors.New("lwm2m: the server registered the device without a usable location")
	// ErrVersion: the server accepts none of the versions of Config.
	ErrVersion = errors.New("lwm2m: the server accepts no version of LwM2M that this client may use")
	// ErrOffline: the client was suspended.
	ErrOffline = errors.New("lwm2m: the client is offline")
	// ErrDisabled: the account was disabled.
	ErrDisabled = errors.New("lwm2m: the account is disabled")
	// ErrRemoved: the account was removed from the Security or the Server object.
	ErrRemoved = errors.New("lwm2m: the account is removed")
	// ErrClosed: the client was shut down.
	ErrClosed = errors.New("lwm2m: the client is shut down")
	// ErrUnknownServer: there is no account with this Short Server ID.
	ErrUnknownServer = errors.New("lwm2m: no account has this Short Server ID")
	// ErrNoBootstrap: there is no account of a bootstrap server.
	ErrNoBootstrap = errors.New("lwm2m: there is no account of a bootstrap server")
)
