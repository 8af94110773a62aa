package manage

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Scratch is what payloads are read and written with, one after the other: nothing of it outlives the
// turn. Managers of one goroutine may share a Scratch, so that a process of many clients has it once.
type Scratch struct {
	encoder codec.Encoder
	links   corelink.Encoder
	decoder codec.Decoder

	snapshot dm.Snapshot // that the payload being decoded is held against
	entries  []dm.Entry  // of that payload
	paths    []dm.Path   // likewise
	// Method values, taken once.
	schema   func(dm.ObjectID) *registry.Object
	addEntry func(dm.Entry) error
	addPath  func(dm.Path) error
}

// NewScratch returns a Scratch.
func NewScratch() *Scratch {
	s := &Scratch{}
	s.schema = func(id dm.ObjectID) *registry.Object { return s.snapshot.Definition(id) }
	s.addEntry = func(e dm.Entry) error { s.entries = append(s.entries, e); return nil }
	s.addPath = func(p dm.Path) error { s.paths = append(s.paths, p); return nil }
	return s
}

// keptEntries bounds what is kept for the next payload.
const keptEntries = 1024

// decode returns the entries of a payload; they share its bytes, and are valid until forget.
func (s *Scratch) decode(f content.Format, payload []byte, r content.Request) ([]dm.Entry, error) {
	if cap(s.entries) > keptEntries {
		s.entries = nil
	}
	s.entries = s.entries[:0]
	r.Schema = s.schema
	err := s.decoder.Decode(f, payload, r, s.addEntry)
	return s.entries, err
}

// decodePaths returns the paths of a payload; they are valid until the next one.
func (s *Scratch) decodePaths(f content.Format, payload []byte, r content.Request) ([]dm.Path, error) {
	if cap(s.paths) > keptEntries {
		s.paths = nil
	}
	s.paths = s.paths[:0]
	r.Schema = s.schema
	err := s.decoder.DecodePaths(f, payload, r, s.addPath)
	return s.paths, err
}

// forget lets go of the payload and of the data that it was held against.
func (s *Scratch) forget() {
	clear(s.entries)
	s.snapshot = dm.Snapshot{}
}
