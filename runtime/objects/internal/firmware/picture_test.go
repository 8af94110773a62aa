package firmware

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/objects/internal/statepage"
)

const docs = "../../../../docs"

// shown is an event as users read it.
type shown struct {
	text  string
	event Event
	facts Facts
}

var shownEvents = []shown{
	{"the first block of Package", Event{Kind: PackageBegan}, Facts{}},
	{"the last block of Package", Event{Kind: PackageEnded}, Facts{}},
	{"the transfer of Package ends early", Event{PackageFailed, ConnectionLost}, Facts{}},
	{"Package cannot be stored", Event{PackageFailed, NotEnoughStorage}, Facts{}},
	{"Package URI", Event{Kind: URIWritten}, Facts{}},
	{"the download is complete", Event{Kind: FetchEnded}, Facts{}},
	{"the download fails", Event{FetchFailed, ConnectionLost}, Facts{}},
	{"the image is good", Event{Kind: VerifyPassed}, Facts{}},
	{"the image is good, with Automatic Upgrade", Event{Kind: VerifyPassed}, Facts{Automatic: true}},
	{"the image is bad", Event{VerifyFailed, IntegrityCheckFailed}, Facts{}},
	{"Update", Event{Kind: UpdateExecuted}, Facts{}},
	{"Update, and the user postpones", Event{Kind: UpdateExecuted}, Facts{Ask: true}},
	{"Update while something else is updated", Event{Kind: UpdateExecuted}, Facts{Busy: true}},
	{"the user approves, or the period ends", Event{Kind: UserApproved}, Facts{}},
	{"the installation ends", Event{Kind: InstallEnded}, Facts{}},
	{"the installation fails", Event{InstallFailed, UpdateFailed}, Facts{}},
	{"the installation finds a bad image", Event{InstallFailed, IntegrityCheckFailed}, Facts{}},
	{"restart, the new firmware runs", Event{Kind: Restarted}, Facts{RunsImage: true}},
	{"restart, the old firmware runs", Event{Kind: Restarted}, Facts{}},
	{"restart, the third one", Event{Kind: Restarted}, Facts{Repeated: true}},
	{"restart, the image is lost", Event{Kind: Restarted}, Facts{ImageLost: true}},
	{"Cancel", Event{Kind: CancelExecuted}, Facts{}},
	{"a reset", Event{Kind: ResetWritten}, Facts{}},
}

// shownComponents are the events of a device with several components.
var shownComponents = []shown{
	{"an image for several components is good", Event{Kind: Covered}, Facts{}},
	{"the image is also for a component with an update of its own", Event{VerifyFailed, ConflictingState}, Facts{}},
	{"Update, and a dependency is open", Event{Kind: DependencyMissing}, Facts{}},
	{"a component leaves the postponed installation", Event{Kind: BatchBroken}, Facts{}},
}

var resultNames = [...]string{"0", "1 success", "2 no storage", "3 no memory", "4 connection lost", "5 integrity", "6 type",
	"7 URI", "8 failed", "9 protocol", "10 cancelled", "11 deferred", "12 conflicting", "13 dependency"}

var actionNames = [...]string{"discard the image", "download", "verify", "install", "start the period", "stop the period",
	"stop what runs"}

// typical returns the state of a phase as it is reached first.
func typical(p Phase) State {
	if p == Deferred {
		return State{p, DeferredByUser}
	}
	return State{p, Initial}
}

// happens reports whether the event is shown for the phase.
func (e shown) happens(p Phase) bool {
	if e.event.Kind != Restarted {
		return true
	}
	return p != Idle && (!e.facts.Repeated || p == Verifying) && (!e.facts.RunsImage || p == Updating) && (!e.facts.ImageLost || p.HasImage())
}

// rows returns the transitions of events that change something.
func rows(events []shown) (rows []statepage.Row) {
	for p := Idle; p <= Updating; p++ {
		for _, e := range events {
			s := typical(p)
			to, actions, ok := Next(s, e.event, e.facts)
			if !ok || !e.happens(p) || to == s && e.event.Kind != Restarted {
				continue
			}
			if e.event.Kind == Restarted && p != Updating {
				e.text = strings.Replace(e.text, ", the old firmware runs", "", 1)
			}
			var then []string
			for _, a := range actions {
				then = append(then, actionNames[a])
			}
			rows = append(rows, statepage.Row{Phase: p.String(), From: p.Resource(), Event: e.text, Next: to.Phase.String(),
				To: to.Phase.Resource(), Result: resultNames[to.Result], Then: strings.Join(then, ", ")})
		}
	}
	return rows
}

// TestPage compares the tables and the picture of docs/ with Next.
func TestPage(t *testing.T) {
	all := rows(shownEvents)
	states := []string{"0 Idle", "1 Downloading", "2 Downloaded", "3 Updating"}
	statepage.Compare(t, docs, "updates.md", statepage.Table(all), "states.svg",
		statepage.Picture("States of a firmware update", "TestPage of runtime/objects/internal/firmware", states, all))
	statepage.Compare(t, docs, "components.md", statepage.Table(rows(shownComponents)), "", nil)
}
