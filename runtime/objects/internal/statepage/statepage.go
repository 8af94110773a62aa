// Package statepage lets tests keep the tables and pictures of state machines in docs/ equal to
// what the code decides.
package statepage

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

var update = flag.Bool("update", false, "write the tables and pictures of docs/ from the code")

// Row is a transition.
type Row struct {
	Phase, Event, Next, Result, Then string
	From, To                         int64 // values of the resource State
}

// Table returns the rows of a page. The result has the name of its resource.
func Table(rows []Row) string {
	var b strings.Builder
	b.WriteString("| phase | State | event | next phase | Update Result | and then |\n|---|---|---|---|---|---|\n")
	last := ""
	for _, r := range rows {
		phase, state := "", ""
		if r.Phase != last {
			phase, state, last = r.Phase, fmt.Sprint(r.From), r.Phase
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", phase, state, r.Event, r.Next, r.Result, r.Then)
	}
	return b.String()
}

// Picture draws the values of State as lines, and each transition between them as an arrow. test
// names the test that draws it.
func Picture(title, test string, states []string, rows []Row) []byte {
	const left, apart, top, step = 100, 240, 76, 26
	var arrows []string
	at := func(s int64) int { return left + apart*int(s) }
	seen := map[string]bool{}
	for _, r := range rows {
		text := r.Event
		if r.Result != "0" {
			text += ": " + r.Result
		}
		from, end := at(r.From), at(r.To)
		if key := fmt.Sprint(from, end, text); from == end || seen[key] {
			continue
		} else {
			seen[key] = true
		}
		y, tip, colour := top+step*len(arrows)+12, -6, "#268bd2"
		if end < from {
			tip, colour = 6, "#859900"
		}
		arrows = append(arrows, fmt.Sprintf(`<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"/>`+
			`<polygon points="%d,%d %d,%d %d,%d" fill="%s"/><text x="%d" y="%d" text-anchor="middle" fill="#222222" `+
			`stroke="#ffffff" stroke-width="4" paint-order="stroke">%s</text>`,
			from, y, end, y, colour, end, y, end+tip, y-4, end+tip, y+4, colour, (from+end)/2, y-4, html.EscapeString(text)))
	}
	width, height := at(int64(len(states)-1))+left, top+step*len(arrows)+24
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<!-- Drawn by %s from the transition function. -->\n<title>%s</title>\n"+
		`<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n"+
		`<text x="20" y="24" font-size="14" font-weight="bold" fill="#222222">%s</text>`+"\n", test, title, title)
	for s, name := range states {
		fmt.Fprintf(&b, `<text x="%d" y="50" text-anchor="middle" font-weight="bold" fill="#222222">%s</text>`+"\n", at(int64(s)), name)
		fmt.Fprintf(&b, `<line x1="%d" y1="58" x2="%d" y2="%d" stroke="#bbbbbb"/>`+"\n", at(int64(s)), at(int64(s)), height-10)
	}
	b.WriteString(strings.Join(arrows, "\n") + "\n</svg>\n")
	return b.Bytes()
}

// Compare compares the part of a page of docs/ between two markers with a table, and a picture in
// docs/updates with one. With -update it writes them. A picture without a name is left out.
func Compare(t *testing.T, docs, page, table, svg string, picture []byte) {
	t.Helper()
	const begin, end = "<!-- begin transitions -->\n", "<!-- end transitions -->"
	page = filepath.Join(docs, page)
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
	check(t, page, have, before+begin+table+end+after)
	if svg != "" {
		svg = filepath.Join(docs, "updates", svg)
		drawn, _ := os.ReadFile(svg) // what is not there is drawn
		check(t, svg, strings.ReplaceAll(string(drawn), "\r\n", "\n"), string(picture))
	}
}

func check(t *testing.T, file, have, want string) {
	t.Helper()
	switch {
	case have == want:
	case *update:
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the code decides: run go test . -run %s -update", file, t.Name())
	}
}
