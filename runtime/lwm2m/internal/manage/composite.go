package manage

// The paths of composite operations. A name in SenML carries the prefix of its device, and LwM2M
// CBOR carries none: its paths lie in the device that the request's path names. A composite request
// whose path names no device may name any device in its payload. A Read-Composite combines the
// values of several devices in one answer; a Write-Composite is one transaction and so belongs to
// one device.

import (
	"context"
	"errors"
	"slices"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// decoder is the part of codec.Decoder that reads paths.
type decoder interface {
	DecodePaths(f content.Format, payload []byte, r content.Request, yield func(dm.Path) error) error
}

var (
	errNoDevice       = serve.Refuse(dm.BadRequest, "no device here has the prefix of a name")
	errSeveralDevices = serve.Refuse(dm.BadRequest, "a Write-Composite must name resources of one device only")
	errNoPrefixes     = serve.Refuse(dm.NotAcceptable,
		"the format carries no prefix, and the answer is about another device than the request's path")
)

// carriesPrefix reports whether a format of composite payloads names the device of a value.
func carriesPrefix(f content.Format) bool { return f != content.LwM2MCBOR }

// composite is what a Read-Composite reads: the paths of its payload, by device. It is used for one
// request after another.
type composite struct {
	peer  *Peer
	parts []compositePart
	into  *compositePart // that the next path belongs to

	// Method values, taken once.
	add     func(dm.Path) error
	choose  func(prefix []byte) error
	defined func(dm.ObjectID) *registry.Object
}

// compositePart is what a Read-Composite reads from one device.
type compositePart struct {
	scope    *scope
	snapshot dm.Snapshot
	paths    []dm.Path
}

// keptPaths bounds the memory that is kept for the paths of the next composite.
const keptPaths = 1024

func (x *composite) setup() {
	x.add = func(p dm.Path) error { x.into.paths = append(x.into.paths, p); return nil }
	x.choose = x.chooseDevice
	x.defined = func(id dm.ObjectID) *registry.Object {
		if x.into == nil {
			return nil
		}
		return x.into.snapshot.Definition(id)
	}
}

// decode reads the payload of a Read-Composite.
func (x *composite) decode(q *request, dec decoder) error {
	if q.format == content.None {
		return serve.ErrNoFormat
	}
	x.peer, x.parts, x.into = q.scope.peer, x.parts[:0], nil
	req := content.Request{Root: x.peer.cfg.Root, Prefix: q.scope.device.cfg.Prefix, Schema: x.defined}
	if q.anyDevice {
		req.Select = x.choose
	}
	if !q.anyDevice || !carriesPrefix(q.format) {
		x.enter(q.scope)
	}
	err := dec.DecodePaths(q.format, q.r.Body(), req, x.add)
	for i := range x.parts {
		x.parts[i].paths = content.Prune(x.parts[i].paths)
	}
	return err
}

// chooseDevice makes the device with a prefix the one that the next path belongs to.
func (x *composite) chooseDevice(prefix []byte) error {
	s := x.peer.scope(prefix)
	if s == nil {
		return errNoDevice
	}
	x.enter(s)
	return nil
}

// enter continues the part of a device, or begins it.
func (x *composite) enter(s *scope) {
	for i := range x.parts {
		if x.parts[i].scope == s {
			x.into = &x.parts[i]
			return
		}
	}
	if n := len(x.parts); n < cap(x.parts) {
		x.parts = x.parts[:n+1] // with the memory of its paths
	} else {
		x.parts = append(x.parts, compositePart{})
	}
	x.into = &x.parts[len(x.parts)-1]
	x.into.scope, x.into.snapshot = s, s.snapshot()
	if x.into.paths = x.into.paths[:0]; cap(x.into.paths) > keptPaths {
		x.into.paths = nil
	}
}

// isAbout reports whether all paths lie in one device.
func (x *composite) isAbout(s *scope) bool {
	return !slices.ContainsFunc(x.parts, func(p compositePart) bool { return p.scope != s })
}

// cloneParts returns a copy that a worker can read.
func (x *composite) cloneParts() []compositePart {
	parts := slices.Clone(x.parts)
	for i := range parts {
		parts[i].paths = slices.Clone(parts[i].paths)
	}
	return parts
}

// prepareComposite reads the payload of a Read-Composite, and chooses a format of the answer that
// can carry the values.
func (x *reading) prepareComposite(q *request, dec decoder, asked bool) error {
	x.isComposite = true
	if !x.format.Carries(content.Composite, dm.RootLevel) {
		x.format = content.SenMLCBOR // what the server prefers is for other operations
	}
	if err := x.composite.decode(q, dec); err != nil || carriesPrefix(x.format) || x.composite.isAbout(q.scope) {
		return err
	}
	if asked {
		return errNoPrefixes
	}
	x.format = content.SenMLCBOR
	return nil
}

// readComposite reads the paths of a composite, as far as they can be read: a node that does not
// exist or is not readable or not open is left out (Core 1.2.2 §6.3.8).
func (x *reading) readComposite(ctx context.Context) error {
	parts := x.composite.parts
	for i := range parts {
		part := &parts[i]
		x.enter(part.scope, &part.snapshot)
		if !x.probe && (part.scope != x.scope || len(parts) > 1) {
			if err := x.enc.SetPrefix(part.scope.device.cfg.Prefix); err != nil {
				return err
			}
		}
		for _, p := range part.paths {
			if n := len(x.observed.nodes); x.probe && !x.wanted[n] {
				x.observed.skip()
				continue
			}
			x.beginNode(p)
			err := x.readOptional(ctx, &part.scope.access, p)
			x.endNode(p, err)
			if err != nil && !isLeftOut(err) {
				return err
			}
		}
	}
	return nil
}

// readOptional reads a node of a composite.
func (x *reading) readOptional(ctx context.Context, a *access, p dm.Path) error {
	if p.IsRoot() {
		for o := range x.values.Objects() {
			if err := x.readOptional(ctx, a, dm.ObjectPath(o)); err != nil && !isLeftOut(err) {
				return err
			}
		}
		return nil
	}
	if a.hides(p.Object()) {
		return errHidden
	}
	return x.readNode(ctx, p)
}

// isLeftOut reports whether an error means that a node of a composite is left out.
func isLeftOut(err error) bool {
	return errors.Is(err, dm.NotFound) || errors.Is(err, dm.MethodNotAllowed) ||
		errors.Is(err, dm.Unauthorized) || errors.Is(err, dm.ErrNoValue) || err == errHidden
}

// chooseDevice finds the device that a Write-Composite changes: that of the request's path or,
// where the path names none, that of the first name. A payload that cannot be read is left to the
// transaction, which refuses it.
func (c *change) chooseDevice() error {
	q := &c.q
	if !q.composite || !q.anyDevice || !carriesPrefix(q.format) {
		q.anyDevice = false
		return nil
	}
	first, unknown := q.scope, false
	req := content.Request{Root: q.scope.peer.cfg.Root, Select: func(prefix []byte) error {
		s := q.scope.peer.scope(prefix)
		if unknown = s == nil; !unknown {
			first = s
		}
		return errFound
	}}
	_ = c.x.cfg.Scratch.decoder.Decode(q.format, q.r.Body(), req, func(dm.Entry) error { return errFound })
	if unknown {
		return errNoDevice
	}
	q.scope = first
	return nil
}

// errFound ends the decoding of a payload whose first name is found.
var errFound = errors.New("the first name is found")

// selectOnly refuses names of other devices than the request's.
func (q *request) selectOnly(prefix []byte) error {
	if string(prefix) != q.scope.device.cfg.Prefix {
		return errSeveralDevices
	}
	return nil
}
