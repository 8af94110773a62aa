package firmware

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// decider is Next, or Next with a planted fault.
type decider func(State, Event, Facts) (State, []Action, bool)

// work is what runs in the background.
type work uint8

const (
	noWork work = iota
	fetching
	verifying
	installing
)

// world is a device as the actions leave it, together with the state. The image is counted in
// thirds: none, a part, the whole; only a verified one is good.
type world struct {
	State
	work      work
	image     int // 0 none, 1 a part, 2 the whole
	good      bool
	timer     bool
	permitted bool // a server, the user or Automatic Upgrade has asked for this installation
	installed bool // the image runs
	begun     bool // the installation of this image has begun at some time and not ended
}

// events are all events with every result that Next distinguishes.
func events() (list []Event) {
	for k := range kinds {
		switch k {
		case PackageFailed, FetchFailed, VerifyFailed, InstallFailed:
			for r := Initial; r <= DependencyError+1; r++ {
				list = append(list, Event{k, r})
			}
		default:
			list = append(list, Event{Kind: k})
		}
	}
	return list
}

func combinations() (list []Facts) {
	for b := range 64 {
		list = append(list, Facts{b&1 != 0, b&2 != 0, b&4 != 0, b&8 != 0, b&16 != 0, b&32 != 0})
	}
	return list
}

// possible reports whether the event can happen in the world. Requests of servers always can.
func (w world) possible(e Event, f Facts) bool {
	if e.Kind != Restarted && (f.RunsImage || f.ImageLost || f.Repeated) {
		return false // read after a restart only
	}
	switch e.Kind {
	case FetchEnded, FetchFailed:
		return w.work == fetching
	case VerifyPassed, VerifyFailed:
		return w.work == verifying
	case InstallEnded, InstallFailed:
		return w.work == installing
	case PackageEnded, PackageFailed:
		return w.Phase == Receiving || e.Kind == PackageFailed && w.Phase == Verifying && w.work == verifying
	case DeferralEnded:
		return w.timer
	case Restarted:
		return (!f.RunsImage || w.begun) && (!f.Repeated || w.Phase == Verifying) && f.ImageLost == (w.Phase.HasImage() && f.ImageLost)
	}
	return true
}

// happen applies the effect of the event itself.
func (w *world) happen(e Event, to State, f Facts) {
	switch e.Kind {
	case PackageBegan:
		if to.Phase == Receiving {
			w.image, w.good, w.installed, w.begun = 1, false, false, false
		}
	case PackageEnded, FetchEnded:
		w.image = 2
	case Covered:
		if to.Phase == Downloaded {
			w.image, w.good, w.installed, w.begun = 2, true, false, false
		}
	case VerifyPassed:
		w.good = true
	case UpdateExecuted, UserApproved, DeferralEnded:
		w.permitted = true
	}
	if e.Kind == VerifyPassed && f.Automatic {
		w.permitted = true
	}
	switch e.Kind {
	case FetchEnded, FetchFailed, VerifyPassed, VerifyFailed, InstallEnded, InstallFailed:
		w.work = noWork
	case Restarted:
		w.work, w.timer = noWork, false
		w.installed = f.RunsImage
		if f.ImageLost {
			w.image, w.good = 0, false
		}
	case DeferralEnded:
		w.timer = false
	}
	if e.Kind == InstallEnded {
		w.installed = true
	}
	if e.Kind == InstallEnded || e.Kind == InstallFailed {
		w.begun = false
	}
}

// execute executes an action. It returns why the action is impossible, or "".
func (w *world) execute(a Action, f Facts) string {
	bad := false
	switch a {
	case Discard:
		bad, w.image, w.good, w.begun = w.work != noWork, 0, false, false
	case Fetch:
		bad, w.work = w.work != noWork, fetching
		if w.image == 0 {
			w.image, w.installed = 1, false
		}
	case Verify:
		bad, w.work = w.work != noWork || w.image != 2, verifying
	case Install:
		switch {
		case !w.good:
			return "an image is installed that was not verified"
		case f.Busy:
			return "two updates are installed at a time"
		case !w.permitted:
			return "an image is installed although nobody asked for it"
		}
		bad, w.work = w.work != noWork, installing
		w.permitted, w.begun, w.installed = false, true, false
	case StartTimer:
		bad, w.timer = w.timer, true
	case StopTimer:
		w.timer = false
	case Stop:
		bad, w.work = w.work != fetching && w.work != verifying, noWork
	}
	if bad {
		return fmt.Sprintf("action %d is impossible", a)
	}
	return ""
}

// check applies an event to the world. It returns the next world and a fault, or "".
func (w world) check(e Event, f Facts, to State, actions []Action, ok bool) (world, string) {
	if !ok {
		if to != w.State || len(actions) > 0 {
			return w, "a refused event has an effect"
		}
		if e.Kind == Restarted || e.Kind == ResetWritten && w.Phase != Updating {
			return w, "an event is refused that must not be"
		}
		if e.Kind >= PackageEnded && e.Kind <= PackageFailed || e.Kind >= FetchEnded && e.Kind <= VerifyFailed ||
			e.Kind == InstallEnded || e.Kind == InstallFailed {
			return w, "the end of something is ignored"
		}
		if e.Kind == UpdateExecuted && !f.Busy && w.Phase.Resource() == 2 {
			return w, "Update is refused in the state Downloaded"
		}
		return w, ""
	}
	next := w
	next.happen(e, to, f)
	for _, a := range actions {
		if fault := next.execute(a, f); fault != "" {
			return next, fault
		}
	}
	next.State = to
	return next, next.fault(w, e, f)
}

// fault checks what must be true of a transition from w to n.
func (n world) fault(w world, e Event, f Facts) string {
	running := map[Phase]work{Fetching: fetching, Verifying: verifying}
	s := n.Phase.Resource()
	switch {
	case n.Phase != Updating && n.work != running[n.Phase]:
		return "the wrong thing runs in the background"
	case n.Phase == Updating && n.work != installing:
		return "Updating without an installation"
	case n.Phase == Idle && n.image > 0:
		return "an image is left over"
	case n.Phase.HasImage() && n.image != 2, n.Phase > Verifying && !n.good:
		return "the state promises an image that is not there"
	case n.timer != (n.Phase == Deferred):
		return "the timer does not fit the phase"
	case n.Result == Success && w.Result != Success && !n.installed:
		return "success is reported for an image that does not run"
	case n.Result == Success && s != 0, n.Result == Cancelled && s != 0, (n.Result == DeferredByUser) != (n.Phase == Deferred):
		return "the result does not fit the state"
	case n.Result > DependencyError:
		return "an unknown result"
	case n.Result == DependencyError && s != 2, n.Result == ConflictingState && s != 0:
		return "the result does not fit the state"
	case e.Kind == DependencyMissing && n.State != (State{Downloaded, DependencyError}):
		return "an update that lacks another one is not reported, or lost"
	case (s == 1 || s == 3) && n.Result != Initial:
		return "a result while the work is not done"
	case s == 0 && w.Phase != Idle && n.Result == Initial && e.Kind != ResetWritten:
		return "an update ends without a result"
	case w.Phase == Updating && (e.Kind < InstallEnded):
		return "an installation is disturbed"
	case w.Phase == Updating && n.installed && n.Result != Success:
		return "a success is not reported"
	case e.Kind == ResetWritten && n.State != (State{}):
		return "a reset does not reset"
	case e.Kind == CancelExecuted && n.State != (State{Idle, Cancelled}):
		return "a cancellation does not cancel"
	case w.Phase > Receiving && w.Phase != Updating && e.Kind == Restarted && !f.ImageLost && !f.Repeated && n.State != w.State:
		return "a restart loses the update"
	case e.Kind == Restarted && f.Repeated && n.Phase != Idle:
		return "an image that ends the program is verified for ever"
	case (e.Kind == PackageBegan || e.Kind == URIWritten) && w.Phase != Idle:
		return "an update begins while another one is under way"
	case e.Kind == InstallFailed && e.Result == IntegrityCheckFailed && s != 0:
		return "a bad image is kept"
	case e.Kind == InstallFailed && e.Result == UpdateFailed && s != 2:
		return "a good image is discarded"
	case e.Kind == UpdateExecuted && f.Ask && n.Phase != Deferred:
		return "the user is not asked"
	}
	return ""
}

// explore visits every world that next can reach, until it finds a fault.
func explore(next decider) (worlds []world, fault string) {
	return objecttest.Explore(world{}, func(w world, found func(world, string, ...any)) {
		for _, e := range events() {
			for _, f := range combinations() {
				if !w.possible(e, f) {
					continue
				}
				to, actions, ok := next(w.State, e, f)
				n, fault := w.check(e, f, to, actions, ok)
				n.permitted = n.permitted && n.Phase > Verifying
				found(n, fault, e, f, to, actions)
			}
		}
	})
}

func TestEveryState(t *testing.T) {
	worlds, fault := explore(Next)
	if fault != "" {
		t.Fatal(fault)
	}
	phases := map[Phase]bool{}
	for _, w := range worlds {
		phases[w.Phase] = true
	}
	if len(phases) != 7 {
		t.Errorf("only %d phases are reachable", len(phases))
	}
	t.Logf("%d worlds", len(worlds))
}

// without drops the actions of one kind.
func without(a Action) decider {
	return func(s State, e Event, f Facts) (State, []Action, bool) {
		to, actions, ok := Next(s, e, f)
		return to, slices.DeleteFunc(slices.Clone(actions), func(b Action) bool { return a == b }), ok
	}
}

func withFacts(change func(*Facts)) decider {
	return func(s State, e Event, f Facts) (State, []Action, bool) {
		change(&f)
		return Next(s, e, f)
	}
}

// onEvent replaces the decision for one kind of event in one phase.
func onEvent(k Kind, p Phase, to State, ok bool, actions ...Action) decider {
	return func(s State, e Event, f Facts) (State, []Action, bool) {
		if e.Kind == k && s.Phase == p {
			return to, actions, ok
		}
		return Next(s, e, f)
	}
}

// faults are decisions that are wrong in one place each.
var faults = map[string]decider{
	"never discards":                  without(Discard),
	"never fetches":                   without(Fetch),
	"never verifies":                  without(Verify),
	"never installs":                  without(Install),
	"never starts the timer":          without(StartTimer),
	"never stops the timer":           without(StopTimer),
	"never stops what runs":           without(Stop),
	"ignores other updates":           withFacts(func(f *Facts) { f.Busy = false }),
	"never asks":                      withFacts(func(f *Facts) { f.Ask = false }),
	"always upgrades":                 withFacts(func(f *Facts) { f.Automatic = true }),
	"trusts every restart":            withFacts(func(f *Facts) { f.RunsImage = true }),
	"never recognizes the image":      withFacts(func(f *Facts) { f.RunsImage = false }),
	"verifies for ever":               withFacts(func(f *Facts) { f.Repeated = false }),
	"trusts the storage":              withFacts(func(f *Facts) { f.ImageLost = false }),
	"installs again after a restart":  onEvent(Restarted, Updating, State{Updating, Initial}, true, Install),
	"claims success after a restart":  onEvent(Restarted, Updating, State{Idle, Success}, true, Discard),
	"waits for ever after a restart":  onEvent(Restarted, Updating, State{Updating, Initial}, true),
	"installs what was not checked":   onEvent(FetchEnded, Fetching, State{Updating, Initial}, true, Install),
	"cancels an installation":         onEvent(CancelExecuted, Updating, State{Idle, Cancelled}, true, Discard),
	"resets an installation":          onEvent(ResetWritten, Updating, State{}, true, Discard),
	"refuses a reset":                 onEvent(ResetWritten, Downloaded, State{Downloaded, Initial}, false),
	"refuses Update":                  onEvent(UpdateExecuted, Downloaded, State{Downloaded, Initial}, false),
	"replaces a downloaded image":     onEvent(URIWritten, Downloaded, State{Fetching, Initial}, true, Discard, Fetch),
	"keeps a half received image":     onEvent(Restarted, Receiving, State{Downloaded, Initial}, true),
	"forgets a download":              onEvent(Restarted, Fetching, State{}, true, Discard),
	"loses a good image":              onEvent(InstallFailed, Updating, State{Idle, UpdateFailed}, true, Discard),
	"keeps a bad image":               onEvent(InstallFailed, Updating, State{Downloaded, UpdateFailed}, true),
	"keeps what did not verify":       onEvent(VerifyFailed, Verifying, State{Downloaded, Initial}, true),
	"claims success for a failure":    onEvent(InstallFailed, Updating, State{Idle, Success}, true, Discard),
	"reports no result":               onEvent(FetchFailed, Fetching, State{}, true, Discard),
	"ignores the end of installation": onEvent(InstallEnded, Updating, State{Updating, Initial}, false),
	"keeps the last result": func(s State, e Event, f Facts) (State, []Action, bool) {
		to, actions, ok := Next(s, e, f)
		if to.Phase == Receiving {
			to.Result = s.Result
		}
		return to, actions, ok
	},
	"loses an image that lacks another":  onEvent(DependencyMissing, Downloaded, State{Idle, DependencyError}, true, Discard),
	"installs what lacks another":        onEvent(DependencyMissing, Downloaded, State{Updating, Initial}, true, Install),
	"keeps the timer of a broken batch":  onEvent(BatchBroken, Deferred, State{Downloaded, Initial}, true),
	"installs the rest of a broken one":  onEvent(BatchBroken, Deferred, State{Updating, Initial}, true, StopTimer, Install),
	"covers a component that downloads":  onEvent(Covered, Fetching, State{Downloaded, Initial}, true),
	"covers a component that installs":   onEvent(Covered, Updating, State{Downloaded, Initial}, true),
	"reports a conflict of an own image": onEvent(FetchFailed, Fetching, State{Fetching, ConflictingState}, true),
	"installs without being asked":       onEvent(VerifyPassed, Verifying, State{Updating, Initial}, true, Install),
}

// The exploration finds every planted fault.
func TestPlantedFaults(t *testing.T) { objecttest.FindFaults(t, faults, explore) }
