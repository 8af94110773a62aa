package dm

import (
	"io"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// Mode is how a Write treats what its payload leaves out (Core 1.2.2 §6.3.3).
type Mode uint8

const (
	// Replace empties what the payload leaves out: resources that may be written, and resource
	// instances.
	Replace Mode = iota
	// Update keeps what the payload leaves out.
	Update
)

// Write writes the entries of a payload to p and below: an instance, a resource, a resource instance,
// the root for a Write-Composite (with Update), or an object for the bootstrap server, where each
// instance in the payload is replaced or made. The whole payload is checked before the first hook
// runs, and after an error nothing of it is done; the transaction can go on.
//
// Below an instance, a resource that the device does not have is skipped: it must not be taken for an
// error (Core 1.2.2 §6.3.3, §6.1.7.5). A resource that p names, or a composite's entry, must exist.
func (t *Transaction) Write(p Path, mode Mode, entries []Entry) error {
	if err := t.ready(); err != nil {
		return err
	}
	w := writing{t: t, base: p, mode: mode, entries: entries}
	if err := w.check(); err != nil {
		return err
	}
	return w.apply()
}

// Create makes instances of an object and writes the entries, which all lie in one of them. Values
// that servers cannot write and resources that the device does not have are skipped; a mandatory
// resource that is left without a value refuses the transaction when it ends (Core 1.2.2 §6.3.6).
// NewInstanceID finds an ID where the payload has none.
func (t *Transaction) Create(o ObjectID, ids []InstanceID, entries []Entry) error {
	if err := t.ready(); err != nil {
		return err
	}
	v, ok := t.view(o)
	switch {
	case !ok:
		return fail(t.codeOr(NotFound), ObjectPath(o), "the device has no such object")
	case !v.definition().Multiple && !t.origin.IsBootstrap():
		return fail(MethodNotAllowed, ObjectPath(o), "%s has a single instance", v.definition().Name)
	}
	made := slices.Sorted(slices.Values(ids))
	w := writing{t: t, base: ObjectPath(o), mode: Replace, entries: entries, create: true, made: made}
	for i, id := range made {
		if id == reserved || i > 0 && made[i-1] == id {
			return fail(BadRequest, ObjectPath(o), "the instance ID %d is reserved or stands there twice", id)
		}
		if v.has(id) {
			return fail(BadRequest, InstancePath(o, id), "there is such an instance already")
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	return w.apply()
}

// NewInstanceID returns the lowest free instance ID of an object that is not below least. It fails
// with NotFound when there is no such object and with MethodNotAllowed when all IDs are taken.
func (t *Transaction) NewInstanceID(o ObjectID, least InstanceID) (InstanceID, error) {
	v, ok := t.view(o)
	if !ok {
		return 0, fail(NotFound, ObjectPath(o), "the device has no such object")
	}
	id := v.free(uint32(least))
	if id >= reserved {
		return 0, fail(MethodNotAllowed, ObjectPath(o), "all instance IDs are taken")
	}
	return InstanceID(id), nil
}

// codeOr returns code, or 4.00 for the bootstrap server, whose interface knows few codes (Transport
// 1.2.2 §6.4.1).
func (t *Transaction) codeOr(code Code) Code {
	if t.origin.IsBootstrap() {
		return BadRequest
	}
	return code
}

// writing is one Write or Create.
type writing struct {
	t       *Transaction
	base    Path
	mode    Mode
	entries []Entry
	create  bool
	made    []InstanceID // instances to make, of the object that base names or lies in; ascending
	opened  []*openSink
}

// lenient reports whether resources that the device does not have are skipped.
func (w *writing) lenient() bool {
	return w.create || w.base.level == ObjectLevel || w.base.level == InstanceLevel
}

// apply does what check has found good. What may fail comes first: Begin and Create hooks, opening
// streams. The changes themselves cannot fail.
func (w *writing) apply() (err error) {
	defer func() {
		for _, s := range w.opened {
			s.abort()
		}
	}()
	x, err := w.touch()
	if err != nil {
		return err
	}
	if x != nil {
		defer x.forget()
		if err := w.prepare(x); err != nil {
			return err
		}
	}
	for i := range w.entries {
		if err := w.openSink(&w.entries[i]); err != nil {
			return err
		}
	}
	if x != nil {
		x.insert()
	}
	if w.mode == Replace {
		w.clear()
	}
	for i := range w.entries {
		w.set(i)
	}
	w.t.sinks = append(w.t.sinks, w.opened...)
	w.opened = nil
	return nil
}

// touch opens every object of the payload; it returns the one that the base names.
func (w *writing) touch() (*part, error) {
	if !w.base.IsRoot() {
		return w.t.touch(w.base.Object())
	}
	for i := range w.entries {
		if _, err := w.t.touch(w.entries[i].Path.Object()); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// prepare makes the new instances.
func (w *writing) prepare(x *part) error {
	for _, id := range w.made {
		if err := x.mayCreate(id); err != nil {
			return err
		}
		if err := x.prepare(w.t.ctx, id); err != nil {
			return err
		}
	}
	return w.checkMade(x)
}

// checkMade checks what is known of new instances only now: what they support, and what is live.
func (w *writing) checkMade(x *part) error {
	for i := range w.entries {
		p := w.entries[i].Path
		if !w.makes(p) {
			continue
		}
		if !x.cell(p.Instance(), p.Resource()).supported() {
			if w.lenient() {
				continue
			}
			return fail(w.t.codeOr(NotFound), p, "the device does not have the resource")
		}
		if err := w.checkLive(x, x.definition().Resource(uint16(p.Resource())), p); err != nil {
			return err
		}
	}
	return nil
}

// openSink writes the value of a streamed resource to its Sink.
func (w *writing) openSink(e *Entry) error {
	if e.Path.level < ResourceLevel {
		return nil
	}
	v, _ := w.t.view(e.Path.Object())
	c := v.cell(e.Path.Instance(), e.Path.Resource())
	if c.stream() == nil {
		return nil
	}
	s, err := c.stream().openSink(w.t.ctx, e.Path)
	if err != nil {
		return err
	}
	w.opened = append(w.opened, s)
	n, err := s.sink.Write(e.Value.Opaque())
	if err == nil && n < len(e.Value.Opaque()) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return at(e.Path, err)
	}
	return nil
}

// clear empties what the payload may leave out.
func (w *writing) clear() {
	switch w.base.level {
	case InstanceLevel:
		w.clearInstance(w.base)
	case ObjectLevel:
		for i := range w.entries {
			ip := w.entries[i].Path.Up(InstanceLevel)
			if i == 0 || !ip.Contains(w.entries[i-1].Path) {
				w.clearInstance(ip)
			}
		}
	case ResourceLevel:
		w.clearResource(w.base)
	}
}

// clearInstance empties the resources that are open to who writes. What a template gives to a new
// instance stays; so does what is live without anybody to tell, and what no management server could
// write: the bootstrap server may set it, but that it does not speak of it says nothing.
func (w *writing) clearInstance(p Path) {
	if w.makes(p) {
		return
	}
	x, err := w.t.touch(p.Object())
	if err != nil {
		return
	}
	x.mustBeComplete(p.Instance())
	def := x.definition()
	for i := range def.Resources {
		r := &def.Resources[i]
		c := x.cell(p.Instance(), ResourceID(r.ID))
		if !w.mayWrite(r) || !c.supported() || c.stream() != nil {
			continue
		}
		if c.live() && !x.commits() || w.t.origin.IsBootstrap() && r.Ops == registry.R {
			continue
		}
		x.own(p.child(r.ID)).clear()
	}
}

func (w *writing) clearResource(p Path) {
	x, err := w.t.touch(p.Object())
	if err != nil {
		return
	}
	if c := x.cell(p.Instance(), p.Resource()); c.supported() && c.stream() == nil {
		x.own(p).clear()
	}
}

// set stores one value. The resource of an instance that was just made may still be one that the
// template does not support.
func (w *writing) set(i int) {
	e := &w.entries[i]
	if e.Path.level < ResourceLevel {
		return
	}
	x, err := w.t.touch(e.Path.Object())
	if err != nil {
		return
	}
	if c := x.cell(e.Path.Instance(), e.Path.Resource()); !c.supported() {
		return
	}
	if e.Value.typ == registry.None && w.mode == Update {
		return // nothing is said of any resource instance
	}
	if e.Path.level == ResourceInstanceLevel && w.mode == Replace && w.makes(e.Path) && w.startsResource(i) {
		x.own(e.Path.Up(ResourceLevel)).clear() // of the payload's resource instances none are the template's
	}
	c := x.own(e.Path)
	switch {
	case c.stream() != nil: // its Sink has the value
	case e.Value.typ == registry.None:
		c.clear()
	default:
		c.set(e.Path.ResourceInstance(), e.Value)
	}
}

// startsResource reports whether the entry is the first of its resource.
func (w *writing) startsResource(i int) bool {
	return i == 0 || !w.entries[i].Path.Up(ResourceLevel).Contains(w.entries[i-1].Path)
}
