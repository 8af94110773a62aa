// Package sink is where decoders deliver what they read: it holds paths against the request, types
// values by the resource's definition and refuses what comes twice.
package sink

import (
	"cmp"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Sink delivers the entries of one payload after another: Begin, then the entries, then Finish. The
// zero value is ready.
type Sink struct {
	Req   content.Request
	yield func(dm.Entry) error

	base    dm.Path
	object  *registry.Object // of the last path, as looked up
	last    dm.ObjectID
	looked  bool
	seen    []place
	ordered bool
	now     float64
}

// place is what must not come twice.
type place struct {
	path dm.Path
	time float64
}

func (a place) compare(b place) int {
	return cmp.Or(a.path.Compare(b.path), cmp.Compare(a.time, b.time))
}

// Begin starts a payload.
func (s *Sink) Begin(r content.Request, yield func(dm.Entry) error) {
	*s = Sink{Req: r, yield: yield, base: r.Base, seen: s.seen[:0], ordered: true}
}

// Finish ends a payload and reports a path that came twice. It forgets what Begin was given.
func (s *Sink) Finish() error {
	defer s.release()
	if s.ordered {
		return nil
	}
	slices.SortFunc(s.seen, place.compare)
	for i := 1; i < len(s.seen); i++ {
		if s.seen[i] == s.seen[i-1] {
			return fault.BadRequest(s.seen[i].path, "the payload names it twice")
		}
	}
	return nil
}

// keepPlaces bounds what a Sink keeps for the next payload.
const keepPlaces = 1024

func (s *Sink) release() {
	s.Req, s.yield, s.object, s.looked = content.Request{}, nil, nil, false
	if cap(s.seen) > keepPlaces {
		s.seen = nil
	}
}

// Broken returns a 4.00 for a payload that is broken at a byte offset.
func (s *Sink) Broken(offset int, err error) error {
	return fault.BadRequest(s.Req.Base, "the payload is broken at byte %d: %w", offset, err)
}

// Contains reports whether a path is the request's base or lies below it.
func (s *Sink) Contains(p dm.Path) bool { return s.base.Contains(p) }

// Within reports a path outside of the request's base.
func (s *Sink) Within(p dm.Path) error {
	if s.Contains(p) {
		return nil
	}
	return fault.BadRequest(p, "the payload names what does not lie below %v", s.Req.Base)
}

// Object returns the definition of an object, nil where there is none.
func (s *Sink) Object(id dm.ObjectID) *registry.Object {
	if s.Req.Schema == nil {
		return nil
	}
	if !s.looked || s.last != id {
		s.object, s.last, s.looked = s.Req.Schema(id), id, true
	}
	return s.object
}

// Type returns the type of a resource, None where no definition tells it.
func (s *Sink) Type(p dm.Path) registry.Type {
	if r := s.resource(p); r != nil {
		return r.Type
	}
	return registry.None
}

func (s *Sink) resource(p dm.Path) *registry.Resource {
	if o := s.Object(p.Object()); o != nil {
		return o.Resource(uint16(p.Resource()))
	}
	return nil
}

// Scalar delivers a value that its definition makes a typed one of.
func (s *Sink) Scalar(p dm.Path, v *scalar.Scalar, time float64) error {
	if err := s.Within(p); err != nil {
		return err
	}
	if p.Level() < dm.ResourceLevel {
		return fault.BadRequest(p, "the payload has a value for what is no resource")
	}
	typed, err := v.Typed(s.Type(p))
	if err != nil {
		return fault.BadRequest(p, "%w", err)
	}
	return s.Value(p, typed, time)
}

// Value delivers a typed value; the zero Value says that a node has nothing below it. The path lies
// within the base. That of a secret resource is hidden. That an instance is empty is not said of the base itself, which the request names
// already.
func (s *Sink) Value(p dm.Path, v dm.Value, time float64) error {
	if v.Type() == registry.None && p == s.Req.Base && p.Level() == dm.InstanceLevel {
		return nil
	}
	at := place{p, time}
	if n := len(s.seen); n > 0 && s.seen[n-1].compare(at) >= 0 {
		s.ordered = false
	}
	s.seen = append(s.seen, at)
	if t := v.Type(); t == registry.Opaque || t == registry.String {
		if r := s.resource(p); r != nil && r.Secret {
			v = v.Hidden()
		}
	}
	return s.yield(dm.Entry{Path: p, Value: v, Time: time})
}

// Time resolves a time in seconds that may be relative to now (RFC 8428 §4.5.3). Zero stays zero: it is
// not said.
func (s *Sink) Time(p dm.Path, t float64) (float64, error) {
	if t == 0 || fault.Time(t) {
		return t, nil
	}
	if s.now == 0 {
		now := s.Req.Now
		if now.IsZero() {
			now = time.Now()
		}
		s.now = float64(now.UnixMicro()) / 1e6
	}
	if t += s.now; !fault.Time(t) {
		return 0, fault.BadRequest(p, "the payload has a time that lies before 1978 or is no number")
	}
	return t, nil
}
