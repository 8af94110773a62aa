package account

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// lifePage is where users read how a device sleeps, goes offline and restarts.
const lifePage = "../../../../docs/lifecycle.md"

// A scene is a picture of part of the decisions: the named events, in the states that they lead to.
type scene struct {
	name   string
	start  string // the name of the first state
	state  State
	facts  Facts
	events []sceneEvent
	hidden []View // states that are not left in the picture
}

// A sceneEvent is an event, or a change of the facts, under the name that the picture shows.
type sceneEvent struct {
	name   string
	e      Event
	change func(*Facts)
}

// scenes are the pictures of docs/lifecycle.md.
func scenes() []scene {
	known := typicalFacts()
	known.RegisteredBefore = true
	sleepy := known
	sleepy.QueueMode = true
	up := State{Connection: Connected, Registration: Known, Started: true, Outcome: Succeeded}
	awake := up
	awake.Window = true
	respond := func(name string, e Event) sceneEvent {
		e.Kind = ResponseReceived
		return sceneEvent{name: name, e: e}
	}
	registered := respond("2.01", Event{Code: Created, Location: true})
	updated, forgotten := respond("2.04", Event{Code: Changed}), respond("4.04", Event{Code: 0x84})
	survives := sceneEvent{name: "the session or address survives", e: Event{Kind: DialSucceeded, Survives: true}}
	fresh := sceneEvent{name: "a new session or address", e: Event{Kind: DialSucceeded}}
	silence := sceneEvent{name: "no response", e: Event{Kind: NoResponse}}
	begin := sceneEvent{name: "start", e: Event{Kind: FactsChanged}}
	return []scene{
		{
			name: "sleep", start: "registered", state: awake, facts: sleepy, hidden: []View{ViewReregistering},
			events: []sceneEvent{
				{name: "awake window ended", e: Event{Kind: WindowEnded}}, {name: "something is due", e: Event{Kind: WakeRequested}},
				{name: "Update is due", e: Event{Kind: TimerFired}}, updated, forgotten, silence, survives, fresh,
				{name: "connection lost", e: Event{Kind: ConnectionLost}},
			},
		},
		{
			name: "offline", start: "registered", state: up, facts: known, hidden: []View{ViewReregistering},
			events: []sceneEvent{
				{name: "Suspend", e: Event{Kind: FactsChanged}, change: func(f *Facts) { f.Offline = true }},
				{name: "Resume", e: Event{Kind: FactsChanged}, change: func(f *Facts) { f.Offline = false }},
				{name: "Reconnect", e: Event{Kind: ReconnectRequested}}, {name: "connection lost", e: Event{Kind: ConnectionLost}},
				survives, fresh, updated, forgotten, silence,
			},
		},
		{
			name: "restart", start: "started after Detach", state: Resumed(0, false, false), facts: known,
			events: []sceneEvent{begin, survives, fresh, updated, forgotten, silence, registered},
		},
	}
}

// picture draws a scene by following its events from the first state.
func (c *scene) picture(t *testing.T) string {
	type place struct {
		name  string
		state State
		facts Facts
	}
	type arrow struct{ from, to string }
	var arrows grouped[arrow]
	seen := map[string]bool{c.start: true}
	for todo := []place{{c.start, c.state, c.facts}}; len(todo) > 0; todo = todo[1:] {
		p := todo[0]
		for _, ev := range c.events {
			f := p.facts
			if ev.change != nil {
				ev.change(&f)
			}
			if !p.state.expects(ev.e.Kind) || ev.e.Kind == ResponseReceived && !answers(p.state.Request, ev.e.Code) {
				continue
			}
			to, actions := Next(p.state, ev.e, f)
			name := to.View(f).String()
			if to == p.state && len(actions) == 0 || name == p.name {
				continue
			}
			arrows.add(arrow{p.name, name}, ev.name)
			if hidden := containsView(c.hidden, to.View(f)); !seen[name] && !hidden {
				seen[name] = true
				todo = append(todo, place{name, to, f})
			}
		}
	}
	if len(arrows.keys) == 0 {
		t.Errorf("scene %s: nothing happens", c.name)
	}
	var d strings.Builder
	d.WriteString("```mermaid\nstateDiagram-v2\n")
	id := strings.NewReplacer(" ", "_", "-", "").Replace
	for _, k := range arrows.keys {
		fmt.Fprintf(&d, "    %s --> %s: %s\n", id(k.from), id(k.to), strings.Join(arrows.values[k], " / "))
	}
	d.WriteString("```\n")
	return d.String()
}

// answers reports whether a code is one that the scenes show for a request.
func answers(r Request, c Code) bool {
	switch r {
	case Register:
		return c == Created
	case Update:
		return c == Changed || c == 0x84
	}
	return false
}

func containsView(all []View, v View) bool {
	for _, x := range all {
		if x == v {
			return true
		}
	}
	return false
}

// TestLifePage keeps the pictures of docs/lifecycle.md equal to the decisions; -update writes them.
func TestLifePage(t *testing.T) {
	text, err := os.ReadFile(lifePage)
	if err != nil {
		t.Fatal(err)
	}
	now := string(text)
	for _, c := range scenes() {
		begin, end := "<!-- begin "+c.name+" -->\n", "<!-- end "+c.name+" -->\n"
		before, rest, ok := strings.Cut(now, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("docs/lifecycle.md has no place for %s", c.name)
		}
		now = before + begin + c.picture(t) + end + after
	}
	if now == string(text) {
		return
	}
	if !*update {
		t.Fatal("docs/lifecycle.md does not show what Next decides: run go test ./runtime/lwm2m/internal/account -update")
	}
	if err := os.WriteFile(lifePage, []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Error("docs/lifecycle.md is rewritten: read it, and run the test again without -update")
}
