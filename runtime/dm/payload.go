package dm

import (
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
)

// check checks the whole payload without calling user code.
func (w *writing) check() error {
	w.sort()
	if err := w.checkTarget(); err != nil {
		return err
	}
	if err := w.checkTwice(); err != nil {
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
	return nil
}

// sort puts the entries in ascending order, so that a resource comes before its resource instances
// and the entries of one instance are together. The caller's slice keeps its order.
func (w *writing) sort() {
	byPath := func(a, b Entry) int { return a.Path.Compare(b.Path) }
	if !slices.IsSortedFunc(w.entries, byPath) {
		w.entries = slices.Clone(w.entries)
		slices.SortFunc(w.entries, byPath)
	}
}

// creates reports whether the instance that p names or lies in is a new one.
func (w *writing) creates(p Path) bool {
	_, ok := slices.BinarySearch(w.made, p.Instance())
	return ok
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
	if w.t.rights == Bootstrap {
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

// bootstrapTarget records the instances that a Bootstrap-Write creates: they need not exist.
func (w *writing) bootstrapTarget(v view) error {
	if w.base.level >= InstanceLevel {
		if !v.has(w.base.Instance()) {
			w.made = append(w.made, w.base.Instance())
		}
		return nil
	}
	for i := range w.entries {
		id := w.entries[i].Path.Instance()
		last := len(w.made) - 1
		if w.entries[i].Path.level >= InstanceLevel && !v.has(id) && (last < 0 || w.made[last] != id) {
			w.made = append(w.made, id)
		}
	}
	return nil
}

// checkNamed reports why the resource that the base names cannot be written with any payload.
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
	if c.live() { // no user code may be called yet
		return nil
	}
	if _, err := c.read(w.t.ctx, w.base.ResourceInstance()); err != nil {
		return fail(NotFound, w.base, "the resource has no such resource instance")
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

// mayWrite reports whether the transaction's origin may write the resource.
func (w *writing) mayWrite(def *registry.Resource) bool {
	return mayWrite(w.t.rights, def)
}

func mayWrite(who Origin, def *registry.Resource) bool {
	switch {
	case def.Ops.Executable():
		return false
	case who == Application, who == Bootstrap:
		return true
	}
	return def.Ops.Writable()
}

// checkEntry reports what is wrong with an entry, and whether the entry is used at all.
func (w *writing) checkEntry(e *Entry) (use bool, err error) {
	p := e.Path
	// bare is an instance without resources.
	bare := p.level == InstanceLevel && e.Value.typ == registry.None
	if !p.valid() || p.level < ResourceLevel && !bare || !w.base.Contains(p) {
		return false, fail(BadRequest, p, "the payload names a path that does not lie below %s", w.base)
	}
	v, ok := w.t.view(p.Object())
	if !ok {
		return false, fail(w.t.codeOr(NotFound), p, "the device has no such object")
	}
	made := w.creates(p)
	if !made && (w.create || !v.has(p.Instance())) {
		code := NotFound
		if w.create {
			code = BadRequest
		}
		return false, fail(w.t.codeOr(code), p, "the object has no such instance")
	}
	if bare {
		return w.base.level == ObjectLevel && !w.create, nil // it is still created or emptied
	}
	def := v.definition().Resource(uint16(p.Resource()))
	if def == nil || !made && !v.cell(p.Instance(), p.Resource()).supported() {
		if w.skipsUnknown() {
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
	if !made {
		if err := w.checkLive(v, def, p); err != nil {
			return false, err
		}
	}
	if err := w.checkShape(def, e); err != nil {
		if made && w.skipsUnknown() && !v.makes(def) {
			return false, nil // such as an empty SMS Binding Secret Key, which Leshan writes
		}
		return false, err
	}
	return true, nil
}

// checkLive reports a live resource without a Commit hook that could apply the write. Servers never
// reach one, because it is refused when the instance is added.
func (w *writing) checkLive(v view, def *registry.Resource, p Path) error {
	c := v.cell(p.Instance(), p.Resource())
	if !c.live() || c.stream() != nil || v.commits() {
		return nil
	}
	return fail(w.t.codeOr(MethodNotAllowed), p, "%s is live, and no Commit hook applies what is written", def.Name)
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

// checkTwice reports a path that the payload names twice, and a payload without a value where one
// is needed.
func (w *writing) checkTwice() error {
	if len(w.entries) == 0 && w.base.level >= ResourceLevel && !w.create {
		return w.checkNothing()
	}
	for i := 1; i < len(w.entries); i++ {
		if w.entries[i].Path == w.entries[i-1].Path {
			return fail(BadRequest, w.entries[i].Path, "the payload names the path twice")
		}
	}
	return nil
}

// checkNothing checks a payload without a value for a resource: it empties a multiple-instance
// resource and is wrong for any other.
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
