package dm

import (
	"context"
	"errors"
	"iter"

	"github.com/lwm2mgen/toolkit/registry"
)

// Snapshot is the state of a Model at one moment: all reads of one Snapshot see the same state,
// however long they take. Live resources are the exception; they are read when the read happens. A
// Snapshot is a small value to pass around and safe for concurrent use. The zero value means a
// Model without objects.
type Snapshot struct {
	m *Model
	r *root
	t *Transaction // set inside a transaction, whose changes replace those of r
}

func (s Snapshot) find(id ObjectID) (view, bool) {
	if s.t != nil {
		return s.t.view(id)
	}
	v, ok := s.r.find(id)
	return v, ok
}

// Objects yields the IDs of the objects in ascending order.
func (s Snapshot) Objects() iter.Seq[ObjectID] {
	return func(yield func(ObjectID) bool) {
		for _, o := range s.r.all() {
			if !yield(o.id()) {
				return
			}
		}
	}
}

// Definition returns the definition of an object, or nil if the device has no such object. Do not
// change it.
func (s Snapshot) Definition(id ObjectID) *registry.Object {
	v, ok := s.find(id)
	if !ok {
		return nil
	}
	return v.definition()
}

// ServersDelete reports whether a management server may delete instances of an object: those that
// servers can create, and those for which there is a Delete hook. It is for runtimes.
func (s Snapshot) ServersDelete(id ObjectID) bool {
	v, ok := s.find(id)
	return ok && v.serversDelete()
}

// Instances yields the IDs of an object's instances in ascending order.
func (s Snapshot) Instances(id ObjectID) iter.Seq[InstanceID] {
	return func(yield func(InstanceID) bool) {
		v, ok := s.find(id)
		if !ok {
			return
		}
		for i, ok := v.next(0); ok && yield(i); i, ok = v.next(uint32(i) + 1) {
		}
	}
}

// Has reports whether the node exists. A resource exists if it is supported, a resource instance if
// it is stored.
func (s Snapshot) Has(p Path) bool {
	v, ok := s.find(p.Object())
	switch {
	case p.IsRoot():
		return true
	case !ok, p.level >= InstanceLevel && !v.has(p.Instance()):
		return false
	case p.level <= InstanceLevel:
		return true
	}
	c := v.cell(p.Instance(), p.Resource())
	if c == nil || !c.supported() {
		return false
	}
	if p.level == ResourceLevel {
		return true
	}
	if _, multiple := c.kind(); !multiple || c.live() {
		return false
	}
	_, err := c.read(context.Background(), p.ResourceInstance())
	return err == nil
}

// Value returns the value of a single resource or of one resource instance. It fails with NotFound
// where there is none, with MethodNotAllowed where it cannot be read, and with the error of its
// function, each as *Error.
func (s Snapshot) Value(ctx context.Context, who Origin, p Path) (Value, error) {
	def, c, err := s.readable(who, p)
	if err != nil {
		return Value{}, err
	}
	_, multiple := c.kind()
	if multiple != (p.level == ResourceInstanceLevel) {
		return Value{}, s.wrongShape(p, multiple)
	}
	v, err := s.readOne(ctx, def, c, p)
	if err != nil {
		return Value{}, withPath(p, err)
	}
	return v, nil
}

// readOne reads a single value.
func (s Snapshot) readOne(ctx context.Context, def *registry.Resource, c Cell, p Path) (Value, error) {
	v, err := c.read(ctx, p.ResourceInstance())
	if err != nil {
		if st := c.stream(); st != nil {
			return st.readWhole(ctx, p)
		}
		return v, err
	}
	if !s.judge(def, c, p, v) {
		return Value{}, ErrNoValue
	}
	return v, nil
}

// judge reports whether a live value is one that can be sent. A Float that is no number is none at
// the moment. A value outside of its range is sent all the same: a sensor that shows an impossible
// value is news. Each is logged once.
func (s Snapshot) judge(def *registry.Resource, c Cell, p Path, v Value) bool {
	if !c.live() {
		return true
	}
	if v.typ == registry.Float && !isNumber(v) {
		if c.warn(noNumber) {
			s.m.logger().Warn("a live value is no number and counts as none", "path", p.String(), "value", v.String())
		}
		return false
	}
	if def.Range == nil && def.Strings == nil {
		return true
	}
	if err := checkValue(def, p, v); err != nil && c.warn(outOfRange) {
		s.m.logger().Warn("a live value is outside of what its definition allows", "error", err)
	}
	return true
}

func (s Snapshot) wrongShape(p Path, multiple bool) error {
	if multiple {
		return fail(MethodNotAllowed, p, "the resource has resource instances: read all of them or name one")
	}
	return fail(MethodNotAllowed, p, "the resource has no resource instances")
}

// readable finds the resource that p names or lies in, for a read of that resource alone.
func (s Snapshot) readable(who Origin, p Path) (*registry.Resource, Cell, error) {
	v, ok := s.find(p.Object())
	if !ok || p.level < ResourceLevel {
		return nil, nil, s.notFound(p)
	}
	def := v.definition().Resource(uint16(p.Resource()))
	if def == nil || !v.has(p.Instance()) {
		return nil, nil, s.notFound(p)
	}
	if !mayRead(who, def) {
		return nil, nil, fail(MethodNotAllowed, p, "%s cannot be read", def.Name)
	}
	c := v.cell(p.Instance(), p.Resource())
	if !c.supported() {
		return nil, nil, s.notFound(p)
	}
	return def, c, nil
}

// notFound returns an error that says which part of the path the device does not have.
func (s Snapshot) notFound(p Path) error {
	v, ok := s.find(p.Object())
	switch {
	case p.level < ResourceLevel:
		return fail(NotFound, p, "the path names no resource")
	case !ok:
		return fail(NotFound, p, "the device has no such object")
	case !v.has(p.Instance()):
		return fail(NotFound, p, "the object has no such instance")
	case v.definition().Resource(uint16(p.Resource())) == nil:
		return fail(NotFound, p, "%s defines no such resource", v.definition().Name)
	}
	return fail(NotFound, p, "the instance does not have the resource")
}

// mayRead reports whether who may read a resource. Only the application may read secrets.
func mayRead(who Origin, def *registry.Resource) bool {
	switch {
	case def.Ops.Executable():
		return false
	case who == Application:
		return true
	case def.Secret:
		return false
	}
	return who == Bootstrap || def.Ops.Readable()
}

// Read yields every value at and below p in ascending order of paths. A resource that can have
// resource instances and has none is yielded with the zero Value. Below an instance it leaves out
// what cannot be read, what has no value at the moment, and streams; if p names such a resource,
// Read fails with NotFound or MethodNotAllowed. Read also fails if p names nothing, and with the
// error of a function or of yield.
func (s Snapshot) Read(ctx context.Context, who Origin, p Path, yield Yield) error {
	switch {
	case p.IsRoot():
		for _, o := range s.r.all() {
			if err := s.readObject(ctx, who, o.id(), yield); err != nil {
				return err
			}
		}
		return nil
	case p.level == ObjectLevel:
		return s.readObject(ctx, who, p.Object(), yield)
	case p.level == InstanceLevel:
		v, ok := s.find(p.Object())
		if !ok || !v.has(p.Instance()) {
			return fail(NotFound, p, "the device has no such instance")
		}
		return s.readInstance(ctx, who, v, p, yield)
	}
	return s.readResource(ctx, who, p, yield)
}

func (s Snapshot) readObject(ctx context.Context, who Origin, id ObjectID, yield Yield) error {
	v, ok := s.find(id)
	if !ok {
		return fail(NotFound, ObjectPath(id), "the device has no such object")
	}
	for i, ok := v.next(0); ok; i, ok = v.next(uint32(i) + 1) {
		if err := s.readInstance(ctx, who, v, InstancePath(id, i), yield); err != nil {
			return err
		}
	}
	return nil
}

func (s Snapshot) readInstance(ctx context.Context, who Origin, v view, p Path, yield Yield) error {
	def, cells := v.definition(), v.cells(p.Instance())
	for i := range def.Resources {
		r := &def.Resources[i]
		if !mayRead(who, r) {
			continue
		}
		c := cells.get(ResourceID(r.ID))
		if !c.supported() || c.stream() != nil {
			continue
		}
		if err := s.values(ctx, r, c, p.child(r.ID), yield); err != nil && !errors.Is(err, ErrNoValue) {
			return withPath(p.child(r.ID), err)
		}
	}
	return nil
}

func (s Snapshot) readResource(ctx context.Context, who Origin, p Path, yield Yield) error {
	if p.level == ResourceInstanceLevel {
		v, err := s.Value(ctx, who, p)
		if err != nil {
			return err
		}
		return yield(p, v)
	}
	def, c, err := s.readable(who, p)
	if err != nil {
		return err
	}
	if err := s.values(ctx, def, c, p, yield); err != nil {
		return withPath(p, err)
	}
	return nil
}

// values yields the value of a resource, or the values of its resource instances.
func (s Snapshot) values(ctx context.Context, def *registry.Resource, c Cell, p Path, yield Yield) error {
	if _, multiple := c.kind(); !multiple {
		v, err := s.readOne(ctx, def, c, p)
		if err != nil {
			return err
		}
		return yield(p, v)
	}
	if !c.live() || def.Range == nil && def.Strings == nil && def.Type != registry.Float {
		return c.each(ctx, p, yield)
	}
	return c.each(ctx, p, func(p Path, v Value) error {
		if v.typ != registry.None && !s.judge(def, c, p, v) {
			return nil
		}
		return yield(p, v)
	})
}

// Stored yields every stored value at and below an object or instance, including secrets, so that
// you can keep them over a restart. It leaves out live resources and streams. A supported resource
// without a value is yielded with the zero Value, which distinguishes it from an unsupported one.
func (s Snapshot) Stored(p Path, yield Yield) error {
	v, ok := s.find(p.Object())
	if !ok || p.IsRoot() {
		return fail(NotFound, p, "the device has no such object")
	}
	for i, ok := v.next(p.firstInstance()); ok; i, ok = v.next(uint32(i) + 1) {
		ip := InstancePath(p.Object(), i)
		if !ip.Contains(p) && !p.Contains(ip) {
			break
		}
		if err := storedInstance(v, ip, yield); err != nil {
			return err
		}
	}
	return nil
}

func storedInstance(v view, ip Path, yield Yield) error {
	def := v.definition()
	for i := range def.Resources {
		c := v.cell(ip.Instance(), ResourceID(def.Resources[i].ID))
		t, multiple := c.kind()
		if !c.supported() || c.live() || t == registry.None {
			continue
		}
		rp := ip.child(def.Resources[i].ID)
		if multiple || !c.hasValue() {
			if err := yield(rp, Value{}); err != nil {
				return err
			}
		}
		values := func(p Path, v Value) error {
			if v.typ == registry.None {
				return nil // yielded already
			}
			return yield(p, v)
		}
		if err := c.each(context.Background(), rp, values); err != nil && !errors.Is(err, ErrNoValue) {
			return err
		}
	}
	return nil
}

// OpenSource opens the stream behind a readable resource. It returns false if the resource is not a
// stream; use Value then. The caller closes the Source. OpenSource is for runtimes.
func (s Snapshot) OpenSource(ctx context.Context, who Origin, p Path) (Source, bool, error) {
	_, c, err := s.readable(who, p)
	if err != nil {
		return nil, false, err
	}
	st := c.stream()
	if st == nil || st.source == nil {
		return nil, false, nil
	}
	src, err := st.source(ctx)
	if err != nil {
		return nil, true, withPath(p, err)
	}
	return src, true, nil
}
