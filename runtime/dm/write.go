package dm

import (
	"io"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// Mode says what a Write does with resources that the payload leaves out (Core 1.2.2 §6.3.3).
type Mode uint8

const (
	// Replace empties what the payload leaves out: writable resources, and resource instances.
	Replace Mode = iota
	// Update keeps what the payload leaves out.
	Update
)

// Write writes the entries of a payload to p and below. p is an instance, a resource, a resource
// instance, the root for a Write-Composite (with Update), or, for the bootstrap server, an object,
// where each instance in the payload is replaced or created. The whole payload is checked before
// the first hook runs. After an error nothing of it is written, and the transaction can continue.
//
// Below an instance, a resource that the device does not have is skipped, because it must not be
// treated as an error (Core 1.2.2 §6.3.3, §6.1.7.5). A resource that p or a composite's entry names
// must exist.
func (t *Transaction) Write(p Path, mode Mode, entries []Entry) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	w := writing{t: t, base: p, mode: mode, entries: entries}
	if err := w.check(); err != nil {
		return err
	}
	return w.apply()
}

// Create creates instances of an object and writes the entries, each of which lies in one of the
// instances. It skips values that servers cannot write and resources that the device does not have.
// A mandatory resource that stays without a value makes the end of the transaction fail (Core 1.2.2
// §6.3.6). NewInstanceID finds an ID if the payload has none.
func (t *Transaction) Create(o ObjectID, ids []InstanceID, entries []Entry) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	v, ok := t.view(o)
	switch {
	case !ok:
		return fail(t.codeOr(NotFound), ObjectPath(o), "the device has no such object")
	case !v.definition().Multiple && t.rights != Bootstrap:
		return fail(MethodNotAllowed, ObjectPath(o), "%s has a single instance", v.definition().Name)
	}
	made := slices.Sorted(slices.Values(ids))
	w := writing{t: t, base: ObjectPath(o), mode: Replace, entries: entries, create: true, made: made}
	for i, id := range made {
		if id == reserved || i > 0 && made[i-1] == id {
			return fail(BadRequest, ObjectPath(o), "the instance ID %d is reserved or named twice", id)
		}
		if v.has(id) {
			return fail(BadRequest, InstancePath(o, id), "the instance already exists")
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	return w.apply()
}

// NewInstanceID returns the lowest free instance ID of an object from least upward. It fails with
// NotFound if there is no such object and with MethodNotAllowed if all IDs are taken.
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

// codeOr returns code, or 4.00 for the bootstrap server, whose interface defines few codes
// (Transport 1.2.2 §6.4.1).
func (t *Transaction) codeOr(code Code) Code {
	if t.rights == Bootstrap {
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
	made    []InstanceID // instances to create, of the object that base names or lies in; ascending
	opened  []*openSink
}

// skipsUnknown reports whether resources that the device does not have are skipped.
func (w *writing) skipsUnknown() bool {
	return w.create || w.base.level == ObjectLevel || w.base.level == InstanceLevel
}

// apply carries out what check has accepted. Steps that may fail come first: Begin and Create
// hooks, opening streams. The changes themselves cannot fail.
func (w *writing) apply() (err error) {
	defer func() {
		for _, s := range w.opened {
			w.t.m.within(fromStream, s.abort)
		}
	}()
	x, err := w.touch()
	if err != nil {
		return err
	}
	if x != nil {
		defer x.discardFresh()
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

// touch opens every object of the payload and returns the one that the base names.
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
		if err := x.checkCreate(id); err != nil {
			return err
		}
		if err := x.prepare(w.t.ctx, id); err != nil {
			return err
		}
	}
	return w.checkMade(x)
}

// checkMade checks what is known of new instances only after they were made: what they support, and
// what is live.
func (w *writing) checkMade(x *part) error {
	for i := range w.entries {
		p := w.entries[i].Path
		if !w.creates(p) {
			continue
		}
		if !x.cell(p.Instance(), p.Resource()).supported() {
			if w.skipsUnknown() {
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
	var s *openSink
	var err error
	w.t.m.within(fromStream, func() { s, err = c.stream().openSink(w.t.ctx, e.Path) })
	if err != nil {
		return err
	}
	w.opened = append(w.opened, s)
	n := 0
	w.t.m.within(fromStream, func() { n, err = s.sink.Write(e.Value.Opaque()) })
	if err == nil && n < len(e.Value.Opaque()) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return withPath(e.Path, err)
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

// clearInstance empties the resources that the origin may write. These keep their values: what a
// template gives to a new instance, what is live without a Commit hook, and what no management
// server could write, because a bootstrap server that leaves such a resource out does not mean to
// empty it. A mandatory resource that a bootstrap server leaves out gets the value of the template,
// as in a new instance.
func (w *writing) clearInstance(p Path) {
	if w.creates(p) {
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
		if c.live() && !x.commits() || w.t.rights == Bootstrap && r.Ops == registry.R {
			continue
		}
		if rp := p.child(r.ID); w.names(rp) {
			x.cellForWrite(rp).clear()
		} else if from := x.o.cell(x.o.template, ResourceID(r.ID)); w.t.rights == Bootstrap && r.Mandatory &&
			from.hasValue() && !from.live() {
			x.cellForWrite(rp).assign(from)
		} else {
			x.empty(rp)
		}
	}
}

// names reports whether the payload has an entry at or below p.
func (w *writing) names(p Path) bool {
	i, found := slices.BinarySearchFunc(w.entries, p, func(e Entry, p Path) int { return e.Path.Compare(p) })
	return found || i < len(w.entries) && p.Contains(w.entries[i].Path)
}

func (w *writing) clearResource(p Path) {
	x, err := w.t.touch(p.Object())
	if err != nil {
		return
	}
	if c := x.cell(p.Instance(), p.Resource()); c.supported() && c.stream() == nil {
		x.cellForWrite(p).clear()
	}
}

// set stores one value. A resource of a new instance may still be one that the template does not
// support.
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
		return // the payload names no resource instance
	}
	if e.Path.level == ResourceInstanceLevel && w.mode == Replace && w.creates(e.Path) && w.startsResource(i) {
		// The payload's resource instances replace the template's.
		x.cellForWrite(e.Path.Up(ResourceLevel)).clear()
	}
	c := x.cellForWrite(e.Path)
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
