package dm

// Delete deletes the instance or the resource instance that p names. The bootstrap server may also
// name an object, all instances of which are deleted. A server cannot delete the instance of a
// single-instance object, an instance of an object that has neither a Template nor a Create or
// Delete hook, or the last resource instance of a mandatory resource. After an error nothing is
// deleted, and the transaction can continue (Core 1.2.2 §6.3.7, §6.1.7.6).
func (t *Transaction) Delete(p Path) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	v, ok := t.view(p.Object())
	switch {
	case p.IsRoot() || p.level == ResourceLevel, p.level == ObjectLevel && t.rights != Bootstrap:
		return fail(t.codeOr(MethodNotAllowed), p, "only instances and resource instances can be deleted")
	case !ok:
		return fail(t.codeOr(NotFound), p, "the device has no such object")
	case p.level == ResourceInstanceLevel:
		return t.deleteResourceInstance(v, p)
	case p.level == InstanceLevel && !v.has(p.Instance()):
		return fail(t.codeOr(NotFound), p, "the object has no such instance")
	case !v.definition().Multiple && t.rights != Bootstrap && t.rights != Application:
		return fail(MethodNotAllowed, p, "the instance of %s cannot be deleted", v.definition().Name)
	case !v.serversDelete() && t.rights != Bootstrap && t.rights != Application:
		return fail(MethodNotAllowed, p, "servers neither make nor delete instances of %s", v.definition().Name)
	}
	x, err := t.touch(p.Object())
	if err != nil {
		return err
	}
	var ids []InstanceID
	for id, ok := x.next(p.firstInstance()); ok && p.Contains(InstancePath(p.Object(), id)); id, ok = x.next(uint32(id) + 1) {
		if t.rights != Application {
			if err := x.checkDelete(t.ctx, id); err != nil {
				return err
			}
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		x.drop(id)
	}
	t.abortSinks(func(s *openSink) bool { return p.Contains(s.path) })
	return nil
}

func (t *Transaction) deleteResourceInstance(v view, p Path) error {
	w := writing{t: t, base: p}
	if t.rights == Bootstrap {
		return fail(BadRequest, p, "the bootstrap server deletes instances and objects")
	}
	if !v.has(p.Instance()) {
		return fail(NotFound, p, "the object has no such instance")
	}
	if err := w.checkInstance(v); err != nil {
		return err
	}
	def := v.definition().Resource(uint16(p.Resource()))
	c := v.cell(p.Instance(), p.Resource())
	if c.live() {
		return fail(MethodNotAllowed, p, "the resource instances of %s are live", def.Name)
	}
	if n := 0; def.Mandatory {
		// Stored resource instances are yielded without an error.
		_ = c.instances(t.ctx, func(ResourceInstanceID) bool { n++; return n < 2 })
		if n < 2 {
			return fail(MethodNotAllowed, p, "%s is mandatory: its last resource instance cannot be deleted", def.Name)
		}
	}
	x, err := t.touch(p.Object())
	if err != nil {
		return err
	}
	x.cellForWrite(p).remove(p.ResourceInstance())
	return nil
}
