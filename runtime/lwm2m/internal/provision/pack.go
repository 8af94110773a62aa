package provision

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// DecodePack returns the entries of a Bootstrap-Pack in SenML CBOR, SenML JSON or LwM2M CBOR for
// the objects of a data model. They share the bytes of the payload.
func DecodePack(f content.Format, payload []byte, s dm.Snapshot) ([]dm.Entry, error) {
	if err := content.Check(f, content.BootstrapPack, dm.Path{}); err != nil {
		return nil, err
	}
	var dec codec.Decoder
	var entries []dm.Entry
	err := dec.Decode(f, payload, content.Request{
		Schema: func(id dm.ObjectID) *registry.Object { return s.Definition(id) },
	}, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// ApplyEntries writes the entries of a Bootstrap-Pack, or of a file like one, to a transaction of
// the origin dm.Bootstrap: the instances of the objects that the entries name are deleted first,
// and instances of other objects stay. After an error the caller rolls the transaction back.
func ApplyEntries(t *dm.Transaction, entries []dm.Entry) error {
	return writePack(t, entries)
}
