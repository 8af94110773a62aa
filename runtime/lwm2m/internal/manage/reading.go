package manage

import (
	"context"
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A reading walks the data model for one answer: a Read, a Discover or a Read-Composite. The loop has
// one that is used again; one that runs on a worker is made anew. What it needs of its peer it holds
// itself, so that it can run anywhere.
type reading struct {
	m    *Manager
	enc  *codec.Encoder
	link *corelink.Encoder

	peer      *Peer // for what never changes: who, authorize
	snapshot  dm.Snapshot
	op        Operation
	composite bool
	path      dm.Path
	paths     []dm.Path // of a composite
	format    content.Format
	discover  discovery

	yield    dm.Yield // the method value, taken once
	found    int      // values
	instance dm.Path  // whose access was asked for last
	granted  bool
	denied   error
}

func newReading(m *Manager, enc *codec.Encoder, link *corelink.Encoder) *reading {
	x := &reading{m: m, enc: enc, link: link}
	x.yield = x.value
	return x
}

// begin prepares a reading of the present state.
func (x *reading) begin(p *Peer, q *request, f content.Format) {
	x.peer, x.op, x.composite, x.path, x.format = p, q.op, q.composite, q.path, f
	x.snapshot = x.m.cfg.Model.Snapshot()
}

// clone returns a reading of the same state for a worker.
func (x *reading) clone() *reading {
	y := newReading(x.m, new(codec.Encoder), new(corelink.Encoder))
	y.peer, y.op, y.composite, y.path, y.format = x.peer, x.op, x.composite, x.path, x.format
	y.snapshot = x.snapshot
	y.paths = append(y.paths, x.paths...)
	y.discover = x.discover.clone()
	return y
}

// run appends the payload of the answer to dst. Under a context that refuses slow functions it may
// fail with dm.ErrSlow.
func (x *reading) run(ctx context.Context, dst []byte) ([]byte, error) {
	if x.op == Discover {
		return x.links(ctx, dst)
	}
	x.found, x.instance, x.granted, x.denied = 0, dm.Path{}, false, nil
	target := content.Target{Base: x.path, Prefix: x.m.cfg.Prefix}
	if err := x.enc.Begin(x.format, dst, target); err != nil {
		return dst, err
	}
	var err error
	if x.composite {
		err = x.all(ctx)
	} else {
		err = x.one(ctx, x.path)
	}
	if err != nil {
		return dst, err
	}
	out, err := x.enc.Finish()
	if err != nil {
		return dst, err
	}
	return out, nil
}

// one reads one node.
func (x *reading) one(ctx context.Context, p dm.Path) error {
	if p.Level() > dm.ObjectLevel {
		if err := x.access(p); err != nil {
			return err
		}
	}
	err := x.snapshot.Read(ctx, x.peer.who, p, x.yield)
	if err == nil && x.found == 0 && !x.composite {
		err = x.nothing(p)
	}
	return err
}

// nothing says what a Read without any value comes to.
func (x *reading) nothing(p dm.Path) error {
	if x.denied != nil {
		return x.denied
	}
	if p.Level() != dm.ResourceLevel {
		return nil
	}
	return x.enc.Entry(dm.Entry{Path: p}) // a resource that has no instance at the moment
}

// value takes one value of the walk.
func (x *reading) value(p dm.Path, v dm.Value) error {
	if x.path.Level() < dm.InstanceLevel && x.access(p) != nil {
		return nil // instances that are not open are left out (Core 1.2.2 §6.3.1, §8.2.1)
	}
	x.found++
	return x.enc.Entry(dm.Entry{Path: p, Value: v})
}

// access asks once for each instance.
func (x *reading) access(p dm.Path) error {
	if x.peer.cfg.Authorize == nil {
		return nil
	}
	if i := p.Up(dm.InstanceLevel); x.instance != i {
		x.instance = i
		err := x.peer.cfg.Authorize(x.op, i)
		x.granted = err == nil
		if err != nil {
			x.denied = err
		}
	}
	if x.granted {
		return nil
	}
	return x.denied
}

// all reads the paths of a composite, as far as they can be read: what is not there, not readable or
// not open is left out (Core 1.2.2 §6.3.8).
func (x *reading) all(ctx context.Context) error {
	for _, p := range x.paths {
		if !p.IsRoot() {
			if err := x.optional(ctx, p); err != nil {
				return err
			}
			continue
		}
		for o := range x.snapshot.Objects() {
			if err := x.optional(ctx, dm.ObjectPath(o)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *reading) optional(ctx context.Context, p dm.Path) error {
	if x.m.hidden(p.Object()) {
		return nil
	}
	err := x.one(ctx, p)
	switch {
	case err == nil, errors.Is(err, dm.NotFound), errors.Is(err, dm.MethodNotAllowed),
		errors.Is(err, dm.Unauthorized), errors.Is(err, dm.ErrNoValue):
		return nil
	}
	return err
}

// discovery is what a Discover needs besides its path.
type discovery struct {
	depth      int
	attributes []attached
	defaults   Attributes // in force where nothing is attached
	version    registry.Version
	root       string
}

func (d *discovery) clone() discovery {
	c := *d
	c.attributes = append([]attached(nil), d.attributes...)
	return c
}

// links writes the answer of a Discover (Core 1.2.2 §6.3.2).
func (x *reading) links(ctx context.Context, dst []byte) ([]byte, error) {
	if err := x.peer.authorize(Discover, x.path); err != nil {
		return dst, err
	}
	d := &x.discover
	x.link.Begin(dst, d.root)
	err := x.snapshot.Discover(ctx, x.peer.who, x.path, d.depth, func(n dm.Node) error {
		x.link.Link(n.Path)
		if n.Path.Level() == dm.ObjectLevel && n.Version != x.m.cfg.ImpliedVersion(n.Path.Object(), d.version) {
			x.link.Version("ver", n.Version, d.version.Compare(registry.V(1, 1)) < 0)
		}
		if n.Dim >= 0 {
			x.link.Int("dim", int64(n.Dim))
		}
		a := at(d.attributes, n.Path)
		if n.Path == x.path {
			a = inForce(d.attributes, n.Path).over(d.defaults)
		}
		a.append(x.link)
		return nil
	})
	out, ferr := x.link.Finish()
	if err = errors.Join(err, ferr); err != nil {
		return dst, err
	}
	return out, nil
}
