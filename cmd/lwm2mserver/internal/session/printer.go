package session

import (
	"fmt"
	"io"
	"strings"
)

// A Printer prints reports for people. It shows transfers as bars on a terminal, and elsewhere with
// a line for each tenth.
type Printer struct {
	out   io.Writer
	width func() int
	bar   int // columns of the bar that the cursor is behind
}

// NewPrinter returns a Printer. width returns the columns of the terminal; nil means that out is no
// terminal.
func NewPrinter(out io.Writer, width func() int) *Printer { return &Printer{out: out, width: width} }

// Print prints a report. Errors of writing are ignored.
func (p *Printer) Print(r Report) {
	switch {
	case r.Progress == nil:
		p.erase()
	case p.width == nil || r.Late: // behind a late report is the line that the user edits
		if !r.Progress.Step {
			return
		}
	default:
		p.draw(r)
		return
	}
	_ = WriteText(p.out, r)
}

// draw draws a bar over the last one.
func (p *Printer) draw(r Report) {
	bar := r.Progress.Bar(p.width() - 1) // a full line would make some terminals wrap
	text := "\r" + bar + strings.Repeat(" ", max(p.bar-len(bar), 0))
	p.bar = len(bar)
	if r.Progress.Ended {
		text += "\n"
		p.bar = 0
	}
	_, _ = fmt.Fprint(p.out, text)
}

// erase removes the bar, so that a line can take its place.
func (p *Printer) erase() {
	if p.bar > 0 {
		_, _ = fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.bar)+"\r")
		p.bar = 0
	}
}
