package softwaremanagement

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// decider is next, or next with a planted fault.
type decider func(state, event, facts) (state, []action, bool)

// software is what is on the device.
type software uint8

const (
	none software = iota
	complete
	prepared // complete before, and prepared for an update
)

// background is what runs in the background.
type background uint8

const (
	nothing background = iota
	runsFetch
	runsVerify
	runsInstall
	runsActivate
	runsDeactivate
	runsUninstall
	runsPrepare
)

// world is a device as the actions leave it, together with the state of one component. Only a
// package that was verified is good.
type world struct {
	state
	work     background
	image    int // 0 none, 1 a part, 2 the whole
	good     bool
	software software
	running  bool
	begun    bool // an installation has begun and its end is not known
}

// events are all events with every result that next distinguishes.
func events() (list []event) {
	for k := range kinds {
		switch k {
		case packageFailed, fetchFailed, verifyFailed, installFailed:
			for r := range result(62) {
				list = append(list, event{k, r})
			}
		default:
			list = append(list, event{kind: k})
		}
	}
	return list
}

func combinations() (list []facts) {
	for b := range 16 {
		list = append(list, facts{b&1 != 0, b&2 != 0, b&4 != 0, b&8 != 0})
	}
	return list
}

// ends tells which work an event can end.
var ends = map[kind][]background{
	fetchEnded: {runsFetch}, fetchFailed: {runsFetch},
	verifyPassed: {runsVerify}, verifyFailed: {runsVerify},
	installEnded: {runsInstall}, installFailed: {runsInstall},
	activated: {runsActivate}, activateFailed: {runsActivate},
	deactivated: {runsDeactivate}, deactivateFailed: {runsDeactivate, runsUninstall, runsPrepare},
	uninstalled: {runsUninstall, runsPrepare}, uninstallFailed: {runsUninstall, runsPrepare},
}

// possible reports whether the event can happen in the world. Requests of servers always can.
func (w world) possible(e event, f facts) bool {
	if e.kind != restarted && (f.present || f.lost || f.gaveUp) {
		return false // read after a restart only
	}
	if works, ok := ends[e.kind]; ok {
		return slices.Contains(works, w.work) && (e.kind != deactivateFailed || w.work == runsDeactivate || w.Active)
	}
	switch e.kind {
	case packageEnded, packageFailed:
		return w.Phase == receiving || e.kind == packageFailed && w.Phase == verifying && w.work == runsVerify
	case restarted:
		return f.present == (f.present && w.begun) && (!f.lost || w.Phase.hasPackage()) &&
			(!f.gaveUp || repeats(w.Phase))
	}
	return true
}

// happen applies the effect of the event itself.
func (w *world) happen(e event, to state, f facts) {
	switch e.kind {
	case packageBegan:
		if to.Phase == receiving {
			w.image, w.good = 1, false
		}
	case packageEnded, fetchEnded:
		w.image = 2
	case verifyPassed:
		w.good = true
	case installEnded:
		w.software, w.running, w.begun = complete, false, false
	case installFailed:
		w.begun = false
	case activated, activateFailed:
		w.running = e.kind == activated
	case deactivated, deactivateFailed:
		w.running = e.kind == deactivateFailed
	case uninstalled:
		w.running, w.software = false, none
		if w.work == runsPrepare {
			w.software = prepared
		}
	case uninstallFailed:
		w.running = false
	case restarted:
		w.work, w.running = nothing, false
		if f.present {
			w.software = complete
		}
		if f.lost {
			w.image, w.good = 0, false
		}
		w.begun = false
	}
	if ends[e.kind] != nil {
		w.work = nothing
	}
}

// execute executes an action. It returns why the action is impossible, or "".
func (w *world) execute(a action, e event, f facts) string {
	bad := a != stop && a != discard && w.work != nothing
	switch a {
	case discard:
		bad, w.image, w.good = w.work != nothing, 0, false
	case fetch:
		w.work, w.image = runsFetch, max(w.image, 1)
	case verify:
		bad, w.work = bad || w.image != 2, runsVerify
	case install:
		switch {
		case !w.good:
			return "a package is installed that was not verified"
		case f.busy:
			return "two updates are installed at a time"
		case e.kind != installExecuted:
			return "a package is installed although nobody asked for it"
		}
		w.work, w.begun = runsInstall, true
	case activate:
		bad, w.work = bad || w.software != complete || w.running, runsActivate
	case deactivate:
		bad, w.work = bad || w.software != complete, runsDeactivate
	case uninstall:
		bad, w.work = bad || w.software == none, runsUninstall
	case prepare:
		bad, w.work = bad || w.software != complete, runsPrepare
	case stop:
		bad, w.work = w.work != runsFetch && w.work != runsVerify, nothing
	}
	if bad {
		return fmt.Sprintf("action %d is impossible", a)
	}
	return ""
}

// check applies an event to the world. It returns the next world and a fault, or "".
func (w world) check(e event, f facts, to state, actions []action, ok bool) (world, string) {
	if !ok {
		return w, w.refused(e, f, to, actions)
	}
	n := w
	n.happen(e, to, f)
	for _, a := range actions {
		if fault := n.execute(a, e, f); fault != "" {
			return n, fault
		}
	}
	n.state = to
	return n, n.fault(w, e, f)
}

// refused checks a refusal.
func (w world) refused(e event, f facts, to state, actions []action) string {
	s := w.Phase.resource()
	switch {
	case to != w.state || len(actions) > 0:
		return "a refused event has an effect"
	case e.kind == restarted || e.kind == resetWritten && w.Phase < installing:
		return "an event is refused that must not be"
	case ends[e.kind] != nil || e.kind == packageEnded || e.kind == packageFailed:
		return "the end of something is ignored"
	case e.kind == installExecuted && !f.busy && w.Phase == delivered,
		(e.kind == activateExecuted || e.kind == deactivateExecuted) && w.Phase == installed,
		(e.kind == uninstallExecuted || e.kind == uninstallForUpdate) && (w.Phase == installed || w.Phase == delivered),
		(e.kind == uninstallExecuted || e.kind == uninstallForUpdate) && w.Phase == idle && w.software == prepared,
		(e.kind == packageBegan || e.kind == uriWritten) && s == 0 && w.work == nothing:
		return "a request is refused that the state allows"
	}
	return ""
}

// runs is what runs in the background of each phase.
var runs = [phases]background{fetching: runsFetch, verifying: runsVerify, installing: runsInstall, starting: runsActivate,
	stopping: runsDeactivate, removing: runsUninstall, preparing: runsPrepare, clearing: runsUninstall}

// fault checks what must be true of a transition from w to n.
func (n world) fault(w world, e event, f facts) string {
	s, before := n.Phase.resource(), w.Phase.resource()
	isEnd := ends[e.kind] != nil || e.kind == restarted
	switch {
	case n.work != runs[n.Phase]:
		return "the wrong thing runs in the background"
	case s == 0 && n.image > 0, n.Phase == installed && e.kind == installEnded && n.image > 0:
		return "a package is left over"
	case n.Phase.hasPackage() && n.image != 2, (n.Phase == delivered || n.Phase == installing) && !n.good:
		return "the state promises a package that is not there"
	case s == 4 && n.software != complete:
		return "the state promises software that is not there"
	case n.Old != (n.software == prepared):
		return "software that was prepared for an update is forgotten, or made up"
	case s == 0 && n.software == complete:
		return "software that is installed is forgotten"
	case n.shownActive() && !n.running:
		return "software that does not run is shown as active"
	case n.running && !n.Active:
		return "software that runs is forgotten"
	case n.Result > uninstallationFailed, n.Result > verified && n.Result < notEnoughStorage, n.Result == 55:
		return "an unknown result"
	case (n.Result == downloading) != (s == 1), n.Result == verified && s != 3,
		n.Result == installedResult && s != 4, s == 4 && n.Result != installedResult && n.Result != uninstallationFailed,
		s == 2 && n.Result != initial:
		return "the result does not fit the state"
	case n.Result == uninstallationFailed && w.Result != uninstallationFailed && e.kind != uninstallFailed && e.kind != deactivateFailed &&
		!f.gaveUp:
		return "a failure to uninstall is made up"
	case (e.kind == uninstallFailed || e.kind == deactivateFailed && w.Phase != stopping) && n.Result != uninstallationFailed:
		return "a failure to uninstall is not reported"
	case s == 0 && before > 0 && before < 4 && n.Result == initial && e.kind != resetWritten && e.kind != uninstallExecuted &&
		e.kind != uninstallForUpdate:
		return "an update ends without a result"
	case w.Phase >= installing && runs[w.Phase] != nothing && n.Phase != w.Phase && !isEnd:
		return "what must not be disturbed is disturbed"
	case e.kind == resetWritten && (n.Phase != idle || n.Result != initial):
		return "a reset does not reset"
	case (e.kind == packageBegan || e.kind == uriWritten) && w.Phase != idle:
		return "an update begins while another one is under way"
	case e.kind == installFailed && e.result == integrityCheckFailed && s != 0:
		return "a bad package is kept"
	case e.kind == installFailed && e.result == installationFailed && s != 3:
		return "a good package is discarded"
	case e.kind == uninstallForUpdate && n.work == runsUninstall:
		return "software that is to be updated is removed"
	case e.kind == uninstallExecuted && w.software != none && n.work != runsUninstall,
		(e.kind == activateExecuted && n.Phase != starting && !w.Active) || e.kind == deactivateExecuted && n.Phase != stopping && w.Active:
		return "a request has no effect"
	}
	return n.afterRestart(w, e, f)
}

// afterRestart checks what a restart must keep.
func (n world) afterRestart(w world, e event, f facts) string {
	switch {
	case e.kind != restarted:
	case f.present && (n.Phase != installed || n.Result != installedResult):
		return "an installation that has succeeded is not reported"
	case w.Phase == installing && !f.present && n.Result != installationFailed:
		return "an installation that was interrupted is not reported"
	case w.Phase == installed && w.Active && n.Phase != starting:
		return "software that ran is not started again"
	case w.Phase == installed && !w.Active && n.Phase != installed:
		return "software is started although it did not run"
	case f.gaveUp && runs[n.Phase] != nothing:
		return "what ends the program is repeated for ever"
	case f.gaveUp && w.Phase > installed && n.Active:
		return "software that does not run is to run again"
	case runs[w.Phase] != nothing && w.Phase != installing && !f.lost && !f.gaveUp && n.Phase != w.Phase,
		w.Phase == delivered && !f.lost && n.state != w.state:
		return "a restart loses what was under way"
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
				to, actions, ok := next(w.state, e, f)
				n, fault := w.check(e, f, to, actions, ok)
				found(n, fault, e, f, to, actions)
			}
		}
	})
}

func TestEveryState(t *testing.T) {
	worlds, fault := explore(next)
	if fault != "" {
		t.Fatal(fault)
	}
	reached := map[phase]bool{}
	for _, w := range worlds {
		reached[w.Phase] = true
	}
	if len(reached) != int(phases) {
		t.Errorf("only %d phases are reachable", len(reached))
	}
	t.Logf("%d worlds", len(worlds))
}

// without drops the actions of one kind.
func without(a action) decider {
	return func(s state, e event, f facts) (state, []action, bool) {
		to, actions, ok := next(s, e, f)
		return to, slices.DeleteFunc(slices.Clone(actions), func(b action) bool { return a == b }), ok
	}
}

func withFacts(change func(*facts)) decider {
	return func(s state, e event, f facts) (state, []action, bool) {
		change(&f)
		return next(s, e, f)
	}
}

// onEvent replaces the decision for one kind of event in one phase. to changes the state.
func onEvent(k kind, p phase, to func(*state), ok bool, actions ...action) decider {
	return func(s state, e event, f facts) (state, []action, bool) {
		if e.kind == k && s.Phase == p {
			to(&s)
			return s, actions, ok
		}
		return next(s, e, f)
	}
}

// as sets phase and result.
func as(p phase, r result) func(*state) { return func(s *state) { s.Phase, s.Result = p, r } }

func unchanged(*state) {}

// faults are decisions that are wrong in one place each.
var faults = map[string]decider{
	"never discards":                 without(discard),
	"never fetches":                  without(fetch),
	"never verifies":                 without(verify),
	"never installs":                 without(install),
	"never activates":                without(activate),
	"never deactivates":              without(deactivate),
	"never uninstalls":               without(uninstall),
	"never prepares":                 without(prepare),
	"never stops what runs":          without(stop),
	"ignores other updates":          withFacts(func(f *facts) { f.busy = false }),
	"trusts every restart":           withFacts(func(f *facts) { f.present = true }),
	"never recognizes the software":  withFacts(func(f *facts) { f.present = false }),
	"never gives up":                 withFacts(func(f *facts) { f.gaveUp = false }),
	"trusts the storage":             withFacts(func(f *facts) { f.lost = false }),
	"installs again after a restart": onEvent(restarted, installing, as(installing, verified), true, install),
	"claims success after a restart": onEvent(restarted, installing, as(installed, installedResult), true, discard),
	"waits for ever after a restart": onEvent(restarted, installing, as(installing, verified), true),
	"installs what was not checked":  onEvent(fetchEnded, fetching, as(installing, verified), true, install),
	"installs unasked":               onEvent(verifyPassed, verifying, as(installing, verified), true, install),
	"resets an installation":         onEvent(resetWritten, installing, as(idle, initial), true, discard),
	"resets software":                onEvent(resetWritten, installed, as(idle, initial), true, discard),
	"refuses a reset":                onEvent(resetWritten, delivered, unchanged, false),
	"refuses Install":                onEvent(installExecuted, delivered, unchanged, false),
	"refuses Activate":               onEvent(activateExecuted, installed, unchanged, false),
	"refuses Uninstall":              onEvent(uninstallExecuted, delivered, unchanged, false),
	"replaces a package":             onEvent(uriWritten, delivered, as(fetching, downloading), true, discard, fetch),
	"overwrites software":            onEvent(uriWritten, installed, as(fetching, downloading), true, fetch),
	"keeps a half received package":  onEvent(restarted, receiving, as(delivered, verified), true),
	"forgets a download":             onEvent(restarted, fetching, as(idle, initial), true, discard),
	"loses a good package":           onEvent(installFailed, installing, as(idle, installationFailed), true, discard),
	"keeps a bad package":            onEvent(installFailed, installing, as(delivered, installationFailed), true),
	"keeps what did not verify":      onEvent(verifyFailed, verifying, as(delivered, verified), true),
	"claims success for a failure":   onEvent(installFailed, installing, as(installed, installedResult), true, discard),
	"reports no result":              onEvent(fetchFailed, fetching, as(idle, initial), true, discard),
	"ignores the end of installing":  onEvent(installEnded, installing, unchanged, false),
	"is active too early":            onEvent(activateExecuted, installed, func(s *state) { s.Active = true }, true),
	"is active after a failure":      onEvent(activateFailed, starting, func(s *state) { s.Phase, s.Active = installed, true }, true),
	"forgets that software runs":     onEvent(deactivateFailed, stopping, func(s *state) { s.Phase, s.Active = installed, false }, true),
	"does not start software again":  onEvent(restarted, installed, func(s *state) { s.Active = false }, true, discard),
	"trusts that software runs":      onEvent(restarted, installed, unchanged, true, discard),
	"forgets an interrupted start":   onEvent(restarted, starting, func(s *state) { s.Phase = installed }, true),
	"forgets an interrupted removal": onEvent(restarted, removing, func(s *state) { s.Phase = installed }, true),
	"removes too early":              onEvent(uninstallExecuted, installed, func(s *state) { *s = state{} }, true, uninstall),
	"forgets software after failure": onEvent(uninstallFailed, removing, func(s *state) { *s = state{Result: uninstallationFailed} }, true),
	"hides a failure to uninstall":   onEvent(uninstallFailed, removing, func(s *state) { *s = state{Phase: installed, Result: installedResult} }, true),
	"forgets prepared software":      onEvent(uninstalled, preparing, func(s *state) { *s = state{} }, true),
	"removes instead of preparing":   onEvent(uninstallForUpdate, installed, as(removing, installedResult), true, uninstall),
	"keeps prepared software":        onEvent(uninstallExecuted, idle, as(idle, initial), true),
	"forgets it with the package":    onEvent(uninstallExecuted, delivered, func(s *state) { *s = state{} }, true, discard),
	"disturbs an activation":         onEvent(uninstallExecuted, starting, as(removing, installedResult), true, uninstall),
	"keeps the last result": func(s state, e event, f facts) (state, []action, bool) {
		to, actions, ok := next(s, e, f)
		if to.Phase == receiving {
			to.Result = s.Result
		}
		return to, actions, ok
	},
}

// The exploration finds every planted fault.
func TestPlantedFaults(t *testing.T) { objecttest.FindFaults(t, faults, explore) }
