package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/term"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/session"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// readLines returns the lines of a reader.
func readLines(r io.Reader) <-chan string {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			lines <- s.Text()
		}
	}()
	return lines
}

// shell is the interactive session. The terminal is raw while a line is edited, so that reports
// that come in the meantime appear above the line, and normal while a command runs, so that an
// interrupt ends the command.
type shell struct {
	program  *program
	stdin    *os.File
	terminal *term.Terminal
	session  *session.Session
}

// readWriter joins the two ends of a terminal.
type readWriter struct {
	io.Reader
	io.Writer
}

// runShell runs the shell until quit or the end of the input.
func (p *program) runShell(stdin *os.File, stdout io.Writer) int {
	sh := &shell{program: p, stdin: stdin, terminal: term.NewTerminal(readWriter{stdin, stdout}, "> ")}
	sh.session = p.newSession(sh.terminal, terminalWidth(stdout))
	defer sh.session.Close()
	sh.terminal.AutoCompleteCallback = sh.complete
	sh.greet()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go sh.session.Follow(ctx)
	for {
		if status, end := sh.turn(); end {
			return status
		}
	}
}

// turn reads a line and runs it. An interrupt ends the commands; it is caught from before the
// terminal is normal again, so that it never ends the shell.
func (sh *shell) turn() (status int, end bool) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	line, err := sh.readLine()
	switch {
	case errors.Is(err, io.EOF): // Ctrl-D, Ctrl-C
		return 0, true
	case err != nil:
		fmt.Fprintln(sh.terminal, "lwm2mserver:", err)
		return exitFailed, true
	}
	switch err := sh.session.Run(ctx, line); {
	case errors.Is(err, session.ErrQuit):
		return 0, true
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(sh.terminal, "interrupted")
	case err != nil && !errors.Is(err, session.ErrRefused):
		fmt.Fprintln(sh.terminal, err)
	}
	return 0, false
}

// greet prints where the server listens and with what it bootstraps.
func (sh *shell) greet() {
	fmt.Fprintln(sh.terminal, "lwm2mserver, for development: type help, or flags for the flags of a client.")
	for _, l := range sh.program.listeners {
		fmt.Fprintln(sh.terminal, "listening at "+socket.ListenerURI(l))
	}
	for _, file := range sh.program.bootstrap {
		fmt.Fprintln(sh.terminal, "bootstrapping with "+file)
	}
	if k := sh.program.keys; k != nil && k.Made {
		fmt.Fprintln(sh.terminal, "made new keys in "+k.Dir())
	}
}

// readLine reads a line from the raw terminal.
func (sh *shell) readLine() (string, error) {
	fd := int(sh.stdin.Fd())
	if width, height, err := term.GetSize(fd); err == nil && width > 0 {
		_ = sh.terminal.SetSize(width, height)
	}
	state, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, state) }()
	return sh.terminal.ReadLine()
}

// complete extends the line at the cursor when the Tab key is pressed. If several texts fit, it
// inserts what they have in common, or prints them.
func (sh *shell) complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	before, after := line[:pos], line[pos:]
	start := strings.LastIndexAny(before, " ;") + 1
	all := sh.session.Complete(before)
	if len(all) == 0 {
		return line, pos, true
	}
	common := all[0]
	for _, text := range all[1:] {
		common = commonPrefix(common, text)
	}
	if len(common) > len(before)-start || len(all) == 1 {
		before = before[:start] + common
		return before + after, len(before), true
	}
	fmt.Fprintln(sh.terminal, strings.Join(all, "  "))
	return line, pos, true
}

// commonPrefix returns what a and b have in common, without regard to case, as a spells it.
func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && strings.EqualFold(a[n:n+1], b[n:n+1]) {
		n++
	}
	return a[:n]
}
