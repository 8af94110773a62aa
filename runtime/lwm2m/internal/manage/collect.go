package manage

// Values for a Send, which the device starts by itself (Core 1.2.2 §6.4.6). They are read with the
// rights of the server that receives them, as those of a Read-Composite.

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// LeftOut is a node that a report does not contain, and the reason.
type LeftOut struct {
	Path dm.Path
	Err  error
}

// Collect reads nodes of the device itself for a report to the server, and calls done on the loop
// with the values and with the nodes that the server may not read or that have no value. If none of
// the functions behind the values is slow, done is called before Collect returns.
func (p *Peer) Collect(paths []dm.Path, done func([]dm.Entry, []LeftOut)) {
	s := p.scope(nil)
	if s == nil {
		done(nil, nil)
		return
	}
	c := &collection{scope: s, snapshot: s.snapshot(), paths: content.Prune(slices.Clone(paths))}
	err := serve.ErrPanic
	p.m.cfg.guard(func() {
		err = c.read(p.fast)
		if !errors.Is(err, dm.ErrSlow) {
			done(c.outcome(err))
		}
	}, func() { done(c.outcome(serve.ErrPanic)) })
	if !errors.Is(err, dm.ErrSlow) {
		return
	}
	p.onWorker(func() error { return c.read(p.slow) }, func(err error) { done(c.outcome(err)) })
}

// collection is what one Collect reads.
type collection struct {
	scope    *scope
	snapshot dm.Snapshot
	paths    []dm.Path
	access   instanceAccess
	entries  []dm.Entry
	left     []LeftOut
	denied   dm.Path // the last instance that was left out
}

// outcome returns what was read. After an error that concerns all nodes, all are left out.
func (c *collection) outcome(err error) ([]dm.Entry, []LeftOut) {
	if err == nil {
		return c.entries, c.left
	}
	var left []LeftOut
	for _, p := range c.paths {
		left = append(left, LeftOut{p, err})
	}
	return nil, left
}

func (c *collection) read(ctx context.Context) error {
	c.entries, c.left, c.denied = nil, nil, dm.Path{}
	c.access = instanceAccess{access: &c.scope.access, op: Read}
	for _, p := range c.paths {
		if !p.IsRoot() {
			if err := c.readNode(ctx, p); err != nil {
				return err
			}
			continue
		}
		for o := range c.snapshot.Objects() {
			if c.scope.access.hides(o) {
				continue
			}
			if err := c.readNode(ctx, dm.ObjectPath(o)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNode reads one node, or notes why that is not possible. It fails only for a slow function
// that must not be called now.
func (c *collection) readNode(ctx context.Context, p dm.Path) error {
	err := error(nil)
	if c.scope.access.hides(p.Object()) {
		err = cannotReport(p, dm.Unauthorized, notOpen)
	} else if p.Level() > dm.ObjectLevel {
		err = c.access.check(p)
	}
	entries, left := len(c.entries), len(c.left)
	if err == nil {
		err = c.snapshot.Read(ctx, c.scope.peer.who, p, c.add)
	}
	switch {
	case errors.Is(err, dm.ErrSlow):
		return err
	case err != nil:
		c.entries = c.entries[:entries]
		c.left = append(c.left, LeftOut{p, err})
	case len(c.entries) == entries && len(c.left) == left && p.Level() > dm.ObjectLevel:
		c.left = append(c.left, LeftOut{p, dm.ErrNoValue})
	}
	return nil
}

// add adds a value of the walk, with bytes of its own.
func (c *collection) add(p dm.Path, v dm.Value) error {
	if err := c.access.check(p); err != nil {
		if i := p.Up(dm.InstanceLevel); c.denied != i {
			c.denied = i
			c.left = append(c.left, LeftOut{i, err})
		}
		return nil
	}
	switch v.Type() {
	case registry.None:
		return nil // a resource without resource instances
	case registry.Opaque:
		v = dm.OpaqueValue(bytes.Clone(v.Opaque()))
	}
	c.entries = append(c.entries, dm.Entry{Path: p, Value: v})
	return nil
}

// cannotReport returns the reason why a node is not reported.
func cannotReport(p dm.Path, code dm.Code, text string) error {
	return &dm.Error{Code: code, Path: p, Err: errors.New(text)}
}

const notOpen = "the object is not open to management servers"

// CheckValue returns an error if a value of the application cannot be reported to the server: the
// node is not a readable resource of the device, it has another type, or the server may not read
// it.
func (p *Peer) CheckValue(e dm.Entry) error {
	s := p.scope(nil)
	if s == nil {
		return cannotReport(e.Path, dm.NotFound, "the device is gone")
	}
	at := e.Path
	if at.Level() < dm.ResourceLevel {
		return cannotReport(at, dm.BadRequest, "a value belongs to a resource or a resource instance")
	}
	if s.access.hides(at.Object()) {
		return cannotReport(at, dm.Unauthorized, notOpen)
	}
	snap := s.snapshot()
	def := definition(snap, at)
	switch {
	case def == nil, !snap.Has(at.Up(dm.ResourceLevel)):
		return &dm.Error{Code: dm.NotFound, Path: at}
	case !def.Ops.Readable():
		return &dm.Error{Code: dm.MethodNotAllowed, Path: at}
	case def.Multiple && at.Level() == dm.ResourceLevel:
		return cannotReport(at, dm.BadRequest, "the resource has resource instances: name one")
	case !def.Multiple && at.Level() != dm.ResourceLevel:
		return cannotReport(at, dm.BadRequest, "the resource has no resource instances")
	case def.Type != e.Value.Type():
		return cannotReport(at, dm.BadRequest, "the value does not have the type of the resource, "+def.Type.String())
	}
	return s.access.authorize(Read, at.Up(dm.InstanceLevel))
}

// CheckRead returns an error if the server may not read the instance of a value of the device
// itself.
func (p *Peer) CheckRead(at dm.Path) error {
	s := p.scope(nil)
	if s == nil {
		return cannotReport(at, dm.NotFound, "the device is gone")
	}
	return s.access.authorize(Read, at.Up(dm.InstanceLevel))
}
