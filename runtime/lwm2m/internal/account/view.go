package account

// View is the state that the application sees. No decision depends on it.
type View uint8

// The views.
const (
	ViewInitial View = iota
	ViewInvalid
	ViewConnecting
	ViewRegistering
	ViewRegistered
	ViewUpdating
	ViewReregistering
	ViewError
	ViewFailed
	ViewDeregistering
	ViewDeregistered
	ViewSuspended
	ViewAsleep
)

var viewNames = [...]string{
	ViewInitial: "initial", ViewInvalid: "invalid", ViewConnecting: "connecting", ViewRegistering: "registering",
	ViewRegistered: "registered", ViewUpdating: "updating", ViewReregistering: "registering again", ViewError: "error",
	ViewFailed: "failed", ViewDeregistering: "de-registering", ViewDeregistered: "de-registered", ViewSuspended: "suspended",
	ViewAsleep: "asleep",
}

// String returns the view in words.
func (v View) String() string { return viewNames[v] }

// View returns the state that the application sees.
func (s State) View(f Facts) View {
	goal := f.Goal()
	switch {
	case s.Request == Deregister, s.Request == Register && goal >= GoalDeregistered:
		return ViewDeregistering
	case s.Effort == Removed, goal >= GoalDeregistered:
		return ViewDeregistered
	case goal == GoalSuspended:
		return ViewSuspended
	case s.Request == Register && f.RegisteredBefore:
		return ViewReregistering
	case s.Request == Register:
		return ViewRegistering
	case s.Request == Update:
		return ViewUpdating
	case s.Connection == Connecting:
		return ViewConnecting
	case s.Effort == Invalid:
		return ViewInvalid
	case s.Effort == GivenUp:
		return ViewFailed
	case s.Timer == NextAttempt:
		return ViewError
	case s.Connection == Asleep:
		return ViewAsleep
	case s.Connection == Connected && s.Registration != Unknown:
		return ViewRegistered
	}
	return ViewInitial
}

// Awaits returns the event that the account waits for, in words. It is empty for a dead end, that
// is a state that no event would end; the tests show that no such state can be reached.
func (s State) Awaits(f Facts) string {
	goal := f.Goal()
	switch {
	case s.Effort == Removed:
		return "nothing: the account is removed"
	case s.Connection == Connecting:
		return "the connection"
	case s.Request != NoRequest:
		return "the response to " + s.Request.String()
	case goal == GoalDeregistered:
		return "Enable, or the end of the Disable Timeout"
	case goal == GoalSuspended:
		return "Resume"
	case s.Timer != NoTimer:
		return [...]string{
			InitialDelay: "the first attempt", NextAttempt: "the next attempt", UpdateRetry: "the Update after a pause",
			NextUpdate: "the next Update",
		}[s.Timer]
	case goal == GoalWait && f.Bootstrapping:
		return "the end of the bootstrap"
	case goal == GoalWait:
		return "its turn in the order of registrations"
	case s.Effort == Invalid:
		return "a change of the account"
	case s.Effort == GivenUp && f.CanBootstrap:
		return "a bootstrap"
	case s.Effort == GivenUp && f.RegistrationRetry.NoneAfter:
		return "Register, called by the application"
	case s.Connection != Disconnected && s.Registration != Unknown && f.Endless:
		return "a request of the server, or a change: the registration never expires"
	}
	return ""
}
