package softwaremanagement

import (
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/objects/internal/statepage"
)

// shown is an event as users read it.
type shown struct {
	text  string
	event event
	facts facts
}

var shownEvents = []shown{
	{"the first block of Package", event{kind: packageBegan}, facts{}},
	{"the last block of Package", event{kind: packageEnded}, facts{}},
	{"the transfer of Package ends early", event{packageFailed, connectionLost}, facts{}},
	{"Package cannot be stored", event{packageFailed, notEnoughStorage}, facts{}},
	{"Package URI", event{kind: uriWritten}, facts{}},
	{"the download is complete", event{kind: fetchEnded}, facts{}},
	{"the download fails", event{fetchFailed, connectionLost}, facts{}},
	{"the package is good", event{kind: verifyPassed}, facts{}},
	{"the package is bad", event{verifyFailed, integrityCheckFailed}, facts{}},
	{"Install", event{kind: installExecuted}, facts{}},
	{"the installation ends", event{kind: installEnded}, facts{}},
	{"the installation fails", event{installFailed, installationFailed}, facts{}},
	{"the installation finds a bad package", event{installFailed, integrityCheckFailed}, facts{}},
	{"Activate", event{kind: activateExecuted}, facts{}},
	{"the software runs", event{kind: activated}, facts{}},
	{"the software cannot be activated", event{kind: activateFailed}, facts{}},
	{"Deactivate", event{kind: deactivateExecuted}, facts{}},
	{"the software has ended", event{kind: deactivated}, facts{}},
	{"the software cannot be deactivated", event{kind: deactivateFailed}, facts{}},
	{"Uninstall", event{kind: uninstallExecuted}, facts{}},
	{"Uninstall for an update", event{kind: uninstallForUpdate}, facts{}},
	{"the software is uninstalled", event{kind: uninstalled}, facts{}},
	{"the software cannot be uninstalled", event{kind: uninstallFailed}, facts{}},
	{"restart, the software is installed", event{kind: restarted}, facts{present: true}},
	{"restart", event{kind: restarted}, facts{}},
	{"restart, one too many", event{kind: restarted}, facts{gaveUp: true}},
	{"restart, the package is lost", event{kind: restarted}, facts{lost: true}},
	{"a reset", event{kind: resetWritten}, facts{}},
}

var resultNames = map[result]string{initial: "0", downloading: "1 downloading", installedResult: "2 installed", verified: "3 verified",
	notEnoughStorage: "50 no storage", connectionLost: "52 connection lost", integrityCheckFailed: "53 integrity",
	installationFailed: "58 installation", uninstallationFailed: "59 uninstallation"}

var actionNames = [...]string{"discard the package", "download", "verify", "install", "activate", "deactivate", "uninstall",
	"prepare for an update", "stop what runs"}

// typical are the states of the table as they are reached first.
var typical = []state{
	{Phase: idle}, {Phase: receiving, Result: downloading}, {Phase: fetching, Result: downloading}, {Phase: verifying},
	{Phase: delivered, Result: verified}, {Phase: installing, Result: verified},
	{Phase: installed, Result: installedResult}, {Phase: starting, Result: installedResult},
	{Phase: installed, Result: installedResult, Active: true}, {Phase: stopping, Result: installedResult, Active: true},
	{Phase: removing, Result: installedResult}, {Phase: preparing, Result: installedResult},
	{Phase: idle, Old: true}, {Phase: clearing, Old: true},
}

// name returns the name of a state in the table.
func name(s state) string {
	switch {
	case s.Phase == installed && s.Active:
		return "Active"
	case s.Phase == idle && s.Old:
		return "Prepared"
	}
	return s.Phase.String()
}

// happens reports whether the event is shown for the state.
func (e shown) happens(s state) bool {
	switch {
	case e.event.kind == deactivateFailed:
		return s.Phase == stopping
	case e.event.kind != restarted:
		return !s.Old || s.Phase == clearing || e.event.kind >= uninstallExecuted
	}
	return s.Phase != idle && (!e.facts.gaveUp || repeats(s.Phase)) && (!e.facts.present || s.Phase == installing) && (!e.facts.lost || s.Phase.hasPackage())
}

// line returns the line of the picture of a state.
func line(s state) int64 {
	if s.shownActive() {
		return 5
	}
	return s.Phase.resource()
}

// TestPage compares the table and the picture of docs/ with next.
func TestPage(t *testing.T) {
	var rows, lines []statepage.Row
	for _, s := range typical {
		for _, e := range shownEvents {
			to, actions, ok := next(s, e.event, e.facts)
			if !ok || !e.happens(s) || to == s && e.event.kind != restarted {
				continue
			}
			var then []string
			for _, a := range actions {
				then = append(then, actionNames[a])
			}
			r := statepage.Row{Phase: name(s), From: s.Phase.resource(), Event: e.text, Next: name(to), To: to.Phase.resource(),
				Result: resultNames[to.Result], Then: strings.Join(then, ", ")}
			rows = append(rows, r)
			r.From, r.To, r.Result = line(s), line(to), drawn(to)
			lines = append(lines, r)
		}
	}
	phasesShown := map[phase]bool{}
	for _, s := range typical {
		phasesShown[s.Phase] = true
	}
	if len(phasesShown) != int(phases) || slices.ContainsFunc(rows, func(r statepage.Row) bool { return r.Result == "" }) {
		t.Error("a phase or a result is missing from the table")
	}
	states := []string{"0 Initial", "1 Download started", "2 Downloaded", "3 Delivered", "4 Installed", "4, and active"}
	statepage.Compare(t, "../../../docs", "software.md", statepage.Table(rows), "software.svg",
		statepage.Picture("States of a software component", "TestPage of runtime/objects/softwaremanagement", states, lines))
}

// drawn returns the result that the picture shows: those of failures, since a state has its own
// one otherwise.
func drawn(s state) string {
	if s.Result < notEnoughStorage {
		return "0"
	}
	return resultNames[s.Result]
}
