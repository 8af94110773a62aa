package softwaremanagement

// phase is where a software component is. Several phases can have the same value of the resource
// Update State.
type phase uint8

// The phases. They are stored, so their numbers stay.
const (
	idle       phase = iota
	receiving        // a server writes Package
	fetching         // the device downloads from Package URI
	verifying        // the package is complete and is being checked
	delivered        // the package is complete and good
	installing       // the package is being installed, or the device restarts for it
	installed        // the software is on the device; state.active says whether it runs
	starting         // the software is being activated
	stopping         // the software is being deactivated
	removing         // the software is being uninstalled
	preparing        // the software is being prepared for an update
	clearing         // software that was prepared for an update is being uninstalled
	phases
)

// String returns the name of the phase in docs/software.md.
func (p phase) String() string {
	return [...]string{"Idle", "Receiving", "Fetching", "Verifying", "Delivered", "Installing", "Installed", "Starting",
		"Stopping", "Removing", "Preparing", "Clearing"}[p]
}

// resource returns the value of Update State (/9/x/7).
func (p phase) resource() int64 {
	return [...]int64{idle: 0, receiving: 1, fetching: 1, verifying: 2, delivered: 3, installing: 3, installed: 4, starting: 4,
		stopping: 4, removing: 4, preparing: 4, clearing: 0}[p]
}

// hasPackage reports whether the whole package must be in the storage.
func (p phase) hasPackage() bool { return p == verifying || p == delivered || p == installing }

// result is the value of Update Result (/9/x/9).
type result uint8

// The results.
const (
	initial                result = 0
	downloading            result = 1
	installedResult        result = 2
	verified               result = 3
	notEnoughStorage       result = 50
	outOfMemory            result = 51
	connectionLost         result = 52
	integrityCheckFailed   result = 53
	unsupportedPackageType result = 54
	invalidURI             result = 56
	deviceError            result = 57
	installationFailed     result = 58
	uninstallationFailed   result = 59
)

// state is the state of a component. The zero value is that of one without software.
type state struct {
	Phase  phase  `json:"phase"`
	Result result `json:"result"`
	// Active says that the software runs, or is to run again after a restart.
	Active bool `json:"active,omitempty"`
	// Old says that software is on the device which was prepared for an update.
	Old bool `json:"old,omitempty"`
}

// shownActive returns the value of Activation State (/9/x/12).
func (s state) shownActive() bool { return s.Active && (s.Phase == installed || s.Phase == stopping) }

// kind is the kind of an event.
type kind uint8

// The kinds of events.
const (
	packageBegan       kind = iota // the first bytes of a package arrive in Package
	packageEnded                   // the whole package has been written to Package
	packageFailed                  // the write of Package ends early
	resetWritten                   // a zero byte in Package, or an empty Package URI
	uriWritten                     // a server writes Package URI
	fetchEnded                     // the download is complete
	fetchFailed                    // the download has failed
	verifyPassed                   // the package is good
	verifyFailed                   // the package is not
	installExecuted                // a server executes Install
	installEnded                   // the software is installed
	installFailed                  // the installation has failed
	activateExecuted               // a server executes Activate
	activated                      // the software runs
	activateFailed                 // the software does not run
	deactivateExecuted             // a server executes Deactivate
	deactivated                    // the software has ended
	deactivateFailed               // the software still runs
	uninstallExecuted              // a server executes Uninstall
	uninstallForUpdate             // a server executes Uninstall with the argument ForUpdate
	uninstalled                    // the software is gone, or prepared for an update
	uninstallFailed                // the software has ended, and is still there
	restarted                      // the device starts
	kinds
)

// event is something that happens. result says why, for events of failure.
type event struct {
	kind   kind
	result result
}

// facts are what next needs to know about the device at the moment of the event.
type facts struct {
	busy    bool // another update is being installed
	present bool // after a restart: the software of the package is installed
	lost    bool // after a restart: the storage does not hold the package
	gaveUp  bool // after a restart: several attempts at what is under way have ended by a restart
}

// action is something that the device has to do after the new state is durable. stop is the
// exception: it is done at once.
type action uint8

// The actions.
const (
	discard    action = iota // empty the storage
	fetch                    // start or continue the download
	verify                   // check the package
	install                  // install the package
	activate                 // start the software
	deactivate               // end the software
	uninstall                // end the software if it runs, and remove it
	prepare                  // end the software if it runs, and prepare it for an update
	stop                     // end the download or the check that is running
)

// next returns the state after an event and the actions that follow from it. It returns false if
// the event is not allowed in the state: then the state is unchanged, there are no actions, and a
// server is answered 4.05.
func next(s state, e event, f facts) (state, []action, bool) {
	switch e.kind {
	case packageBegan, uriWritten:
		return s.begin(e.kind)
	case packageEnded, fetchEnded:
		if s.Phase == receiving && e.kind == packageEnded || s.Phase == fetching && e.kind == fetchEnded {
			return s.to(verifying, initial), []action{verify}, true
		}
	case packageFailed, fetchFailed, verifyFailed:
		return s.downloadFailed(e)
	case verifyPassed:
		if s.Phase == verifying {
			return s.to(delivered, verified), nil, true
		}
	case resetWritten:
		return s.reset()
	case installExecuted:
		if s.Phase == delivered && !f.busy {
			return s.to(installing, verified), []action{install}, true
		}
	case installEnded:
		if s.Phase == installing {
			return state{Phase: installed, Result: installedResult}, []action{discard}, true
		}
	case installFailed:
		return s.installFailed(e.result)
	case activateExecuted, activated, activateFailed, deactivateExecuted, deactivated, deactivateFailed:
		return s.activation(e.kind)
	case uninstallExecuted, uninstallForUpdate:
		return s.uninstall(e.kind)
	case uninstalled, uninstallFailed:
		return s.uninstallEnds(e.kind)
	case restarted:
		return s.restart(f)
	}
	return s, nil, false
}

// to returns the state with another phase and result.
func (s state) to(p phase, r result) state {
	s.Phase, s.Result = p, r
	return s
}

func (s state) begin(k kind) (state, []action, bool) {
	switch {
	case s.Phase != idle:
		return s, nil, false
	case k == packageBegan:
		return s.to(receiving, downloading), nil, true
	}
	return s.to(fetching, downloading), []action{fetch}, true
}

// reset discards a package that is not being installed.
func (s state) reset() (state, []action, bool) {
	switch s.Phase {
	case idle, receiving, delivered:
		return s.to(idle, initial), []action{discard}, true
	case fetching, verifying:
		return s.to(idle, initial), []action{stop, discard}, true
	}
	return s, nil, false
}

func (s state) downloadFailed(e event) (state, []action, bool) {
	r := e.result
	if r < notEnoughStorage || r > deviceError || r == invalidURI-1 {
		r = deviceError
	}
	switch {
	case e.kind == packageFailed && s.Phase == verifying:
		// The transaction fails after the last byte.
		return s.to(idle, r), []action{stop, discard}, true
	case e.kind == packageFailed && s.Phase == receiving,
		e.kind == fetchFailed && s.Phase == fetching,
		e.kind == verifyFailed && s.Phase == verifying:
		return s.to(idle, r), []action{discard}, true
	}
	return s, nil, false
}

// installFailed keeps a good package, so that the server can try again.
func (s state) installFailed(r result) (state, []action, bool) {
	switch {
	case s.Phase != installing:
		return s, nil, false
	case r == integrityCheckFailed || r == unsupportedPackageType:
		return s.to(idle, r), []action{discard}, true
	case r != notEnoughStorage && r != outOfMemory:
		r = installationFailed
	}
	return s.to(delivered, r), nil, true
}

// activation is the state machine of software that is installed.
func (s state) activation(k kind) (state, []action, bool) {
	to := s
	switch {
	case k == activateExecuted && s.Phase == installed && s.Active,
		k == deactivateExecuted && s.Phase == installed && !s.Active:
		return s, nil, true // as it is
	case k == activateExecuted && s.Phase == installed:
		to.Phase = starting
		return to, []action{activate}, true
	case k == deactivateExecuted && s.Phase == installed:
		to.Phase = stopping
		return to, []action{deactivate}, true
	case k == activated && s.Phase == starting, k == activateFailed && s.Phase == starting:
		to.Phase, to.Active = installed, k == activated
		return to, nil, true
	case k == deactivated && s.Phase == stopping:
		to.Phase, to.Active = installed, false
		return to, nil, true
	case k == deactivateFailed && s.Phase == stopping:
		to.Phase, to.Active = installed, true
		return to, nil, true
	case k == deactivateFailed && (s.Phase == removing || s.Phase == preparing):
		return s.to(installed, uninstallationFailed), nil, true
	}
	return s, nil, false
}

func (s state) uninstall(k kind) (state, []action, bool) {
	forUpdate := k == uninstallForUpdate
	switch {
	case s.Phase == installed && forUpdate:
		return s.to(preparing, s.Result), []action{prepare}, true
	case s.Phase == installed:
		return s.to(removing, s.Result), []action{uninstall}, true
	case s.Phase == delivered && s.Old && !forUpdate:
		return s.to(clearing, initial), []action{discard, uninstall}, true
	case s.Phase == delivered:
		return s.to(idle, initial), []action{discard}, true
	case s.Phase == idle && s.Old && !forUpdate:
		return s.to(clearing, initial), []action{uninstall}, true
	case s.Phase == idle && s.Old:
		return s.to(idle, initial), nil, true // it is prepared
	}
	return s, nil, false
}

func (s state) uninstallEnds(k kind) (state, []action, bool) {
	switch {
	case s.Phase != removing && s.Phase != preparing && s.Phase != clearing:
		return s, nil, false
	case k == uninstalled:
		return state{Phase: idle, Old: s.Phase == preparing}, nil, true
	case s.Phase == clearing:
		return s.to(idle, uninstallationFailed), nil, true
	}
	return state{Phase: installed, Result: uninstallationFailed}, nil, true
}

// giveUp ends what has ended the program several times. Software does not run after a restart.
func (s state) giveUp() (state, []action, bool) {
	switch s.Phase {
	case starting, stopping:
		return state{Phase: installed, Result: s.Result}, nil, true
	case removing, preparing, clearing:
		return s.uninstallEnds(uninstallFailed)
	}
	return s, nil, false
}

// restart never installs: whether an installation had begun before the restart is not known. The
// other actions can be repeated.
func (s state) restart(f facts) (state, []action, bool) {
	switch s.Phase {
	case installing:
		switch {
		case f.present:
			return state{Phase: installed, Result: installedResult}, []action{discard}, true
		case f.lost:
			return s.to(idle, installationFailed), []action{discard}, true
		}
		return s.to(delivered, installationFailed), nil, true
	case verifying, delivered:
		switch {
		case f.lost || f.gaveUp:
			return s.to(idle, integrityCheckFailed), []action{discard}, true
		case s.Phase == verifying:
			return s, []action{verify}, true
		}
		return s, nil, true
	case receiving:
		return s.to(idle, connectionLost), []action{discard}, true
	case fetching:
		return s, []action{fetch}, true
	case installed:
		if s.Active {
			s.Phase, s.Active = starting, false
			return s, []action{activate}, true
		}
		return s, []action{discard}, true
	}
	if f.gaveUp {
		return s.giveUp()
	}
	switch s.Phase {
	case starting:
		return s, []action{activate}, true
	case stopping:
		s.Active = false
		return s, []action{deactivate}, true
	case removing:
		return s, []action{uninstall}, true
	case preparing:
		return s, []action{prepare}, true
	case clearing:
		return s, []action{discard, uninstall}, true
	}
	return s, []action{discard}, true
}
