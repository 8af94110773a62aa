package manage

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Scratch is what the Managers of one goroutine share: the memory with which payloads are read and
// written, one after another, so that a process of many clients has it once, and the observations
// that are due, so that those of all clients are sampled fairly. Managers that share a Scratch have
// the same scheduler.
type Scratch struct {
	due due

	encoder codec.Encoder
	links   corelink.Encoder
	decoder codec.Decoder

	snapshot dm.Snapshot // that gives the definitions for the payload being decoded
	entries  []dm.Entry  // of that payload

	notice       notice
	notification coap.Notification
	payload      []byte // of the notification

	// Method values, taken once.
	schema   func(dm.ObjectID) *registry.Object
	addEntry func(dm.Entry) error
}

// NewScratch returns a Scratch.
func NewScratch() *Scratch {
	s := &Scratch{}
	s.schema = func(id dm.ObjectID) *registry.Object { return s.snapshot.Definition(id) }
	s.addEntry = func(e dm.Entry) error { s.entries = append(s.entries, e); return nil }
	return s
}

// These bound the memory that is kept for the next payload.
const (
	keptEntries = 1024
	keptPayload = 4 << 10
)

// decode returns the entries of a payload for the model that snap shows. They share the payload's
// bytes and are valid until forget.
func (s *Scratch) decode(f content.Format, payload []byte, r content.Request, snap dm.Snapshot) ([]dm.Entry, error) {
	if cap(s.entries) > keptEntries {
		s.entries = nil
	}
	s.entries, s.snapshot = s.entries[:0], snap
	r.Schema = s.schema
	err := s.decoder.Decode(f, payload, r, s.addEntry)
	return s.entries, err
}

// forget releases the payload and the model.
func (s *Scratch) forget() {
	clear(s.entries)
	s.snapshot = dm.Snapshot{}
}

// keep keeps the memory of a payload for the next one, unless there is too much of it.
func (s *Scratch) keep(payload []byte) {
	if cap(payload) <= keptPayload {
		s.payload = payload
	}
}
