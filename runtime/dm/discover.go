package dm

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
)

// DefaultDepth makes Discover list what Core 1.2.2 §6.3.2 asks for without a depth parameter.
const DefaultDepth = -1

// Node is one node that Discover lists.
type Node struct {
	// Path is the node.
	Path Path
	// Version is the object's version, for an object only.
	Version registry.Version
	// Dim is the number of resource instances of a multiple-instance resource, -1 for other nodes.
	Dim int
}

// Discover yields the nodes at and below p, as deep as depth says: 0 is p alone, up to 3 levels more.
// DefaultDepth is 2 for an object and 1 for what lies deeper (Core 1.2.2 §6.3.2). Listed are
// instances, and the resources that the instance supports, whether they have a value at the moment or
// not: it is what a server can write or attach attributes to, and no function of a single resource is
// called. Read of a resource without a value is NotFound. who sees only what is open to it. Discover fails with NotFound where p names nothing.
func (s Snapshot) Discover(ctx context.Context, who Origin, p Path, depth int, yield func(Node) error) error {
	if depth == DefaultDepth {
		depth = 1
		if p.level <= ObjectLevel {
			depth = 2
		}
	}
	d := discovery{s, ctx, who, p.level + Level(min(max(depth, 0), 4)), yield}
	switch p.level {
	case RootLevel:
		for _, o := range s.r.all() {
			if err := d.object(o.id()); err != nil {
				return err
			}
		}
		return nil
	case ObjectLevel:
		return d.object(p.Object())
	}
	v, ok := s.find(p.Object())
	if !ok || !v.has(p.Instance()) {
		return fail(NotFound, p, "the device has no such instance")
	}
	if p.level == InstanceLevel {
		return d.instance(v, p)
	}
	return d.named(v, p)
}

// discovery is one Discover in progress.
type discovery struct {
	s       Snapshot
	ctx     context.Context
	who     Origin
	deepest Level
	yield   func(Node) error
}

func (d *discovery) object(id ObjectID) error {
	v, ok := d.s.find(id)
	if !ok {
		return fail(NotFound, ObjectPath(id), "the device has no such object")
	}
	if err := d.yield(Node{ObjectPath(id), v.definition().Version.OrDefault(), -1}); err != nil || d.deepest <= ObjectLevel {
		return err
	}
	for i, ok := v.next(0); ok; i, ok = v.next(uint32(i) + 1) {
		if err := d.instance(v, InstancePath(id, i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *discovery) instance(v view, p Path) error {
	if err := d.yield(Node{Path: p, Dim: -1}); err != nil || d.deepest <= InstanceLevel {
		return err
	}
	def := v.definition()
	for i := range def.Resources {
		r := &def.Resources[i]
		c := v.cell(p.Instance(), ResourceID(r.ID))
		if !d.shows(r, c) {
			continue
		}
		if err := d.resource(c, p.child(r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether a resource is there for who.
func (d *discovery) shows(r *registry.Resource, c Cell) bool {
	if r.Ops.BootstrapOnly() && !d.who.IsApplication() && !d.who.IsBootstrap() {
		return false
	}
	return c.supported()
}

// named lists the resource or resource instance that p names.
func (d *discovery) named(v view, p Path) error {
	r := v.definition().Resource(uint16(p.Resource()))
	if r == nil {
		return d.s.missing(p)
	}
	c := v.cell(p.Instance(), p.Resource())
	if !d.shows(r, c) {
		return d.s.missing(p)
	}
	if p.level == ResourceLevel {
		return d.resource(c, p)
	}
	found := false
	err := c.instances(d.ctx, func(ri ResourceInstanceID) bool {
		found = found || ri == p.ResourceInstance()
		return !found
	})
	if err != nil && !errors.Is(err, ErrNoValue) {
		return at(p, err)
	}
	if !found {
		return fail(NotFound, p, "there is no such resource instance")
	}
	return d.yield(Node{Path: p, Dim: -1})
}

func (d *discovery) resource(c Cell, p Path) error {
	if _, multiple := c.kind(); !multiple {
		return d.yield(Node{Path: p, Dim: -1})
	}
	var ids []ResourceInstanceID
	err := c.instances(d.ctx, func(ri ResourceInstanceID) bool {
		ids = append(ids, ri)
		return true
	})
	if err != nil && !errors.Is(err, ErrNoValue) {
		return at(p, err)
	}
	if err := d.yield(Node{Path: p, Dim: len(ids)}); err != nil || d.deepest <= ResourceLevel {
		return err
	}
	for _, ri := range ids {
		if err := d.yield(Node{Path: p.child(uint16(ri)), Dim: -1}); err != nil {
			return err
		}
	}
	return nil
}
