package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/script"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// followBootstraps prints the bootstrap sequences of devices, each step as soon as its outcome is
// known, until ctx ends.
func (s *Session) followBootstraps(ctx context.Context) {
	var sequences sync.WaitGroup
	defer sequences.Wait()
	for at := 0; ; {
		b, next, err := s.cfg.Server.WaitBootstrap(ctx, at, "")
		if err != nil {
			return
		}
		at = next
		sequences.Go(func() { s.followBootstrap(ctx, b) })
	}
}

// followBootstrap prints one bootstrap sequence until it is over.
func (s *Session) followBootstrap(ctx context.Context, b *lwm2mserver.Bootstrap) {
	r := Report{Kind: "bootstrap", Device: b.Endpoint(), Step: b.Request().String()}
	r.Time = b.Request().Time
	s.print(r)
	for result := range b.All(ctx) {
		s.print(s.step(b, result))
	}
	if ctx.Err() == nil {
		s.print(s.outcome(ctx, b))
	}
}

// step returns the report of one step.
func (s *Session) step(b *lwm2mserver.Bootstrap, result lwm2mserver.BootstrapResult) Report {
	var r Report
	if result.Answer.Code != 0 {
		r = s.answer(result.Answer, "")
	}
	r.Kind, r.Device, r.Time, r.Step = "bootstrap", b.Endpoint(), result.Time, result.Step.String()
	if result.Err != nil {
		r.Error = result.Err.Error()
	}
	return r
}

// outcome returns the report of the end of a sequence.
func (s *Session) outcome(ctx context.Context, b *lwm2mserver.Bootstrap) Report {
	r := Report{Kind: "bootstrap", Device: b.Endpoint(), Event: "bootstrapped"}
	if err := b.Wait(ctx); err != nil || !b.Finished() {
		r.Event, r.Error = "not bootstrapped", "the script has no Finish that the device accepts"
		if err != nil {
			r.Error = strings.TrimPrefix(err.Error(), "lwm2mserver: ")
		}
	}
	return r
}

// lastBootstrap returns the last sequence of a device, nil if there is none, and the position
// behind all sequences so far.
func (s *Session) lastBootstrap(endpoint string) (last *lwm2mserver.Bootstrap, at int) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		b, next, err := s.cfg.Server.WaitBootstrap(ended, at, "")
		if err != nil {
			return last, at
		}
		if at = next; b.Endpoint() == endpoint {
			last = b
		}
	}
}

// bootstrap makes a device request a bootstrap: it executes /1/x/9 as the management server. If the
// device has a file here, bootstrap waits for the end of the bootstrap.
func (c *command) bootstrap(ctx context.Context) error {
	nodes := c.device.Registration().Objects.Nodes
	i := slices.IndexFunc(nodes, func(n corelink.RegisteredNode) bool {
		return n.Path.Object() == 1 && n.Path.Level() == dm.InstanceLevel
	})
	if i < 0 {
		return fmt.Errorf("%q has registered no instance of the Server object: execute %s 1/INSTANCE/9", c.endpoint, c.endpoint)
	}
	_, at := c.lastBootstrap(c.endpoint)
	trigger := dm.ResourcePath(1, nodes[i].Path.Instance(), 9)
	if err := c.report(c.device.Execute(ctx, trigger.String(), "")); err != nil {
		return err
	}
	if _, here := c.cfg.Scripts.Of(c.endpoint); !here {
		return nil
	}
	b, _, err := c.cfg.Server.WaitBootstrap(ctx, at, c.endpoint)
	if err != nil {
		return fmt.Errorf("%q has sent no Bootstrap-Request within %v", c.endpoint, c.cfg.Timeout)
	}
	return c.waitFor(ctx, b)
}

// repeat performs the script of a device over the connection of its last bootstrap.
func (c *command) repeat(ctx context.Context) error {
	last, _ := c.lastBootstrap(c.endpoint)
	if last == nil {
		return fmt.Errorf("%q has sent no Bootstrap-Request", c.endpoint)
	}
	entries, err := c.cfg.Scripts.Entries(c.endpoint)
	if err != nil {
		return err
	}
	return c.waitFor(ctx, last.Repeat(script.Steps(entries)...))
}

// waitBootstrap waits for the end of the last bootstrap of a device, or of its first one.
func (c *command) waitBootstrap(ctx context.Context) error {
	b, _ := c.lastBootstrap(c.endpoint)
	if b == nil {
		var err error
		if b, _, err = c.cfg.Server.WaitBootstrap(ctx, 0, c.endpoint); err != nil {
			return fmt.Errorf("%q has sent no Bootstrap-Request within %v", c.endpoint, c.cfg.Timeout)
		}
	}
	return c.waitFor(ctx, b)
}

// waitFor waits for the end of a sequence and prints it, unless Follow does.
func (c *command) waitFor(ctx context.Context, b *lwm2mserver.Bootstrap) error {
	err := b.Wait(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !c.following.Load() {
		for _, result := range b.Results() {
			c.print(c.step(b, result))
		}
		c.print(c.outcome(ctx, b))
	}
	if err != nil || !b.Finished() {
		return ErrRefused
	}
	return nil
}

// listBootstraps lists the last sequence of each device.
func (c *command) listBootstraps(ctx context.Context) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for at := 0; ; {
		b, next, err := c.cfg.Server.WaitBootstrap(ended, at, "")
		if err != nil {
			return nil
		}
		at = next
		if len(c.args) > 0 && b.Endpoint() != c.args[0].text {
			continue
		}
		for _, result := range b.Results() {
			c.print(c.step(b, result))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		if b.Over() {
			c.print(c.outcome(ctx, b))
		}
	}
}

// script lists the bootstrap files, shows what one writes to a device, or uses another one.
func (c *command) script(context.Context) error {
	switch len(c.args) {
	case 0:
		names, files := c.cfg.Scripts.All()
		for _, name := range names {
			c.print(Report{Kind: "text", Text: fmt.Sprintf("%s: %s", name, files[name])})
		}
		return nil
	case 1:
		return c.showScript(c.args[0].text)
	case 2:
		if err := c.cfg.Scripts.Set(c.args[0].text, c.args[1].text); err != nil {
			return usageError(err.Error())
		}
		c.cfg.Server.FindScript(c.cfg.Scripts.Find)
		return nil
	}
	return c.usage()
}

// showScript prints the steps for a device with the values that they write, without secrets.
func (c *command) showScript(endpoint string) error {
	entries, err := c.cfg.Scripts.Entries(endpoint)
	if err != nil {
		return err
	}
	for _, step := range script.Steps(entries) {
		r := Report{Kind: "text", Text: step.String()}
		if step.Operation.Method == coap.PUT {
			p, _ := dm.ParsePath(step.Operation.Path)
			var written []dm.Entry
			for _, e := range entries {
				if r := c.cfg.Book.Resource(e.Path); p.Contains(e.Path) && e.Path.Level() >= dm.ResourceLevel {
					if r == nil || r.Secret {
						e.Value = e.Value.Hidden()
					}
					written = append(written, e)
				}
			}
			r.Values = c.values(written)
		}
		c.print(r)
	}
	return nil
}

// onScriptError prints why a device gets no bootstrap.
func (s *Session) onScriptError(endpoint string, err error) {
	s.print(Report{Kind: "bootstrap", Device: endpoint, Event: "not bootstrapped", Error: err.Error()})
}
