// Package sink takes the entries that the decoders read. It checks paths against the request, gives
// values the types of their definitions and refuses a path that comes twice.
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

// Sink yields the entries of payloads, one payload after another: Begin, then the entries, then
// Finish. The zero value is ready to use.
type Sink struct {
	Req   content.Request
	yield func(dm.Entry) error

	base    dm.Path
	object  *registry.Object // the definition of object last
	last    dm.ObjectID
	cached  bool // whether object and last are set
	seen    []place
	ordered bool    // whether seen is in ascending order so far
	now     float64 // the time that relative times refer to, 0 before the first
}

// place is a path at a time: a payload may name it once.
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

// Finish ends a payload and returns an error for a path that came twice. It drops the references
// that Begin took.
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

// keepPlaces is the largest capacity of seen that a Sink keeps for the next payload.
const keepPlaces = 1024

func (s *Sink) release() {
	s.Req, s.yield, s.object, s.cached = content.Request{}, nil, nil, false
	if cap(s.seen) > keepPlaces {
		s.seen = nil
	}
}

// Broken returns a 4.00 for a payload that is not well-formed at a byte offset.
func (s *Sink) Broken(offset int, err error) error {
	return fault.BadRequest(s.Req.Base, "the payload is broken at byte %d: %w", offset, err)
}

// Contains reports whether a path is the request's base or lies below it.
func (s *Sink) Contains(p dm.Path) bool { return s.base.Contains(p) }

// Within returns an error for a path outside of the request's base.
func (s *Sink) Within(p dm.Path) error {
	if s.Contains(p) {
		return nil
	}
	return fault.BadRequest(p, "the payload names a node that is not at or below %v", s.Req.Base)
}

// Object returns the definition of an object, or nil without one.
func (s *Sink) Object(id dm.ObjectID) *registry.Object {
	if s.Req.Schema == nil {
		return nil
	}
	if !s.cached || s.last != id {
		s.object, s.last, s.cached = s.Req.Schema(id), id, true
	}
	return s.object
}

// Type returns the type of a resource, or None without a definition.
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

// Scalar yields a value with the type of its definition.
func (s *Sink) Scalar(p dm.Path, v *scalar.Scalar, time float64) error {
	if err := s.Within(p); err != nil {
		return err
	}
	if p.Level() < dm.ResourceLevel {
		return fault.BadRequest(p, "the payload has a value for a node that is not a resource")
	}
	typed, err := v.Typed(s.Type(p))
	if err != nil {
		return fault.BadRequest(p, "%w", err)
	}
	return s.Value(p, typed, time)
}

// Value yields a typed value at a path within the base. The zero Value says that the node is empty;
// for an instance that is the base itself it is left out, because the request names that instance
// already. The value of a secret resource is hidden.
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

// Time resolves a time in seconds that may be relative to now (RFC 8428 §4.5.3). Zero means no time
// and stays zero.
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
		return 0, fault.BadRequest(p, "the payload has a time before 1978, or one that is not a number")
	}
	return t, nil
}
