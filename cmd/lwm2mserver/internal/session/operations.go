package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

func (c *command) read(ctx context.Context) error {
	p, err := c.onlyPath()
	if err != nil {
		return err
	}
	return c.report(c.device.Read(ctx, p.String(), c.format))
}

// write serves write and write-partial.
func (c *command) write(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return c.usage()
	}
	send := c.device.Write
	if c.verb.name == "write-partial" {
		send = c.device.WritePartial
	}
	r := c.cfg.Book.Resource(p)
	single := p.Level() == dm.ResourceInstanceLevel || p.Level() == dm.ResourceLevel && (r == nil || !r.Multiple)
	if single {
		if len(rest) > 1 {
			return usageError(fmt.Sprintf("several values for %v: a value with blanks needs double quotes", p))
		}
		f, payload, err := c.singlePayload(p, rest[0].text)
		if err != nil {
			return err
		}
		return c.report(send(ctx, p.String(), f, payload))
	}
	entries, err := c.entries(p.String()+"/", rest)
	if err != nil {
		return err
	}
	f := c.payloadFormat(false)
	payload, err := lwm2mserver.Encode(f, p.String(), entries...)
	if err != nil {
		return err
	}
	return c.report(send(ctx, p.String(), f, payload))
}

// singlePayload returns the payload of one value, as plain text unless the session has a format.
func (c *command) singlePayload(p dm.Path, text string) (content.Format, []byte, error) {
	e, err := c.assign(p.String(), text)
	if err != nil {
		return 0, nil, err
	}
	f := content.Text
	if c.format != content.None {
		f = c.format
	}
	payload, err := lwm2mserver.Encode(f, p.String(), e)
	return f, payload, err
}

// entries returns the values of assignments to paths that begin with a text: below an instance
// (a resource or resource/ID), below a resource (an ID), or anywhere.
func (c *command) entries(below string, words []word) ([]dm.Entry, error) {
	list, err := assignments(words)
	if err != nil {
		return nil, err
	}
	var entries []dm.Entry
	for _, a := range list {
		e, err := c.assign(below+a.name, a.value)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	// Encoders need ascending paths.
	slices.SortFunc(entries, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	return entries, nil
}

func (c *command) execute(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	return c.report(c.device.Execute(ctx, p.String(), join(rest)))
}

// create makes an instance. A payload without the ID of the instance needs TLV, in which values may
// stand alone.
func (c *command) create(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	f, target := c.payloadFormat(false), content.Target{Base: p.Up(dm.ObjectLevel)}
	switch p.Level() {
	case dm.InstanceLevel:
		if len(rest) == 0 {
			return usageError("an instance with an ID needs at least one NAME=VALUE; without values the device chooses the ID")
		}
	case dm.ObjectLevel:
		p, _ = p.Child(0)
		f, target.Base = content.TLV, p
	default:
		return usageError(fmt.Sprintf("%v is no object and no instance; usage: %s", p, c.verb.usage))
	}
	entries, err := c.entries(p.String()+"/", rest)
	if err != nil {
		return err
	}
	payload, err := lwm2mserver.Encode(f, target.Base.String(), entries...)
	if err != nil {
		return err
	}
	return c.report(c.device.Create(ctx, p.Up(dm.ObjectLevel).String(), f, payload))
}

// remove serves delete.
func (c *command) remove(ctx context.Context) error {
	p, err := c.onlyPath()
	if err != nil {
		return err
	}
	return c.report(c.device.Delete(ctx, p.String()))
}

func (c *command) discover(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	return c.report(c.device.Discover(ctx, p.String(), texts(rest)...))
}

func (c *command) attributes(ctx context.Context) error {
	p, rest, err := c.path(c.args)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return c.usage()
	}
	return c.report(c.device.WriteAttributes(ctx, p.String(), texts(rest)...))
}

func texts(words []word) []string {
	var all []string
	for _, w := range words {
		all = append(all, strings.TrimSpace(w.text))
	}
	return all
}

// composite serves the three composite operations.
func (c *command) composite(ctx context.Context) error {
	operation, args := c.args[0].text, c.args[1:]
	f := c.payloadFormat(true)
	if operation == "write" {
		entries, err := c.entries("", args)
		if err != nil {
			return err
		}
		return c.report(c.device.WriteComposite(ctx, f, entries...))
	}
	var paths []string
	for len(args) > 0 && !strings.Contains(args[0].text, "=") {
		p, rest, err := c.path(args)
		if err != nil {
			return err
		}
		paths, args = append(paths, p.String()), rest
	}
	switch {
	case len(paths) == 0:
	case operation == "read" && len(args) == 0:
		return c.report(c.device.ReadComposite(ctx, f, paths...))
	case operation == "observe":
		obs, a, err := c.device.ObserveComposite(ctx, f, paths, texts(args)...)
		return c.begin(strings.Join(paths, " "), obs, a, err)
	}
	return c.usage()
}
