package account

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the tables of docs/registration.md from the decisions")

// page is where users read the decisions.
const page = "../../../../docs/registration.md"

func describe(actions []Action) string {
	var parts []string
	for _, a := range actions {
		switch a.Do {
		case Send:
			text := a.Request.String()
			if a.VersionStep > 0 && a.Request == Register {
				text += [...]string{"", " one version", " two versions"}[a.VersionStep] + " lower"
			}
			if a.NoFormats && a.Request == Register {
				text += " without ct"
			}
			if a.Full {
				text += " with everything"
			}
			parts = append(parts, text)
		case StartTimer:
			what := [...]string{InitialDelay: "first attempt", NextAttempt: "next attempt", UpdateRetry: "Update again", NextUpdate: "Update"}[a.Timer]
			parts = append(parts, what+" in "+hours(a.After))
		default:
			parts = append(parts, [...]string{Dial: "connect", CancelRequest: "cancel the request", SuspendConnection: "disconnect, keep the session",
				CloseConnection: "disconnect", StopTimer: "timer off", StartWindow: "awake window on", StopWindow: "awake window off",
				ReceiverOff: "receiver off", ReceiverOn: "receiver on",
				RequestBootstrap: "request a bootstrap", Remove: "forget the account"}[a.Do])
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func hours(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// typicalFacts are those of a device whose server is reachable, with three versions to offer.
func typicalFacts() Facts {
	f := setting(0)
	f.Versions, f.UntilStart = 3, 0
	return f
}

// typical is a state that the table shows, with the facts under which it is reached.
type typical struct {
	view  View
	state State
	facts Facts
}

// typicalStates returns a state for each view, in the order in which a device gets to them.
func typicalStates() (list []typical) {
	run := func(s State, f Facts, events ...Event) State {
		for _, e := range events {
			s, _ = Next(s, e, f)
			v := s.View(f)
			if !slices.ContainsFunc(list, func(t typical) bool { return t.view == v }) {
				list = append(list, typical{v, s, f})
			}
		}
		return s
	}
	with := func(change func(*Facts)) Facts {
		f := typicalFacts()
		change(&f)
		return f
	}
	look, connected, refused := Event{Kind: FactsChanged}, Event{Kind: DialSucceeded}, Event{Kind: ResponseReceived, Code: 0x83}
	registered := []Event{look, connected, {Kind: ResponseReceived, Code: Created, Location: true}}
	f := typicalFacts()
	run(State{}, with(func(f *Facts) { f.Turn = false }), look)
	up := run(State{}, f, registered...)
	run(up, f, Event{Kind: UpdateRequested})
	sleepy := with(func(f *Facts) { f.QueueMode = true })
	run(run(State{}, sleepy, registered...), sleepy, Event{Kind: WindowEnded})
	run(up, with(func(f *Facts) { f.RegisteredBefore = true }), Event{Kind: RegisterRequested})
	fired := Event{Kind: TimerFired}
	run(State{}, f, look, connected, refused, fired, refused, fired, refused, fired, refused)
	run(State{}, f, look, Event{Kind: DialImpossible})
	run(up, with(func(f *Facts) { f.Disabled = true }), look, Event{Kind: ResponseReceived, Code: Deleted})
	run(up, with(func(f *Facts) { f.Offline = true }), look)
	return list
}

// factChanges are the changes of facts that the table shows.
var factChanges = []struct {
	name    string
	change  func(*Facts)
	applies func(View) bool
}{
	{"its turn", func(f *Facts) { f.Turn = true }, func(v View) bool { return v == ViewInitial }},
	{"offline", func(f *Facts) { f.Offline = true }, func(v View) bool { return v != ViewSuspended }},
	{"online", func(f *Facts) { f.Offline = false }, func(v View) bool { return v == ViewSuspended }},
	{"disabled", func(f *Facts) { f.Disabled = true }, func(v View) bool { return v != ViewDeregistered && v != ViewDeregistering }},
	{"enabled", func(f *Facts) { f.Disabled = false }, func(v View) bool { return v == ViewDeregistered }},
	{"removed", func(f *Facts) { f.Removed = true }, func(View) bool { return true }},
	{"the offer changed", func(f *Facts) { f.OfferChanged = true }, func(v View) bool { return v == ViewRegistered || v == ViewAsleep }},
	{"the lifetime has passed", func(f *Facts) { f.Expired = true }, func(v View) bool { return v == ViewRegistered || v == ViewAsleep }},
}

// drawn selects the events of the diagram: those of a sound server and network, and the refusals
// that lead elsewhere.
func drawn(s State, e Event) bool {
	switch e.Kind {
	case AccountChanged, VersionsChanged, RegisterRequested, ReconnectRequested, WakeRequested, NetworkRefused:
		return false
	case ResponseReceived:
		accepted := [...]Code{Register: Created, Update: Changed, Deregister: Deleted}[s.Request]
		return e.Code == accepted && (e.Location || e.Code != Created) || s.Request != Deregister && (e.Code == 0x83 || e.Code == 0xa3)
	}
	return true
}

// transitionTables returns the table view x event and the diagram.
func transitionTables() (table, diagram string) {
	type line struct{ from, to, actions string }
	var lines, arrows grouped[line]
	for _, x := range typicalStates() {
		row := func(event string, s State, e Event, f Facts, draw bool) {
			to, actions := Next(s, e, f)
			v := to.View(f)
			if to == s && len(actions) == 0 && v == x.view {
				return
			}
			lines.add(line{x.view.String(), v.String(), describe(actions)}, event)
			if draw && v != x.view {
				arrows.add(line{from: x.view.String(), to: v.String()}, strings.ReplaceAll(event, ":", ""))
			}
		}
		for _, ev := range events {
			if x.state.expects(ev.e.Kind) && ev.e.Kind != FactsChanged {
				row(ev.name, x.state, ev.e, x.facts, drawn(x.state, ev.e))
			}
		}
		if x.view == ViewRegistered {
			awake, sleepy := x.state, x.facts
			awake.Window, sleepy.QueueMode = true, true
			row("awake window ended", awake, Event{Kind: WindowEnded}, sleepy, true)
		}
		for _, c := range factChanges {
			if c.applies(x.view) {
				f := x.facts
				c.change(&f)
				usual := x.view == ViewRegistered || x.view == ViewInitial || x.view == ViewSuspended || x.view == ViewDeregistered
				row(c.name, x.state, Event{Kind: FactsChanged}, f, usual)
			}
		}
	}
	var b, d strings.Builder
	b.WriteString("| in state | event | then | actions |\n|---|---|---|---|\n")
	for _, k := range lines.keys {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.from, strings.Join(lines.values[k], "; "), k.to, k.actions)
	}
	d.WriteString("```mermaid\nstateDiagram-v2\n")
	id := strings.NewReplacer(" ", "_", "-", "").Replace
	for _, k := range arrows.keys {
		labels := slices.Compact(arrows.values[k])
		if len(labels) > 3 {
			labels = append(labels[:3:3], fmt.Sprintf("%d more", len(labels)-3))
		}
		fmt.Fprintf(&d, "    %s --> %s: %s\n", id(k.from), id(k.to), strings.Join(labels, " / "))
	}
	d.WriteString("```\n")
	return b.String(), d.String()
}

// grouped collects values under keys, in the order of their first use.
type grouped[K comparable] struct {
	keys   []K
	values map[K][]string
}

func (g *grouped[K]) add(k K, v string) {
	if g.values == nil {
		g.values = map[K][]string{}
	}
	if g.values[k] == nil {
		g.keys = append(g.keys, k)
	}
	g.values[k] = append(g.values[k], v)
}

// codeTable returns what every response code leads to, for each request.
func codeTable() string {
	codes := []struct {
		name string
		e    Event
	}{
		{"2.01 Created", Event{Code: Created, Location: true}}, {"2.01 without Location-Path", Event{Code: Created}},
		{"2.02 Deleted", Event{Code: Deleted}}, {"2.04 Changed", Event{Code: Changed}},
		{"4.00 Bad Request", Event{Code: BadRequest, Formats: true}}, {"4.01 Unauthorized", Event{Code: 0x81}}, {"4.03 Forbidden", Event{Code: 0x83}},
		{"4.04 Not Found", Event{Code: 0x84}}, {"4.05 Method Not Allowed", Event{Code: 0x85}}, {"4.06 Not Acceptable", Event{Code: 0x86}},
		{"4.08 Request Entity Incomplete", Event{Code: 0x88}}, {"4.12 Precondition Failed", Event{Code: PreconditionFailed}},
		{"4.13 Request Entity Too Large", Event{Code: 0x8d}}, {"4.15 Unsupported Content-Format", Event{Code: 0x8f}},
		{"4.29 Too Many Requests, Max-Age 1 h", Event{Code: 0x9d, MaxAge: time.Hour}}, {"5.00 Internal Server Error", Event{Code: 0xa0}},
		{"5.01 Not Implemented", Event{Code: 0xa1}}, {"5.03 Service Unavailable, Max-Age 1 h", Event{Code: 0xa3, MaxAge: time.Hour}},
		{"5.04 Gateway Timeout", Event{Code: 0xa4}},
	}
	f := typicalFacts()
	left := f
	left.Disabled = true
	up := State{Connection: Connected, Registration: Known, Started: true, Outcome: Succeeded}
	registering, updating, leaving := up, up, up
	registering.Request, registering.Registration = Register, Unknown
	updating.Request, leaving.Request = Update, Deregister
	var b strings.Builder
	b.WriteString("| response | Register | Update | De-register |\n|---|---|---|---|\n")
	outcome := func(s State, e Event, f Facts) string {
		to, actions := Next(s, e, f)
		return to.View(f).String() + ": " + describe(actions)
	}
	row := func(name string, e Event) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, outcome(registering, e, f), outcome(updating, e, f), outcome(leaving, e, left))
	}
	for _, c := range codes {
		c.e.Kind = ResponseReceived
		row(c.name, c.e)
	}
	row("no response", Event{Kind: NoResponse})
	row("connection lost within 10 s", Event{Kind: ConnectionLost, Short: true})
	row("connection lost", Event{Kind: ConnectionLost})
	return b.String()
}

// TestPage keeps the tables of docs/registration.md equal to the decisions; -update writes them.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	table, diagram := transitionTables()
	for name, content := range map[string]string{"transitions": table, "diagram": diagram, "responses": codeTable()} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
		before, rest, ok := strings.Cut(now, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("docs/registration.md has no place for %s", name)
		}
		now = before + begin + content + end + after
	}
	if now == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/registration.md does not show what Next decides: run go test ./runtime/lwm2m/internal/account -update")
	}
	if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Error("docs/registration.md is rewritten: read it, and run the test again without -update")
}
