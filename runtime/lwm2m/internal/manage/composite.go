package manage

// The paths of composite operations. A name in SenML carries the prefix of its device, and LwM2M
// CBOR carries none: its paths lie in the device that the request's path names. A composite request
// whose path names no device may name any device in its payload. A Read-Composite combines the
// values of several devices in one answer; a Write-Composite is one transaction and so belongs to
// one device.

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// decoder is the part of codec.Decoder that reads paths.
type decoder interface {
	DecodePaths(f content.Format, payload []byte, r content.Request, yield func(dm.Path) error) error
}

var (
	errNoDevice       = newRefusal(dm.BadRequest, "no device here has the prefix of a name")
	errSeveralDevices = newRefusal(dm.BadRequest, "a Write-Composite must name resources of one device only")
	errNoPrefixes     = newRefusal(dm.NotAcceptable,
		"the format carries no prefix, and the answer is about another device than the request's path")
)

// carriesPrefix reports whether a format of composite payloads names the device of a value.
func carriesPrefix(f content.Format) bool { return f != content.LwM2MCBOR }

// compositePart is what a Read-Composite reads from one device.
type compositePart struct {
	scope    *scope
	snapshot dm.Snapshot
	paths    []dm.Path
}

// keptPaths bounds the memory that is kept for the paths of the next composite.
const keptPaths = 1024

// prepareComposite reads the payload of a Read-Composite.
func (x *reading) prepareComposite(q *request, dec decoder, asked bool) error {
	x.composite = true
	if !x.format.Carries(content.Composite, dm.RootLevel) {
		x.format = content.SenMLCBOR // what the server prefers is for other operations
	}
	if q.format == content.None {
		return errNoFormat
	}
	req := content.Request{Prefix: q.scope.device.cfg.Prefix, Schema: x.schema}
	if q.anyDevice {
		req.Select = x.selectDevice
	}
	x.parts, x.into = x.parts[:0], nil
	if !q.anyDevice || !carriesPrefix(q.format) {
		x.selectScope(q.scope)
	}
	if err := dec.DecodePaths(q.format, q.r.Body(), req, x.addPath); err != nil {
		return err
	}
	for i := range x.parts {
		part := &x.parts[i]
		part.paths = content.Prune(part.paths)
		if part.scope == q.scope || carriesPrefix(x.format) {
			continue
		}
		if asked {
			return errNoPrefixes
		}
		x.format = content.SenMLCBOR
	}
	return nil
}

// selectPrefix selects the device that the next path belongs to.
func (x *reading) selectPrefix(prefix []byte) error {
	s := x.scope.peer.scope(prefix)
	if s == nil {
		return errNoDevice
	}
	x.selectScope(s)
	return nil
}

func (x *reading) selectScope(s *scope) {
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
	req := content.Request{Select: func(prefix []byte) error {
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
