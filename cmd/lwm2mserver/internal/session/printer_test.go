package session

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/progress"
)

// A transfer is drawn over itself on a terminal, and gives way to other reports.
func TestPrinterDraws(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out, func() int { return 41 })
	at := func(done int64, ended bool) Report {
		return Report{Kind: "progress", Progress: &Progress{progress.Progress{Done: done, Size: 100}, true, ended}}
	}
	p.Print(at(5, false))
	p.Print(at(50, false))
	p.Print(Report{Kind: "text", Text: "hello"})
	p.Print(Report{Kind: "text", Text: "again"})
	p.Print(at(100, true))
	p.Print(Report{Kind: "text", Text: "end"})
	want := []string{
		"", "[#...................]   5 %  5 of 100 B",
		"[#########..........]  50 %  50 of 100 B",
		strings.Repeat(" ", 40), "hello\nagain\n",
		"[##################] 100 %  100 of 100 B\nend\n",
	}
	if got := out.String(); got != strings.Join(want, "\r") {
		t.Errorf("the printer writes\n%q, want\n%q", got, strings.Join(want, "\r"))
	}
}

// A shorter bar removes all of a longer one.
func TestPrinterOverwrites(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out, func() int { return 80 })
	p.Print(Report{Progress: &Progress{Progress: progress.Progress{Done: 500, Size: 1000, Rate: 100}}})
	before := out.Len()
	out.Reset()
	p.Print(Report{Progress: &Progress{Progress: progress.Progress{Done: 500, Size: 1000}}})
	if out.Len() != before {
		t.Errorf("%q has %d characters, the bar before %d", out.String(), out.Len(), before)
	}
}

// A transfer that the shell does not wait for is shown in lines, because the user edits one.
func TestPrinterLate(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out, func() int { return 80 })
	for _, step := range []bool{true, false} {
		p.Print(Report{Kind: "progress", Device: "dev", Command: "push", Late: true,
			Progress: &Progress{progress.Progress{Done: 5, Size: 100}, step, false}})
	}
	if want := "00:00:00.000 dev push: 5 %, 5 of 100 B\n"; out.String() != want {
		t.Errorf("the printer writes %q, want %q", out.String(), want)
	}
}

// In JSON, progress is left out.
func TestWriteJSONOfUpdates(t *testing.T) {
	var out strings.Builder
	two, none := int64(2), int64(0)
	for _, r := range []Report{
		{Kind: "progress", Progress: &Progress{}},
		{Kind: "update", Device: "dev", Command: "push", State: &two, Result: &none, Text: "State 2: Downloaded"},
	} {
		if err := WriteJSON(&out, r); err != nil {
			t.Error(err)
		}
	}
	want := `{"time":"0001-01-01T00:00:00Z","kind":"update","device":"dev","command":"push","state":2,"result":0,"text":"State 2: Downloaded"}` + "\n"
	if out.String() != want {
		t.Errorf("the reports are %s, want %s", out.String(), want)
	}
}
