package manage

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// The operations of a change: what a Write, Create, Delete or Write-Composite does in its
// transaction.

// apply makes the changes of a request.
func (c *change) apply(t *dm.Transaction) error {
	defer c.x.cfg.Scratch.forget()
	switch {
	case c.q.op == Create:
		return c.create(t)
	case c.q.op == Delete:
		return c.delete(t)
	case c.q.composite:
		return c.writeComposite(t)
	}
	return c.write(t)
}

// checkWrite refuses a Write by what its head says.
func (q *request) checkWrite() error {
	if err := q.authorize(Write, q.path.Up(dm.InstanceLevel)); err != nil {
		return err
	}
	if q.format == content.None && q.path.Level() >= dm.ResourceLevel {
		q.format = content.Text // as in LwM2M 1.0
	}
	if q.format == content.None {
		return serve.ErrNoFormat
	}
	return nil
}

// write makes a Write: Replace or Partial Update of an instance, a resource or a resource instance.
func (c *change) write(t *dm.Transaction) error {
	q := &c.q
	if err := q.checkWrite(); err != nil {
		return err
	}
	if c.upload != nil {
		c.touched = append(c.touched, q.path)
		err := t.Accept(c.upload)
		if err == nil {
			c.upload = nil
		}
		return err
	}
	entries, err := c.decode(t, content.Write, content.Request{})
	if err != nil {
		// The error of a node that cannot be written takes precedence over that of the payload.
		if target := t.Snapshot().CheckWrite(q.scope.peer.slow, q.scope.peer.who, q.path); target != nil {
			return target
		}
		return err
	}
	if q.mode == dm.Replace {
		c.touched = append(c.touched, q.path)
	} else {
		c.touch(entries)
	}
	return t.Write(q.path, q.mode, entries)
}

// touch notes the nodes of a payload as written by the request itself.
func (c *change) touch(entries []dm.Entry) {
	if !c.q.scope.device.isWatched() {
		return
	}
	for i := range entries {
		c.touched = append(c.touched, entries[i].Path)
	}
}

// decode returns the entries of the payload; they are valid until apply ends.
func (c *change) decode(t *dm.Transaction, op content.Operation, r content.Request) ([]dm.Entry, error) {
	q := &c.q
	if err := content.Check(q.format, op, q.path); err != nil {
		return nil, err
	}
	r.Base, r.Root = q.path, q.scope.peer.cfg.Root
	if r.Prefix = q.scope.device.cfg.Prefix; q.anyDevice {
		r.Select = q.selectOnly
	}
	return c.x.cfg.Scratch.decode(q.format, q.r.Body(), r, t.Snapshot())
}

// create makes a Create (Core 1.2.2 §6.3.6).
func (c *change) create(t *dm.Transaction) error {
	q := &c.q
	object := q.path.Object()
	if err := q.authorize(Create, q.path); err != nil {
		return err
	}
	id, err := t.NewInstanceID(object, 0)
	if err != nil {
		return err
	}
	if def := t.Snapshot().Definition(object); def != nil && !def.Multiple {
		return t.Create(object, []dm.InstanceID{id}, nil) // fails, and says why
	}
	var entries []dm.Entry
	if q.format != content.None || len(q.r.Body()) > 0 {
		if entries, err = c.decode(t, content.Create, content.Request{Create: true, NewInstance: id}); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if e.Path.Level() >= dm.InstanceLevel && !slices.Contains(c.created, e.Path.Instance()) {
			c.created = append(c.created, e.Path.Instance())
		}
	}
	// An instance can be named without anything in it.
	entries = slices.DeleteFunc(entries, func(e dm.Entry) bool {
		return e.Path.Level() == dm.InstanceLevel && e.Value.Type() == registry.None
	})
	if len(c.created) == 0 {
		c.created = append(c.created, id)
	}
	for _, i := range c.created {
		c.touched = append(c.touched, dm.InstancePath(object, i))
	}
	return t.Create(object, c.created, entries)
}

// delete makes a Delete of an instance or a resource instance (Core 1.2.2 §6.3.7).
func (c *change) delete(t *dm.Transaction) error {
	op, node := Delete, c.q.path
	if node.Level() == dm.ResourceInstanceLevel {
		op, node = Write, node.Up(dm.InstanceLevel) // it changes the instance
	}
	if err := c.q.authorize(op, node); err != nil {
		return err
	}
	c.touched = append(c.touched, c.q.path)
	return t.Delete(c.q.path)
}

// writeComposite makes a Write-Composite, which is done whole or not at all (Core 1.2.2 §6.3.9).
func (c *change) writeComposite(t *dm.Transaction) error {
	if c.q.format == content.None {
		return serve.ErrNoFormat
	}
	entries, err := c.decode(t, content.WriteComposite, content.Request{})
	if err != nil {
		return err
	}
	var asked dm.Path
	for _, e := range entries {
		instance := e.Path.Up(dm.InstanceLevel)
		if c.q.scope.access.hides(instance.Object()) {
			return errHidden
		}
		if instance != asked {
			asked = instance
			if err := c.q.authorize(Write, instance); err != nil {
				return err
			}
		}
	}
	c.touch(entries)
	return t.Write(dm.Path{}, dm.Update, entries)
}
