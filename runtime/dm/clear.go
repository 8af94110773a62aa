package dm

// Clear empties a resource, as if it had never had a value; a multiple resource loses its resource
// instances. It is for programs that restore saved values, and is refused to servers, for which a
// Write or a Delete empties. A resource that is live or a stream keeps what it is. Hooks see the
// resource among Change.Emptied.
func (t *Transaction) Clear(p Path) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	v, ok := t.view(p.Object())
	switch {
	case t.rights != Application && t.rights != Bootstrap:
		return fail(MethodNotAllowed, p, "servers cannot clear a resource")
	case p.level != ResourceLevel:
		return fail(t.codeOr(MethodNotAllowed), p, "only resources can be cleared")
	case !ok || !v.has(p.Instance()):
		return fail(t.codeOr(NotFound), p, "the device has no such instance")
	}
	w := writing{t: t, base: p, mode: Replace}
	if err := w.checkNamed(v); err != nil {
		return err
	}
	if c := v.cell(p.Instance(), p.Resource()); c.live() || c.stream() != nil {
		return nil
	}
	x, err := t.touch(p.Object())
	if err != nil {
		return err
	}
	x.empty(p)
	return nil
}
