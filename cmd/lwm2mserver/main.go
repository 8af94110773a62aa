// Lwm2mserver is a LwM2M management server for development: something to try a device against. Do
// not put it on a public network.
//
//	lwm2mserver [-listen URI]... [-bootstrap FILE]... [-objects XML]... [-dir DIR] [-json]
//		[-c COMMANDS]
//
// With -bootstrap it is a bootstrap server, too: FILE says what it writes to a device. It shows
// devices as they register, and has a shell in which you read, write, observe and execute. Type
// help, or press Tab. With -c it runs commands and ends:
//
//	lwm2mserver -c 'wait heater-1; write heater-1 Heater/0/SetPoint 60'
//
// The exit status is 0, 1 if a command fails or a device refuses it, or 2 if the command line or a
// command is not valid.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/credentials"
	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/script"
	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/session"
	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	listen, objects list
	bootstrap       list
	dir             string
	commands        string
	script          bool // -c was given
	json            bool
	timeout, awake  time.Duration
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

const usage = `lwm2mserver: a LwM2M management server for development, not for public networks

Usage:

   lwm2mserver [-listen URI]... [-bootstrap FILE]... [-objects XML]... [-dir DIR] [-json] [-c COMMANDS]

Without -c and in a terminal, it has a shell: type help. Without a terminal, it reads
commands from its input. With -c it runs commands, which semicolons separate, and ends. The
exit status is 1 if a command fails or a device refuses it, and 2 if a command is not valid.

Flags:

`

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("lwm2mserver", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	f.Var(&o.listen, "listen", "listen at `URI`, such as coap://0.0.0.0 or coaps://[::1]:5684; may be given several times;\n"+
		"without it, coap, coaps, coap+tcp and coaps+tcp at 127.0.0.1 with their default ports")
	f.Var(&o.objects, "objects", "know the object definitions in `XML`, a file or a folder; may be given several times;\n"+
		"the objects that the toolkit ships are known without it")
	f.Var(&o.bootstrap, "bootstrap", "bootstrap devices with what `FILE` says, a YAML file as of lwm2mprovision; may be given\n"+
		"several times, as DEVICE=FILE for one device each")
	f.StringVar(&o.dir, "dir", "", "keep the keys in `DIR`; they are made by the first start and can be read by you alone\n"+
		"(default: lwm2mserver in your configuration folder)")
	f.StringVar(&o.commands, "c", "", "run `COMMANDS` and end")
	f.BoolVar(&o.json, "json", false, "print one line of JSON for each result, notification and event")
	f.DurationVar(&o.timeout, "timeout", 30*time.Second, "wait for a device for `TIME`, and for an image to advance")
	f.DurationVar(&o.awake, "awake", 0, "count a device in queue mode as asleep `TIME` after its last message (default 93s)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	f.Visit(func(f *flag.Flag) { o.script = o.script || f.Name == "c" })
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag; commands stand behind -c, in quotes", f.Arg(0))
	}
	if len(o.listen) == 0 {
		o.listen = defaultAddresses
	}
	return o, nil
}

// run runs the program and returns its exit status.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var addresses []address
	if err == nil {
		addresses, err = parseAddresses(o.listen)
	}
	if err != nil {
		fmt.Fprintln(stderr, "lwm2mserver:", err)
		return exitUsage
	}
	s, err := start(o, addresses)
	if err != nil {
		fmt.Fprintln(stderr, "lwm2mserver:", err)
		return exitFailed
	}
	defer s.server.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.script {
		return s.runScript(ctx, strings.NewReader(o.commands), stdout, stderr)
	}
	if tty, ok := stdin.(*os.File); ok && term.IsTerminal(int(tty.Fd())) {
		stop() // the shell handles interrupts itself
		return s.runShell(tty, stdout)
	}
	return s.runScript(ctx, stdin, stdout, stderr)
}

// program is the running server.
type program struct {
	options
	server    *lwm2mserver.Server
	listeners []socket.Listener
	keys      *credentials.Store // nil if no address is secured
	book      *names.Book
	scripts   *script.Files
}

func start(o options, addresses []address) (*program, error) {
	p := &program{options: o}
	var err error
	if p.book, err = names.NewBook(); err != nil {
		return nil, err
	}
	for _, path := range o.objects {
		if err := p.book.Load(path); err != nil {
			return nil, fmt.Errorf("-objects: %w", err)
		}
	}
	if slices.ContainsFunc(addresses, address.secured) {
		dir := o.dir
		if dir == "" {
			if dir, err = os.UserConfigDir(); err != nil {
				return nil, fmt.Errorf("%w; say with -dir where to keep keys", err)
			}
			dir = filepath.Join(dir, "lwm2mserver")
		}
		if p.keys, err = credentials.Open(dir, hosts(addresses)); err != nil {
			return nil, err
		}
	}
	if p.listeners, err = listen(addresses, p.keys); err != nil {
		return nil, err
	}
	if p.server, err = lwm2mserver.New(lwm2mserver.Config{Listeners: p.listeners, AwakeTime: o.awake}); err != nil {
		return nil, err
	}
	p.server.Define(p.book.Definitions()...)
	if err := p.loadScripts(); err != nil {
		p.server.Close()
		return nil, fmt.Errorf("-bootstrap: %w", err)
	}
	return p, nil
}

// newSession returns a session that prints to out. width returns the columns of the terminal; nil
// means that out is no terminal.
func (p *program) newSession(out io.Writer, width func() int) *session.Session {
	write := session.NewPrinter(out, width).Print
	if p.json {
		write = func(r session.Report) { _ = session.WriteJSON(out, r) }
	}
	return session.New(session.Config{
		Server: p.server, Book: p.book, Scripts: p.scripts, Timeout: p.timeout,
		Print: write,
		Flags: func() []string { return clientFlags(p.listeners, p.keys) },
	})
}

// terminalWidth returns a function that returns the columns of a terminal, or nil if out is none or
// cannot go back to the beginning of a line.
func terminalWidth(out io.Writer) func() int {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}

// runScript runs commands until one fails.
func (p *program) runScript(ctx context.Context, commands io.Reader, stdout, stderr io.Writer) int {
	s := p.newSession(stdout, terminalWidth(stdout))
	defer s.Close()
	lines := readLines(commands)
	for {
		var line string
		var ok bool
		select {
		case line, ok = <-lines:
		case <-ctx.Done():
			return exitFailed
		}
		if !ok {
			return 0
		}
		if code := p.runLine(ctx, s, line, stdout, stderr); code >= 0 {
			return code
		}
	}
}

// goOn is the status of a line after which the script goes on.
const goOn = -1

// runLine runs one line of a script, prints its error and returns the exit status of the program,
// or goOn.
func (p *program) runLine(ctx context.Context, s *session.Session, line string, stdout, stderr io.Writer) int {
	err := s.Run(ctx, line)
	switch {
	case err == nil:
		return goOn
	case errors.Is(err, session.ErrQuit):
		return 0
	case errors.Is(err, session.ErrRefused):
		return exitFailed
	case p.json:
		_ = session.WriteJSON(stdout, session.Report{Time: time.Now(), Kind: "error", Error: err.Error()})
	default:
		fmt.Fprintln(stderr, "lwm2mserver:", err)
	}
	if session.IsUsage(err) {
		return exitUsage
	}
	return exitFailed
}
