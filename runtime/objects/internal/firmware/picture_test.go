package firmware

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("update", false, "write the table and the picture of docs/updates.md from Next")

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
	{"restart, the image is lost", Event{Kind: Restarted}, Facts{ImageLost: true}},
	{"Cancel", Event{Kind: CancelExecuted}, Facts{}},
	{"a reset", Event{Kind: ResetWritten}, Facts{}},
}

var resultNames = [...]string{"0", "1 success", "2 no storage", "3 no memory", "4 connection lost", "5 integrity", "6 type",
	"7 URI", "8 failed", "9 protocol", "10 cancelled", "11 deferred"}

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
	return p != Idle && (!e.facts.RunsImage || p == Updating) && (!e.facts.ImageLost || p.HasImage())
}

// transitions calls f with each event that changes something in a phase.
func transitions(f func(p Phase, e shown, to State, actions []Action)) {
	for p := Idle; p <= Updating; p++ {
		for _, e := range shownEvents {
			s := typical(p)
			to, actions, ok := Next(s, e.event, e.facts)
			if ok && e.happens(p) && (to != s || e.event.Kind == Restarted) {
				if e.event.Kind == Restarted && p != Updating {
					e.text = strings.Replace(e.text, ", the old firmware runs", "", 1)
				}
				f(p, e, to, actions)
			}
		}
	}
}

// table returns the rows of docs/updates.md.
func table() string {
	var b strings.Builder
	b.WriteString("| phase | State | event | next phase | Update Result | and then |\n|---|---|---|---|---|---|\n")
	last := kinds
	transitions(func(p Phase, e shown, to State, actions []Action) {
		phase, state := "", ""
		if Kind(p) != last {
			phase, state, last = p.String(), fmt.Sprint(p.Resource()), Kind(p)
		}
		var then []string
		for _, a := range actions {
			then = append(then, [...]string{"discard the image", "download", "verify", "install", "start the period",
				"stop the period", "stop what runs"}[a])
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %v | %s | %s |\n", phase, state, e.text, to.Phase, resultNames[to.Result], strings.Join(then, ", "))
	})
	return b.String()
}

// picture draws the values of State as lines and each transition between them as an arrow.
func picture() []byte {
	const left, apart, top, step = 90, 200, 76, 26
	var rows []string
	at := func(s int64) int { return left + apart*int(s) }
	seen := map[string]bool{}
	transitions(func(p Phase, e shown, to State, _ []Action) {
		text := e.text
		if to.Result != Initial {
			text += ": " + resultNames[to.Result]
		}
		from, end := at(p.Resource()), at(to.Phase.Resource())
		if key := fmt.Sprint(from, end, text); from == end || seen[key] {
			return
		} else {
			seen[key] = true
		}
		y, tip, colour := top+step*len(rows)+12, -6, "#268bd2"
		if end < from {
			tip, colour = 6, "#859900"
		}
		rows = append(rows, fmt.Sprintf(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"/>`+
			`<polygon points="%d,%d %d,%d %d,%d" fill="%s"/><text x="%d" y="%d" text-anchor="middle" fill="#222222">%s</text>`,
			from, y, end, y, colour, end, y, end+tip, y-4, end+tip, y+4, colour, (from+end)/2, y-4, html.EscapeString(text)))
	})
	height := top + step*len(rows) + 24
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 %d" width="780" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		height, height)
	b.WriteString("<!-- Drawn by TestPage of runtime/objects/internal/firmware from the transition function. -->\n" +
		"<title>States of a firmware update</title>\n" + `<rect width="100%" height="100%" fill="#ffffff"/>` + "\n" +
		`<text x="20" y="24" font-size="14" font-weight="bold" fill="#222222">States of a firmware update</text>` + "\n")
	for s, name := range []string{"0 Idle", "1 Downloading", "2 Downloaded", "3 Updating"} {
		fmt.Fprintf(&b, `<text x="%d" y="50" text-anchor="middle" font-weight="bold" fill="#222222">%s</text>`+"\n", at(int64(s)), name)
		fmt.Fprintf(&b, `<line x1="%d" y1="58" x2="%d" y2="%d" stroke="#bbbbbb"/>`+"\n", at(int64(s)), at(int64(s)), height-10)
	}
	b.WriteString(strings.Join(rows, "\n") + "\n</svg>\n")
	return b.Bytes()
}

// TestPage compares the table and the picture of docs/updates.md with Next.
func TestPage(t *testing.T) {
	const begin, end = "<!-- begin transitions -->\n", "<!-- end transitions -->"
	page, svg := filepath.Join(docs, "updates.md"), filepath.Join(docs, "updates", "states.svg")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.ReplaceAll(string(text), "\r\n", "\n")
	before, rest, ok := strings.Cut(have, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table", page)
	}
	want, drawn := before+begin+table()+end+after, picture()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(svg), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(svg, drawn, 0o644); err != nil {
			t.Fatal(err)
		}
		if have != want {
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if have != want {
		t.Errorf("the table of %s is not what Next decides: run go test ./runtime/objects/internal/firmware -run TestPage -update", page)
	}
	if have, err := os.ReadFile(svg); err != nil || !bytes.Equal(bytes.ReplaceAll(have, []byte("\r\n"), []byte("\n")), drawn) {
		t.Errorf("%s is not what Next decides (%v): run go test ./runtime/objects/internal/firmware -run TestPage -update", svg, err)
	}
}
