package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// argument says what completion offers for the arguments of a verb behind the device.
type argument int

const (
	noArgument  argument = iota
	onePath              // the first argument is a path
	subcommand           // the first is a verb of composite, all others are paths
	fileAndPath          // the first is a file of this machine, the second the path of an instance
)

// verb is a command of the shell.
type verb struct {
	name, usage, help string
	device            bool // the first argument is the name of a device
	unregistered      bool // the device need not be registered
	min               int  // the least number of further arguments
	completes         argument
	ops               registry.Operations // what completion wants the resource to allow
	run               func(*command, context.Context) error
}

// verbs returns the commands in the order of help.
func verbs() []*verb {
	return []*verb{
		{name: "devices", usage: "devices [DEVICE]", run: (*command).devices,
			help: "list the registered devices, or the objects of one"},
		{name: "read", usage: "read DEVICE PATH", device: true, min: 1, completes: onePath, ops: registry.R,
			run: (*command).read, help: "read an object, an instance, a resource or a resource instance"},
		{name: "write", usage: "write DEVICE PATH VALUE | write DEVICE PATH NAME=VALUE...", device: true, min: 2,
			completes: onePath, ops: registry.W, run: (*command).write,
			help: "replace a resource, all resources of an instance, or all instances of a resource (ID=VALUE)"},
		{name: "write-partial", usage: "write-partial DEVICE PATH NAME=VALUE...", device: true, min: 2,
			completes: onePath, ops: registry.W, run: (*command).write, help: "write, and keep what is not named"},
		{name: "observe", usage: "observe DEVICE PATH [pmin=1 ...]", device: true, min: 1, completes: onePath,
			ops: registry.R, run: (*command).observe, help: "observe a path; notifications are printed as they come"},
		{name: "observations", usage: "observations", run: (*command).listObservations, help: "list the observations"},
		{name: "cancel", usage: "cancel NUMBER", min: 1, run: (*command).cancel,
			help: "cancel an observation by its number"},
		{name: "execute", usage: "execute DEVICE PATH [ARGUMENTS]", device: true, min: 1, completes: onePath,
			ops: registry.E, run: (*command).execute, help: "execute a resource, with arguments such as 0='5',1"},
		{name: "create", usage: "create DEVICE OBJECT[/ID] [NAME=VALUE...]", device: true, min: 1, completes: onePath,
			run: (*command).create, help: "create an instance; without an ID the device chooses one"},
		{name: "delete", usage: "delete DEVICE PATH", device: true, min: 1, completes: onePath, run: (*command).remove,
			help: "delete an instance or a resource instance"},
		{name: "discover", usage: "discover DEVICE PATH [depth=N]", device: true, min: 1, completes: onePath,
			run: (*command).discover, help: "list what is below a path, with attributes"},
		{name: "attributes", usage: "attributes DEVICE PATH pmin=1 ...", device: true, min: 2, completes: onePath,
			run: (*command).attributes, help: "write attributes; a name without = removes the attribute"},
		{name: "composite", usage: "composite DEVICE read PATH... | composite DEVICE observe PATH... [pmin=1 ...] | composite DEVICE write PATH=VALUE...",
			device: true, min: 2, completes: subcommand, run: (*command).composite,
			help: "read, observe or write several paths in one request"},
		{name: "push", usage: "push DEVICE FILE [PATH] [-update] [-wait TIME]", device: true, min: 1, completes: fileAndPath,
			run: (*command).push, help: "write an image to the firmware (5/0) or to PATH, an instance of object 5, 9 or 33629; -update installs it; -wait bounds the time to verify or to install, 10m without"},
		{name: "pull", usage: "pull DEVICE FILE [PATH] [-update] [-wait TIME] [-uri URI]", device: true, min: 1, completes: fileAndPath,
			run: (*command).pull, help: "have a device download an image from this server, at URI if the device knows it by another one; otherwise as push"},
		{name: "bootstrap", usage: "bootstrap DEVICE", device: true, run: (*command).bootstrap,
			help: "make a device request a bootstrap: execute /1/x/9"},
		{name: "bootstraps", usage: "bootstraps [DEVICE]", run: (*command).listBootstraps,
			help: "list the bootstraps so far with their steps, all or those of one device"},
		{name: "repeat", usage: "repeat DEVICE", device: true, unregistered: true, run: (*command).repeat,
			help: "bootstrap a device again that keeps the connection of its last bootstrap, without its request"},
		{name: "script", usage: "script | script DEVICE [FILE]", run: (*command).script,
			help: "list the bootstrap files, show what is written to a device, or use FILE for it; * means every device"},
		{name: "wait-bootstrap", usage: "wait-bootstrap DEVICE", device: true, unregistered: true,
			run: (*command).waitBootstrap, help: "wait until a device is bootstrapped"},
		{name: "wait", usage: "wait DEVICE", device: true, unregistered: true, run: (*command).wait, help: "wait until a device is registered"},
		{name: "next", usage: "next [NUMBER]", run: (*command).next,
			help: "wait for the next notification, or for several"},
		{name: "held", usage: "held [DEVICE]", run: (*command).held,
			help: "list the requests that wait until their device wakes up, of all devices or of one"},
		{name: "restart", usage: "restart WHAT", min: 1, run: (*command).restart,
			help: "forget sessions, registrations, or all, as a server may that restarts"},
		{name: "format", usage: "format [NAME]", run: (*command).setFormat,
			help: "choose the format of requests: " + strings.Join(formatNames(), ", ")},
		{name: "flags", usage: "flags", run: (*command).flags,
			help: "print flags for a client of each address, the keys included"},
		{name: "help", usage: "help [COMMAND]", run: (*command).help, help: "list the commands, or describe one"},
		{name: "quit", usage: "quit", run: (*command).quit, help: "end the server"},
	}
}

func findVerb(name string) *verb {
	all := verbs()
	if i := slices.IndexFunc(all, func(v *verb) bool { return v.name == name }); i >= 0 {
		return all[i]
	}
	return nil
}

func (c *command) help(context.Context) error {
	var lines []string
	if len(c.args) > 0 {
		v := findVerb(c.args[0].text)
		if v == nil {
			return usageError(fmt.Sprintf("there is no command %q", c.args[0].text))
		}
		lines = []string{v.usage, "    " + v.help}
	} else {
		for _, v := range verbs() {
			lines = append(lines, fmt.Sprintf("%-14s %s", v.name, v.help))
		}
		lines = append(lines, "", "A PATH consists of numbers or names: 3303/0/5700, Temperature/0/Sensor Value.",
			"The Tab key completes commands, devices and paths.")
	}
	c.print(Report{Kind: "text", Text: strings.Join(lines, "\n")})
	return nil
}

func (c *command) quit(context.Context) error { return ErrQuit }

func (c *command) flags(context.Context) error {
	c.print(Report{Kind: "text", Text: strings.Join(c.cfg.Flags(), "\n")})
	return nil
}

// formats are the formats by their names in commands.
var formats = []struct {
	name   string
	format content.Format
}{
	{"auto", content.None}, {"text", content.Text}, {"opaque", content.Opaque}, {"cbor", content.CBOR},
	{"senml-json", content.SenMLJSON}, {"senml-cbor", content.SenMLCBOR}, {"tlv", content.TLV},
	{"lwm2m-json", content.LwM2MJSON}, {"lwm2m-cbor", content.LwM2MCBOR},
}

func formatNames() []string {
	var all []string
	for _, f := range formats {
		all = append(all, f.name)
	}
	return all
}

func (c *command) setFormat(context.Context) error {
	for _, f := range formats {
		switch {
		case len(c.args) == 0 && f.format == c.format:
			c.print(Report{Kind: "text", Text: f.name})
			return nil
		case len(c.args) > 0 && f.name == c.args[0].text:
			c.Session.format = f.format
			return nil
		}
	}
	return usageError(fmt.Sprintf("there is no format %q; there are %s", join(c.args), strings.Join(formatNames(), ", ")))
}

// devices lists the devices, or the objects of one.
func (c *command) devices(context.Context) error {
	if len(c.args) == 0 {
		for _, name := range c.cfg.Server.Endpoints() {
			if dev, ok := c.cfg.Server.Client(name); ok {
				reg := dev.Registration()
				c.print(Report{Kind: "device", Device: name, Text: fmt.Sprintf("LwM2M %s, %s, %d objects and instances%s",
					reg.Version, lifetime(reg.Lifetime), len(reg.Objects.Nodes), presence(dev))})
			}
		}
		return nil
	}
	dev, ok := c.cfg.Server.Client(c.args[0].text)
	if !ok {
		return fmt.Errorf("%q is not registered; %s", c.args[0].text, c.registered())
	}
	r := Report{Kind: "device", Device: c.args[0].text, Text: strings.TrimPrefix(presence(dev), ", ")}
	for _, n := range dev.Registration().Objects.Nodes {
		link := Link{Path: n.Path.String(), Name: c.cfg.Book.Name(n.Path)}
		if n.Version != (registry.Version{}) {
			link.text = "version " + n.Version.String()
			link.Attributes = map[string]string{"ver": n.Version.String()}
		}
		r.Links = append(r.Links, link)
	}
	c.print(r)
	return nil
}

// lifetime returns the lifetime of a registration for people.
func lifetime(d time.Duration) string {
	if d == 0 {
		return "never expires"
	}
	return "lifetime " + d.String()
}

func (c *command) wait(ctx context.Context) error {
	_, err := c.cfg.Server.WaitRegistered(ctx, c.endpoint)
	if err != nil {
		return fmt.Errorf("%q did not register within %v; %s", c.endpoint, c.cfg.Timeout, c.registered())
	}
	return nil
}

// restart makes the server forget what a restart may lose.
func (c *command) restart(context.Context) error {
	lost, ok := map[string]lwm2mserver.Loss{
		"sessions": lwm2mserver.LoseSessions, "registrations": lwm2mserver.LoseRegistrations,
		"all": lwm2mserver.LoseSessions | lwm2mserver.LoseRegistrations,
	}[join(c.args)]
	if !ok {
		return c.usage()
	}
	c.cfg.Server.Restart(lost)
	return nil
}

// next waits for notifications that no earlier next has waited for.
func (c *command) next(ctx context.Context) error {
	n := 1
	if len(c.args) > 0 {
		var err error
		if n, err = strconv.Atoi(c.args[0].text); err != nil || n < 1 {
			return c.usage()
		}
	}
	c.mu.Lock()
	want := c.awaited + n
	c.mu.Unlock()
	for {
		c.mu.Lock()
		missing, arrived := want-c.notified, c.arrived
		if missing <= 0 {
			c.awaited = want
		}
		c.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d notifications did not come within %v", missing, n, c.cfg.Timeout)
		}
	}
}
