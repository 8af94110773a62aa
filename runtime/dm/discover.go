package dm

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
)

// DefaultDepth makes Discover use the depth that Core 1.2.2 §6.3.2 defines for a request without a
// depth parameter. It is for runtimes.
const DefaultDepth = -1

// Node is one node that Discover lists. It is for runtimes.
type Node struct {
	// Path is the node.
	Path Path
	// Version is the version of an object. The zero value means that the node is not an object.
	Version registry.Version
	// Dim is the number of resource instances of a multiple-instance resource, and -1 for other
	// nodes.
	Dim int
}

// Discover yields the nodes at and below p. depth is how many levels below p it lists, 0 to 3;
// DefaultDepth means 2 for an object and 1 for deeper nodes (Core 1.2.2 §6.3.2). It lists instances
// and the resources that an instance supports, with a value or without, as far as who may see them:
// what a server can write or attach attributes to. It calls no function of a single resource.
// Discover fails with NotFound where p names nothing. It is for runtimes.
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
	return d.listNamed(v, p)
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
	if err := d.yield(Node{ObjectPath(id), v.definition().Version.OrDefault(), -1}); err != nil ||
		d.deepest <= ObjectLevel {
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

// shows reports whether who sees a resource.
func (d *discovery) shows(r *registry.Resource, c Cell) bool {
	if r.Ops.BootstrapOnly() && d.who != Application && d.who != Bootstrap {
		return false
	}
	return c.supported()
}

// listNamed lists the resource or resource instance that p names.
func (d *discovery) listNamed(v view, p Path) error {
	r := v.definition().Resource(uint16(p.Resource()))
	if r == nil {
		return d.s.notFound(p)
	}
	c := v.cell(p.Instance(), p.Resource())
	if !d.shows(r, c) {
		return d.s.notFound(p)
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
		return withPath(p, err)
	}
	if !found {
		return fail(NotFound, p, "the resource has no such resource instance")
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
		return withPath(p, err)
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
