// Package firmware is what Firmware Update (5) and Advanced Firmware Update (33629) have in common.
// Next decides, without any effect, what an event changes and what the device has to do (Core 1.2.2
// Appendix E.6). Driver does it, for one component or for several.
package firmware

// Phase is where an update is. Several phases can have the same value of the resource State.
type Phase uint8

// The phases. They are stored, so their numbers stay.
const (
	Idle       Phase = iota
	Receiving        // a server writes Package
	Fetching         // the device downloads from Package URI
	Verifying        // the image is complete and is being checked
	Downloaded       // the image is complete and good
	Deferred         // as Downloaded, and the user has postponed the installation
	Updating         // the image is being installed, or the device restarts for it
)

// String returns the name of the phase in docs/updates.md.
func (p Phase) String() string {
	return [...]string{"Idle", "Receiving", "Fetching", "Verifying", "Downloaded", "Deferred", "Updating"}[p]
}

// Resource returns the value of the resource State (/5/0/3).
func (p Phase) Resource() int64 {
	return [...]int64{Idle: 0, Receiving: 1, Fetching: 1, Verifying: 1, Downloaded: 2, Deferred: 2, Updating: 3}[p]
}

// HasImage reports whether the whole image must be in the storage.
func (p Phase) HasImage() bool { return p >= Verifying }

// Result is the value of the resource Update Result (/5/0/5).
type Result uint8

// The results.
const (
	Initial Result = iota
	Success
	NotEnoughStorage
	OutOfRAM
	ConnectionLost
	IntegrityCheckFailed
	UnsupportedPackageType
	InvalidURI
	UpdateFailed
	UnsupportedProtocol
	Cancelled
	DeferredByUser
	ConflictingState // of 33629: the image is for a component that has another one
	DependencyError  // of 33629: other components have to be updated before or together with it
)

// State is the state of an update. The zero value is that of a device without an update.
type State struct {
	Phase  Phase
	Result Result
}

// Kind is the kind of an Event.
type Kind uint8

// The kinds of events.
const (
	PackageBegan      Kind = iota // the first bytes of an image arrive in Package
	PackageEnded                  // the whole image has been written to Package
	PackageFailed                 // the write of Package ends early
	ResetWritten                  // a zero byte in Package, or an empty Package URI
	URIWritten                    // a server writes Package URI
	FetchEnded                    // the download is complete
	FetchFailed                   // the download has failed
	VerifyPassed                  // the image is good
	VerifyFailed                  // the image is not
	UpdateExecuted                // a server executes Update
	CancelExecuted                // a server executes Cancel
	UserApproved                  // the user agrees to the installation
	DeferralEnded                 // Maximum Defer Period is over
	InstallEnded                  // the image is installed and runs
	InstallFailed                 // the installation has failed
	Restarted                     // the device starts
	Covered                       // the image of another component updates this one, too
	DependencyMissing             // a server executes Update, and other components stand in the way
	BatchBroken                   // another component leaves the postponed installation of several
	kinds
)

// Event is something that happens. Result says why, for events of failure.
type Event struct {
	Kind   Kind
	Result Result
}

// Facts are what Next needs to know about the device at the moment of the event.
type Facts struct {
	Automatic bool // Automatic Upgrade at Download (/5/0/14) is true
	Ask       bool // the user is asked, and may postpone the installation
	Busy      bool // another update is being installed
	RunsImage bool // after a restart: the firmware of the image is running
	ImageLost bool // after a restart: the storage does not hold the image
	Repeated  bool // after a restart: several attempts to verify the image have ended by a restart
}

// Action is something that the device has to do after the new state is durable. Stop is the
// exception: it is done at once.
type Action uint8

// The actions.
const (
	Discard    Action = iota // empty the storage
	Fetch                    // start or continue the download
	Verify                   // check the image
	Install                  // install the image
	StartTimer               // of Maximum Defer Period
	StopTimer                // of Maximum Defer Period
	Stop                     // end the download or the check that is running
)

// Next returns the state after an event and the actions that follow from it. It returns false if
// the event is not allowed in the state: then the state is unchanged, there are no actions, and a
// server is answered 4.05.
func Next(s State, e Event, f Facts) (State, []Action, bool) {
	switch e.Kind {
	case PackageBegan, URIWritten:
		return s.begin(e.Kind)
	case PackageEnded, FetchEnded:
		if s.Phase == Receiving && e.Kind == PackageEnded || s.Phase == Fetching && e.Kind == FetchEnded {
			return State{Verifying, Initial}, []Action{Verify}, true
		}
	case PackageFailed, FetchFailed, VerifyFailed:
		return s.downloadFailed(e)
	case ResetWritten:
		if s.Phase != Updating {
			return s.leave(Initial)
		}
	case CancelExecuted:
		if s.Phase != Updating && s.Phase != Idle {
			return s.leave(Cancelled)
		}
	case VerifyPassed:
		if s.Phase == Verifying {
			return verified(f)
		}
	case UpdateExecuted, UserApproved, DeferralEnded:
		return s.update(e.Kind, f)
	case InstallEnded:
		if s.Phase == Updating {
			return State{Idle, Success}, []Action{Discard}, true
		}
	case InstallFailed:
		return s.installFailed(e.Result)
	case Restarted:
		return s.restart(f)
	case Covered, DependencyMissing, BatchBroken:
		return s.together(e.Kind)
	}
	return s, nil, false
}

// together handles the events of which the reason is another component.
func (s State) together(k Kind) (State, []Action, bool) {
	switch {
	case k == Covered && s.Phase == Idle:
		return State{Downloaded, Initial}, nil, true
	case k == DependencyMissing && s.Phase == Downloaded:
		return State{Downloaded, DependencyError}, nil, true
	case k == BatchBroken && s.Phase == Deferred:
		return State{Downloaded, Initial}, []Action{StopTimer}, true
	}
	return s, nil, false
}

func (s State) begin(k Kind) (State, []Action, bool) {
	switch {
	case s.Phase != Idle:
		return s, nil, false
	case k == PackageBegan:
		return State{Receiving, Initial}, nil, true
	}
	return State{Fetching, Initial}, []Action{Fetch}, true
}

// leave ends an update that is not being installed.
func (s State) leave(r Result) (State, []Action, bool) {
	actions := []Action{Discard}
	switch s.Phase {
	case Fetching, Verifying:
		actions = []Action{Stop, Discard}
	case Deferred:
		actions = []Action{StopTimer, Discard}
	case Idle, Receiving, Downloaded, Updating:
	}
	return State{Idle, r}, actions, true
}

func (s State) downloadFailed(e Event) (State, []Action, bool) {
	r := e.Result
	if (r < NotEnoughStorage || r > UnsupportedProtocol) && (r != ConflictingState || e.Kind != VerifyFailed) {
		r = UpdateFailed
	}
	switch {
	case e.Kind == PackageFailed && s.Phase == Verifying:
		// The transaction fails after the last byte.
		return State{Idle, r}, []Action{Stop, Discard}, true
	case e.Kind == PackageFailed && s.Phase == Receiving,
		e.Kind == FetchFailed && s.Phase == Fetching,
		e.Kind == VerifyFailed && s.Phase == Verifying:
		return State{Idle, r}, []Action{Discard}, true
	}
	return s, nil, false
}

func verified(f Facts) (State, []Action, bool) {
	switch {
	case !f.Automatic || f.Busy:
		return State{Downloaded, Initial}, nil, true
	case f.Ask:
		return State{Deferred, DeferredByUser}, []Action{StartTimer}, true
	}
	return State{Updating, Initial}, []Action{Install}, true
}

func (s State) update(k Kind, f Facts) (State, []Action, bool) {
	switch {
	case f.Busy, s.Phase != Downloaded && s.Phase != Deferred, k != UpdateExecuted && s.Phase != Deferred:
		return s, nil, false
	case k == UpdateExecuted && f.Ask && s.Phase == Deferred:
		return s, nil, true // the period goes on
	case k == UpdateExecuted && f.Ask:
		return State{Deferred, DeferredByUser}, []Action{StartTimer}, true
	case s.Phase == Deferred:
		return State{Updating, Initial}, []Action{StopTimer, Install}, true
	}
	return State{Updating, Initial}, []Action{Install}, true
}

// installFailed keeps a good image, so that the server can try again.
func (s State) installFailed(r Result) (State, []Action, bool) {
	switch {
	case s.Phase != Updating:
		return s, nil, false
	case r == IntegrityCheckFailed || r == UnsupportedPackageType:
		return State{Idle, r}, []Action{Discard}, true
	case r != NotEnoughStorage && r != OutOfRAM:
		r = UpdateFailed
	}
	return State{Downloaded, r}, nil, true
}

// restart never installs: whether an installation had begun before the restart is not known.
func (s State) restart(f Facts) (State, []Action, bool) {
	switch {
	case s.Phase == Updating && f.RunsImage:
		return State{Idle, Success}, []Action{Discard}, true
	case s.Phase == Updating && f.ImageLost:
		return State{Idle, UpdateFailed}, []Action{Discard}, true
	case s.Phase == Updating:
		return State{Downloaded, UpdateFailed}, nil, true
	case s.Phase.HasImage() && f.ImageLost:
		return State{Idle, IntegrityCheckFailed}, []Action{Discard}, true
	case s.Phase == Receiving:
		return State{Idle, ConnectionLost}, []Action{Discard}, true
	case s.Phase == Fetching:
		return s, []Action{Fetch}, true
	case s.Phase == Verifying && f.Repeated:
		return State{Idle, IntegrityCheckFailed}, []Action{Discard}, true
	case s.Phase == Verifying:
		return s, []Action{Verify}, true
	case s.Phase == Deferred:
		return s, []Action{StartTimer}, true
	case s.Phase == Idle:
		return s, []Action{Discard}, true
	}
	return s, nil, true
}
