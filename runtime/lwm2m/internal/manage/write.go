package manage

import (
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// upload takes the value of a streamed resource block by block.
type upload struct{ up *dm.Upload }

// Write passes a block on; the error has the code that the server is answered, and ends the upload.
func (u *upload) Write(b []byte) (int, error) {
	n, err := u.up.Write(b)
	if err != nil {
		u.up.Abort()
		code, _ := explain(err, nil)
		err = &coap.Error{Code: code, Err: err}
	}
	return n, err
}

// Abort forgets what was written.
func (u *upload) Abort(error) { u.up.Abort() }

// abort forgets an upload whose request is refused.
func abort(r *coap.Request) {
	if u, ok := r.Sink().(*upload); ok {
		u.up.Abort()
	}
}

// head refuses by the first block what must fail whatever follows.
func (p *Peer) head(q *request) error {
	s := p.m.cfg.Model.Snapshot()
	switch {
	case q.op == Write && !q.composite:
		return p.headWrite(q)
	case q.op == Write:
		return content.Check(q.format, content.WriteComposite, q.path)
	case q.op == Create && s.Definition(q.path.Object()) == nil:
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	case q.op == Create:
		return errors.Join(p.authorize(Create, q.path), content.Check(q.format, content.Create, q.path))
	case q.op == Execute && !s.Has(q.path):
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	}
	return nil
}

// headWrite looks at the first block of a Write.
func (p *Peer) headWrite(q *request) error {
	if err := p.checkWrite(q); err != nil {
		return err
	}
	s := p.m.cfg.Model.Snapshot()
	if err := s.CheckWrite(p.slow, p.who, q.path); err != nil {
		return err
	}
	if err := content.Check(q.format, content.Write, q.path); err != nil || q.format != content.Opaque {
		return err
	}
	up, streamed, err := s.OpenUpload(p.slow, p.who, q.path)
	if streamed && err == nil {
		q.r.Stream(&upload{up})
	}
	return err
}

// checkWrite refuses a Write by what its head says.
func (p *Peer) checkWrite(q *request) error {
	if err := p.authorize(Write, q.path.Up(dm.InstanceLevel)); err != nil {
		return err
	}
	if q.format == content.None && q.path.Level() >= dm.ResourceLevel {
		q.format = content.Text // as LwM2M 1.0 has it
	}
	if q.format == content.None {
		return refuse(dm.UnsupportedContentFormat, "the Content-Format is missing")
	}
	return nil
}

// apply makes the changes of a request.
func (c *change) apply(t *dm.Transaction) error {
	c.p.m.scratch.snapshot = t.Snapshot()
	defer c.p.m.scratch.forget()
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

// write makes a Write: Replace, Partial Update, of a resource or of a resource instance.
func (c *change) write(t *dm.Transaction) error {
	q := &c.q
	if err := c.p.checkWrite(q); err != nil {
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
	entries, err := c.decode(q.mode, false, 0)
	if err != nil {
		// That nothing can be written there counts for more than what was to be written.
		if target := c.p.m.scratch.snapshot.CheckWrite(c.p.slow, c.p.who, q.path); target != nil {
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
	if c.p.m.watched.Load() == 0 {
		return
	}
	for i := range entries {
		c.touched = append(c.touched, entries[i].Path)
	}
}

// decode returns the entries of the payload; they are valid until apply ends.
func (c *change) decode(mode dm.Mode, create bool, id dm.InstanceID) ([]dm.Entry, error) {
	m, q := c.p.m, &c.q
	op := content.Write
	switch {
	case create:
		op = content.Create
	case q.composite:
		op = content.WriteComposite
	}
	if err := content.Check(q.format, op, q.path); err != nil {
		return nil, err
	}
	req := content.Request{Base: q.path, Create: create, NewInstance: id, Prefix: m.cfg.Prefix}
	return m.scratch.decode(q.format, q.r.Body(), req)
}

// create makes a Create (Core 1.2.2 §6.3.6).
func (c *change) create(t *dm.Transaction) error {
	q := &c.q
	object := q.path.Object()
	if err := c.p.authorize(Create, q.path); err != nil {
		return err
	}
	id, err := t.NewInstanceID(object, 0)
	if err != nil {
		return err
	}
	if def := c.p.m.scratch.snapshot.Definition(object); def != nil && !def.Multiple {
		return t.Create(object, []dm.InstanceID{id}, nil) // which says why not
	}
	var entries []dm.Entry
	if q.format != content.None || len(q.r.Body()) > 0 {
		if entries, err = c.decode(dm.Replace, true, id); err != nil {
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
	if err := c.p.authorize(op, node); err != nil {
		return err
	}
	c.touched = append(c.touched, c.q.path)
	return t.Delete(c.q.path)
}

// writeComposite makes a Write-Composite, which is done whole or not at all (Core 1.2.2 §6.3.9).
func (c *change) writeComposite(t *dm.Transaction) error {
	if c.q.format == content.None {
		return refuse(dm.UnsupportedContentFormat, "the Content-Format is missing")
	}
	entries, err := c.decode(dm.Update, false, 0)
	if err != nil {
		return err
	}
	var asked dm.Path
	for _, e := range entries {
		instance := e.Path.Up(dm.InstanceLevel)
		if c.p.m.hidden(instance.Object()) {
			return errHidden
		}
		if instance != asked {
			asked = instance
			if err := c.p.authorize(Write, instance); err != nil {
				return err
			}
		}
	}
	c.touch(entries)
	return t.Write(dm.Path{}, dm.Update, entries)
}
