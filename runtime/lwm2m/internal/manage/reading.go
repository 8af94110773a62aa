package manage

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// A reading walks the data model for one answer or notification: a Read, a Discover or a
// Read-Composite, in the format of the answer. It is prepared on the loop and keeps the state of
// then, so that it can run anywhere. The loop uses one reading again and again; a worker uses a
// clone.
type reading struct {
	enc  *codec.Encoder
	link *corelink.Encoder

	scope    *scope // that of the request
	snapshot dm.Snapshot
	op       Operation
	path     dm.Path
	format   content.Format
	discover discovery

	isComposite bool
	composite   composite

	observed found // of an observation
	// probe says that what is read is compared only: nothing is encoded.
	probe bool
	// wanted says which nodes of a composite are compared; a probe reads no others.
	wanted []bool

	// Of the present run.
	values *dm.Snapshot // being walked
	count  int          // of values
	access instanceAccess

	yield dm.Yield // the method value, taken once
}

func newReading(enc *codec.Encoder, link *corelink.Encoder, seed maphash.Seed) *reading {
	x := &reading{enc: enc, link: link, observed: newFound(seed)}
	x.yield = x.addValue
	x.composite.setup()
	return x
}

// begin prepares a reading of the present state.
func (x *reading) begin(s *scope, op Operation, p dm.Path, f content.Format) {
	x.scope, x.op, x.path, x.format = s, op, p, f
	x.snapshot, x.isComposite, x.probe = s.snapshot(), false, false
}

// beginProbe prepares a reading that compares an observed node in a state of the data model.
func (x *reading) beginProbe(p *part, state dm.Snapshot) {
	x.begin(p.scope, Observe, p.path, p.o.format)
	x.snapshot, x.probe = state, true
}

// clone returns a reading of the same state for a worker.
func (x *reading) clone() *reading {
	y := newReading(new(codec.Encoder), new(corelink.Encoder), x.observed.hash.Seed())
	y.probe, y.wanted = x.probe, slices.Clone(x.wanted)
	y.scope, y.snapshot, y.op, y.path, y.format = x.scope, x.snapshot, x.op, x.path, x.format
	if y.isComposite = x.isComposite; y.isComposite {
		y.composite.parts = x.composite.cloneParts()
	}
	if y.op == Discover {
		nodes := x.discover.attributes.Clone()
		y.discover = x.discover
		y.discover.attributes = &nodes
	}
	return y
}

// run appends the payload of the answer to dst. Under a context that refuses slow functions it may
// fail with dm.ErrSlow.
func (x *reading) run(ctx context.Context, dst []byte) ([]byte, error) {
	if x.op == Discover {
		return x.writeLinks(ctx, dst)
	}
	x.observed.reset()
	if x.count = 0; !x.probe {
		target := content.Target{Base: x.path, Root: x.scope.peer.cfg.Root, Prefix: x.scope.device.cfg.Prefix}
		if err := x.enc.Begin(x.format, dst, target); err != nil {
			return dst, err
		}
	}
	var err error
	if x.isComposite {
		err = x.readComposite(ctx)
	} else {
		x.enter(x.scope, &x.snapshot)
		x.beginNode(x.path)
		err = x.readNode(ctx, x.path)
		x.endNode(x.path, err)
	}
	if err != nil || x.probe {
		return dst, err
	}
	out, err := x.enc.Finish()
	if err != nil {
		return dst, err
	}
	return out, nil
}

// beginNode begins the reading of a node that may be observed.
func (x *reading) beginNode(p dm.Path) {
	if x.op == Observe {
		x.observed.begin(p)
	}
}

// endNode ends the reading of a node that may be observed.
func (x *reading) endNode(p dm.Path, err error) {
	if x.op != Observe {
		return
	}
	live, every := x.values.Sampling(x.scope.peer.who, p)
	x.observed.end(live, every, err)
}

// enter starts the walk of one device.
func (x *reading) enter(s *scope, values *dm.Snapshot) {
	x.values = values
	x.access = instanceAccess{access: &s.access, op: x.op}
}

// readNode reads one node.
func (x *reading) readNode(ctx context.Context, p dm.Path) error {
	if p.Level() > dm.ObjectLevel {
		if err := x.access.check(p); err != nil {
			return err
		}
	}
	err := x.values.Read(ctx, x.scope.peer.who, p, x.yield)
	if err == nil && x.count == 0 && !x.isComposite {
		err = x.readNothing(p)
	}
	return err
}

// readNothing answers a Read that found no value.
func (x *reading) readNothing(p dm.Path) error {
	if x.access.denied != nil {
		return x.access.denied
	}
	if p.Level() != dm.ResourceLevel {
		return nil
	}
	if x.probe {
		return nil
	}
	return x.enc.Entry(dm.Entry{Path: p}) // a resource that has no instance at the moment
}

// addValue appends one value of the walk.
func (x *reading) addValue(p dm.Path, v dm.Value) error {
	if x.path.Level() < dm.InstanceLevel && x.access.check(p) != nil {
		return nil // instances that are not open are left out (Core 1.2.2 §6.3.1, §8.2.1)
	}
	x.count++
	if x.op == Observe {
		x.observed.note(x.values, p, v)
	}
	if x.probe {
		return nil
	}
	return x.enc.Entry(dm.Entry{Path: p, Value: v})
}

// discovery is what a Discover shows beside the nodes.
type discovery struct {
	depth      int
	attributes *attr.Nodes
	defaults   attr.Set // in force where nothing is attached
	version    registry.Version
}

// writeLinks writes the answer to a Discover (Core 1.2.2 §6.3.2).
func (x *reading) writeLinks(ctx context.Context, dst []byte) ([]byte, error) {
	if err := x.scope.access.authorize(Discover, x.path); err != nil {
		return dst, err
	}
	d, implied := &x.discover, x.scope.device.cfg.ImpliedVersion
	x.link.Begin(dst, x.scope.linkRoot)
	err := x.snapshot.Discover(ctx, x.scope.peer.who, x.path, d.depth, func(n dm.Node) error {
		x.link.Link(n.Path)
		if n.Path.Level() == dm.ObjectLevel && n.Version != implied(n.Path.Object(), d.version) {
			x.link.Version("ver", n.Version)
		}
		if n.Dim >= 0 {
			x.link.Int("dim", int64(n.Dim))
		}
		set := d.attributes.At(n.Path)
		if n.Path == x.path {
			set = d.attributes.InForce(n.Path).Over(d.defaults)
		}
		writeAttributes(x.link, &set)
		return nil
	})
	out, ferr := x.link.Finish()
	if err = errors.Join(err, ferr); err != nil {
		return dst, err
	}
	return out, nil
}

// writeAttributes adds attributes to a link.
func writeAttributes(e *corelink.Encoder, set *attr.Set) {
	for a := range attr.Count {
		v, ok := set.Get(a)
		switch {
		case !ok:
		case a.Decimal():
			e.Float(a.String(), v)
		default:
			e.Int(a.String(), int64(v))
		}
	}
}
