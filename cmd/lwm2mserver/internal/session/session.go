// Package session runs the commands of lwm2mserver on the devices of a server.
package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/script"
	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// Config configures a Session.
type Config struct {
	Server *lwm2mserver.Server
	Book   *names.Book
	// Scripts are the files of bootstraps.
	Scripts *script.Files
	// Print prints a report. It is called by one goroutine at a time.
	Print func(Report)
	// Flags returns the lines that the command flags prints.
	Flags func() []string
	// Timeout is how long a command waits for a device.
	Timeout time.Duration
}

// Session runs commands. One goroutine calls its methods; notifications are printed by others.
type Session struct {
	cfg    Config
	format content.Format // of requests; content.None means that it depends on the device

	mu           sync.Mutex
	observations map[int]*observation
	lastID       int
	notified     int           // the number of notifications so far
	arrived      chan struct{} // closed and replaced at every notification
	awaited      int           // the number of notifications that next has waited for
	resources    map[string][]dm.Path
	pulls        int        // the number of pulls so far
	reporting    sync.Mutex // held while Print runs
	watching     sync.WaitGroup
	following    atomic.Bool // Follow runs and prints bootstraps, and a user types commands

	// background ends with Close. Commands whose device sleeps run under it.
	background context.Context
	end        context.CancelFunc
}

// New returns a session. Its Close ends the observations.
func New(cfg Config) *Session {
	s := &Session{
		cfg: cfg, format: content.None, observations: map[int]*observation{}, arrived: make(chan struct{}),
		resources: map[string][]dm.Path{},
	}
	s.background, s.end = context.WithCancel(context.Background())
	cfg.Scripts.OnError(s.onScriptError)
	return s
}

// ErrQuit is the error of the command quit.
var ErrQuit = errors.New("quit")

// ErrRefused is the error of a command that the device refused. The report has been printed.
var ErrRefused = errors.New("the device refused the request")

// usageError is the error of a command that is not valid.
type usageError string

func (e usageError) Error() string { return string(e) }

// IsUsage reports whether err says that a command is not valid.
func IsUsage(err error) bool {
	var u usageError
	return errors.As(err, &u)
}

// Run runs the commands of a line. It stops at the first command that fails and returns its error.
func (s *Session) Run(ctx context.Context, line string) error {
	commands, err := parse(line)
	if err != nil {
		return usageError(err.Error())
	}
	for _, c := range commands {
		if err := s.runCommand(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) runCommand(ctx context.Context, words []word) error {
	v := findVerb(words[0].text)
	if v == nil {
		return usageError(fmt.Sprintf("there is no command %q; help lists all", words[0].text))
	}
	c := &command{Session: s, verb: v, args: words[1:]}
	if v.device {
		if len(c.args) == 0 {
			return c.usage()
		}
		c.endpoint = c.args[0].text
		c.args = c.args[1:]
	}
	if len(c.args) < v.min {
		return c.usage()
	}
	if v.device && !v.unregistered {
		device, ok := s.cfg.Server.Client(c.endpoint)
		if !ok {
			return fmt.Errorf("%q is not registered; %s", c.endpoint, s.registered())
		}
		c.device = device
		return c.runOnDevice(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, fmt.Errorf("no answer within %v", s.cfg.Timeout))
	defer cancel()
	return v.run(c, ctx)
}

// registered says which devices are registered.
func (s *Session) registered() string {
	if all := s.cfg.Server.Endpoints(); len(all) > 0 {
		return "registered are " + strings.Join(all, ", ")
	}
	return "no device is registered yet"
}

// print prints a report.
func (s *Session) print(r Report) {
	s.reporting.Lock()
	defer s.reporting.Unlock()
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	s.cfg.Print(r)
}

// Close ends the observations without a request to the devices, and commands that still wait for
// their device.
func (s *Session) Close() {
	s.end()
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.observations))
	s.mu.Unlock()
	for _, o := range all {
		o.stop()
	}
	s.watching.Wait()
}

// command is a command while it runs.
type command struct {
	*Session
	verb     *verb
	endpoint string              // the first argument of a command on a device
	device   *lwm2mserver.Client // nil if the command does not need a registered one
	args     []word              // the other arguments
	late     atomic.Bool         // the shell has gone on before the answer
	deadline deadline
}

func (c *command) usage() error { return usageError("usage: " + c.verb.usage) }

// has reports whether the device has an object.
func (c *command) has(id dm.ObjectID) bool {
	return slices.ContainsFunc(c.device.Registration().Objects.Nodes, func(n corelink.RegisteredNode) bool {
		return n.Path.Object() == id
	})
}

// path returns the path that the arguments begin with, and the arguments behind it. A name of
// several words is a path as long as it needs no quotes: the longest one that is known counts.
func (c *command) path(args []word) (dm.Path, []word, error) {
	if len(args) == 0 {
		return dm.Path{}, nil, c.usage()
	}
	n := 1
	for !args[0].quoted && n < len(args) && !args[n].quoted && !strings.Contains(args[n].text, "=") {
		n++
	}
	var first error
	for ; n > 0; n-- {
		p, err := c.cfg.Book.Path(join(args[:n]), c.has)
		if err == nil {
			return p, args[n:], nil
		}
		if first == nil {
			first = err
		}
	}
	return dm.Path{}, nil, usageError(first.Error())
}

// assign returns the entry of an assignment to a path, which text names.
func (c *command) assign(text, value string) (dm.Entry, error) {
	p, err := c.cfg.Book.Path(text, c.has)
	if err != nil {
		return dm.Entry{}, usageError(err.Error())
	}
	if r := c.cfg.Book.Resource(p); r != nil && r.Multiple && p.Level() == dm.ResourceLevel {
		return dm.Entry{}, usageError(fmt.Sprintf("%s has resource instances: write %s/ID=VALUE", r.Name, p))
	}
	v, err := c.cfg.Book.Value(p, value)
	if err != nil {
		return dm.Entry{}, usageError(err.Error())
	}
	return dm.Entry{Path: p, Value: v}, nil
}

// onlyPath returns the path that all arguments form.
func (c *command) onlyPath() (dm.Path, error) {
	p, rest, err := c.path(c.args)
	if err == nil && len(rest) > 0 {
		err = usageError(fmt.Sprintf("%q after the path %v; usage: %s", join(rest), p, c.verb.usage))
	}
	return p, err
}

// payloadFormat returns the format of a payload with several values: the one that the session is
// set to, or the first of the device's own formats that can carry it, or the one that its version
// of LwM2M brings.
func (c *command) payloadFormat(composite bool) content.Format {
	if c.format != content.None {
		return c.format
	}
	reg := c.device.Registration()
	for _, f := range reg.Objects.Formats {
		switch f {
		case content.SenMLCBOR, content.SenMLJSON:
			return f
		case content.TLV:
			if !composite {
				return f
			}
		}
	}
	if reg.Version == "1.0" && !composite {
		return content.TLV
	}
	return content.SenMLJSON
}

// count parses a number of an argument.
func count(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, usageError(fmt.Sprintf("%q is no number from %d", text, least))
	}
	return n, nil
}

// lastEvent returns the position behind all events so far, of which at is one.
func (s *Session) lastEvent(at int) int {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		_, next, err := s.cfg.Server.WaitEvent(ended, at, nil)
		if err != nil {
			return at
		}
		at = next
	}
}
