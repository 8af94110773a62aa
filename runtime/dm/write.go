package dm

import (
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
	w := writing{t: t, base: ObjectPath(o), mode: Replace, entries: entries, create: true, made: slices.Clone(ids)}
	for i, id := range ids {
		if id == reserved || slices.Contains(ids[:i], id) {
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
	id := least
	for next, ok := v.next(uint32(id)); ok && next == id; next, ok = v.next(uint32(id)) {
		id++
	}
	if id == reserved {
		return 0, fail(MethodNotAllowed, ObjectPath(o), "all instance IDs are taken")
	}
	return id, nil
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
	made    []InstanceID // instances to make, of the object that base names or lies in
	opened  []*openSink
}

// lenient reports whether resources that the device does not have are skipped.
func (w *writing) lenient() bool {
	return w.create || w.base.level == ObjectLevel || w.base.level == InstanceLevel
}

// check looks at the whole payload without calling anything of the user's.
func (w *writing) check() error {
	if err := w.checkTarget(); err != nil {
		return err
	}
	var kept []Entry // set once one is left out
	for i := range w.entries {
		use, err := w.checkEntry(&w.entries[i])
		if err != nil {
			return err
		}
		if use && kept != nil {
			kept = append(kept, w.entries[i])
		}
		if !use && kept == nil {
			kept = append(make([]Entry, 0, len(w.entries)), w.entries[:i]...)
		}
	}
	if kept != nil {
		w.entries = kept
	}
	return w.checkTwice()
}

func (w *writing) checkTarget() error {
	p := w.base
	switch {
	case !p.valid():
		return fail(BadRequest, p, "the ID 65535 is reserved")
	case p.IsRoot() && w.mode != Update:
		return fail(MethodNotAllowed, p, "the whole data model cannot be replaced")
	case p.IsRoot(), w.create:
		return nil
	}
	v, ok := w.t.view(p.Object())
	if !ok {
		return fail(w.t.codeOr(NotFound), p, "the device has no such object")
	}
	if w.t.origin.IsBootstrap() {
		return w.bootstrapTarget(v)
	}
	switch {
	case p.level == ObjectLevel:
		return fail(MethodNotAllowed, p, "an object cannot be written as a whole")
	case !v.has(p.Instance()):
		return fail(NotFound, p, "the object has no such instance")
	case p.level == ResourceInstanceLevel:
		return w.checkInstance(v)
	case p.level == ResourceLevel:
		return w.checkNamed(v)
	}
	return nil
}

// bootstrapTarget notes the instances that a Bootstrap-Write makes: they need not exist.
func (w *writing) bootstrapTarget(v view) error {
	if w.base.level >= InstanceLevel {
		if !v.has(w.base.Instance()) {
			w.made = append(w.made, w.base.Instance())
		}
		return nil
	}
	for i := range w.entries {
		id := w.entries[i].Path.Instance()
		if w.entries[i].Path.level >= InstanceLevel && !v.has(id) && !slices.Contains(w.made, id) {
			w.made = append(w.made, id)
		}
	}
	return nil
}

// checkNamed reports why the resource that the base names cannot be written, whatever the payload.
func (w *writing) checkNamed(v view) error {
	_, err := w.resource(v, w.base)
	return err
}

// checkInstance is checkNamed for a resource instance, which must exist (Core 1.2.2 §6.3.3).
func (w *writing) checkInstance(v view) error {
	def, err := w.resource(v, w.base)
	if err != nil {
		return err
	}
	if !def.Multiple {
		return fail(MethodNotAllowed, w.base, "%s has no resource instances", def.Name)
	}
	c := v.cell(w.base.Instance(), w.base.Resource())
	if c.live() { // nothing of the user's is called yet
		return nil
	}
	if _, err := c.read(&w.t.ctx, w.base.ResourceInstance()); err != nil {
		return fail(NotFound, w.base, "there is no such resource instance")
	}
	return nil
}

// resource returns the definition of a resource that must exist and be writable.
func (w *writing) resource(v view, p Path) (*registry.Resource, error) {
	def := v.definition().Resource(uint16(p.Resource()))
	c := v.cell(p.Instance(), p.Resource())
	switch {
	case def == nil || c == nil || !c.supported():
		return nil, fail(w.t.codeOr(NotFound), p, "the device does not have the resource")
	case !w.mayWrite(def):
		return nil, w.notWritable(def, p)
	}
	return def, nil
}

func (w *writing) notWritable(def *registry.Resource, p Path) error {
	return fail(w.t.codeOr(MethodNotAllowed), p, "%s cannot be written", def.Name)
}

// mayWrite reports whether the resource is open to the transaction's origin.
func (w *writing) mayWrite(def *registry.Resource) bool {
	return mayWrite(w.t.origin, def)
}

func mayWrite(who Origin, def *registry.Resource) bool {
	switch {
	case def.Ops.Executable():
		return false
	case who.IsApplication(), who.IsBootstrap():
		return true
	}
	return def.Ops.Writable()
}

// checkEntry reports what is wrong with an entry, and whether it is to be used at all.
func (w *writing) checkEntry(e *Entry) (use bool, err error) {
	p := e.Path
	if !p.valid() || p.level < ResourceLevel || !w.base.Contains(p) {
		return false, fail(BadRequest, p, "the payload names what does not lie below %s", w.base)
	}
	v, ok := w.t.view(p.Object())
	if !ok {
		return false, fail(w.t.codeOr(NotFound), p, "the device has no such object")
	}
	made := slices.Contains(w.made, p.Instance()) && w.base.level >= ObjectLevel
	if !made && (w.create || !v.has(p.Instance())) {
		code := NotFound
		if w.create {
			code = BadRequest
		}
		return false, fail(w.t.codeOr(code), p, "there is no such instance to write to")
	}
	def := v.definition().Resource(uint16(p.Resource()))
	if def == nil || !made && !v.cell(p.Instance(), p.Resource()).supported() {
		if w.lenient() {
			return false, nil
		}
		return false, fail(w.t.codeOr(NotFound), p, "the device does not have the resource")
	}
	if !w.mayWrite(def) {
		if w.create {
			return false, nil
		}
		return false, w.notWritable(def, p)
	}
	return true, w.checkShape(def, e)
}

// checkShape checks the level of an entry's path and its value.
func (w *writing) checkShape(def *registry.Resource, e *Entry) error {
	none := e.Value.typ == registry.None
	switch {
	case def.Multiple && e.Path.level == ResourceLevel && none:
		return nil
	case def.Multiple && e.Path.level == ResourceLevel:
		return fail(BadRequest, e.Path, "%s has resource instances: name them", def.Name)
	case !def.Multiple && e.Path.level == ResourceInstanceLevel:
		return fail(BadRequest, e.Path, "%s has no resource instances", def.Name)
	case none:
		return fail(BadRequest, e.Path, "the payload has no value for %s", def.Name)
	}
	return checkValue(def, e.Path, e.Value)
}

// checkTwice reports a path that stands in the payload twice. It leaves the entries in ascending
// order, so that a resource comes before its resource instances and entries of one instance are
// together.
func (w *writing) checkTwice() error {
	if len(w.entries) == 0 && w.base.level >= ResourceLevel && !w.create {
		return w.checkNothing()
	}
	byPath := func(a, b Entry) int { return a.Path.Compare(b.Path) }
	if !slices.IsSortedFunc(w.entries, byPath) { // the caller keeps its order
		w.entries = slices.Clone(w.entries)
		slices.SortFunc(w.entries, byPath)
	}
	for i := 1; i < len(w.entries); i++ {
		if w.entries[i].Path == w.entries[i-1].Path {
			return fail(BadRequest, w.entries[i].Path, "the payload names it twice")
		}
	}
	return nil
}

// checkNothing judges a payload without any value for a resource: it empties one that has resource
// instances, and says nothing about any other.
func (w *writing) checkNothing() error {
	def := (*registry.Resource)(nil)
	if v, ok := w.t.view(w.base.Object()); ok {
		def = v.definition().Resource(uint16(w.base.Resource()))
	}
	if def == nil || !def.Multiple || w.base.level == ResourceInstanceLevel {
		return fail(BadRequest, w.base, "the payload has no value")
	}
	return nil
}

// apply does what check has found good. What may fail comes first: Begin and Create hooks, opening
// streams. The changes themselves cannot fail.
func (w *writing) apply() (err error) {
	defer func() {
		for _, s := range w.opened {
			s.abort()
		}
	}()
	if err := w.touch(); err != nil {
		return err
	}
	for i := range w.entries {
		if err := w.openSink(&w.entries[i]); err != nil {
			return err
		}
	}
	w.insert()
	if w.mode == Replace {
		w.clear()
	}
	for i := range w.entries {
		w.set(&w.entries[i])
	}
	w.t.sinks = append(w.t.sinks, w.opened...)
	w.opened = nil
	return nil
}

// touch opens every object of the payload and prepares the instances to make.
func (w *writing) touch() error {
	if !w.base.IsRoot() {
		p, err := w.t.touch(w.base.Object())
		if err != nil {
			return err
		}
		return w.prepare(p)
	}
	for i := range w.entries {
		if _, err := w.t.touch(w.entries[i].Path.Object()); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) prepare(p part) error {
	for _, id := range w.made {
		err := p.mayCreate(id)
		if err == nil {
			err = p.prepare(&w.t.ctx, id)
		}
		if err != nil {
			p.forget()
			return err
		}
	}
	return nil
}

// openSink writes the value of a streamed resource to its Sink.
func (w *writing) openSink(e *Entry) error {
	v, _ := w.t.view(e.Path.Object())
	c := v.cell(e.Path.Instance(), e.Path.Resource())
	if c == nil || c.stream() == nil {
		return nil
	}
	s, err := c.stream().openSink(&w.t.ctx, e.Path)
	if err != nil {
		return err
	}
	w.opened = append(w.opened, s)
	if _, err := s.sink.Write(e.Value.Opaque()); err != nil {
		return at(e.Path, err)
	}
	return nil
}

func (w *writing) insert() {
	if w.made == nil {
		return
	}
	p, err := w.t.touch(w.base.Object())
	if err != nil {
		return
	}
	for _, id := range w.made {
		p.insert(id)
	}
	p.forget()
}

// clear empties what the payload may leave out.
func (w *writing) clear() {
	switch w.base.level {
	case InstanceLevel:
		w.clearInstance(w.base)
	case ObjectLevel:
		for i := range w.entries {
			ip := w.entries[i].Path.Up(InstanceLevel)
			seen := func(e Entry) bool { return e.Path.Up(InstanceLevel) == ip }
			if !slices.ContainsFunc(w.entries[:i], seen) {
				w.clearInstance(ip)
			}
		}
	case ResourceLevel:
		w.clearResource(w.base)
	}
}

func (w *writing) clearInstance(p Path) {
	if slices.Contains(w.made, p.Instance()) {
		return // what the template gives to a new instance stays
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
		if w.mayWrite(r) && c.supported() && c.stream() == nil {
			x.own(p.child(r.ID)).clear()
		}
	}
}

func (w *writing) clearResource(p Path) {
	x, err := w.t.touch(p.Object())
	if err == nil && x.cell(p.Instance(), p.Resource()).stream() == nil {
		x.own(p).clear()
	}
}

// set stores one value. The resource of an instance that was just made may still be one that the
// template does not support.
func (w *writing) set(e *Entry) {
	x, err := w.t.touch(e.Path.Object())
	if err != nil {
		return
	}
	if c := x.cell(e.Path.Instance(), e.Path.Resource()); c == nil || !c.supported() {
		return
	}
	c := x.own(e.Path)
	switch {
	case c.stream() != nil: // its Sink has the value
	case e.Value.typ != registry.None:
		c.set(e.Path.ResourceInstance(), e.Value)
	case w.mode == Replace:
		c.clear()
	}
}
