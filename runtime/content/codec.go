package content

import (
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encoder writes payloads of one format, one after another: Begin, Entry for each value, Finish. An
// Encoder is reused rather than made anew; in steady state it allocates nothing. One goroutine at a
// time uses it. The zero value of every Encoder below this package is ready.
//
// Its errors are *dm.Error: 4.06 for what the format cannot carry, 5.00 for what nothing can. After an
// error the payload is void, and the Encoder starts over with Begin.
type Encoder interface {
	// Begin starts a payload behind the bytes of dst. The Encoder keeps dst until Finish.
	Begin(dst []byte, t Target) error
	// Entry appends one value, or says that a node has nothing below it: the zero Value at a resource
	// that has resource instances, or at an instance. Entries come in ascending order of paths.
	// SenML takes them in any order.
	Entry(e dm.Entry) error
	// Finish ends the payload and returns dst with it.
	Finish() ([]byte, error)
}

// Target is what an encoded payload is about.
type Target struct {
	// Base is the path of the request that the payload answers or belongs to; nothing but what lies
	// at or below it is encoded. The root is for composites, Send and Bootstrap-Pack.
	Base dm.Path
	// Prefix is the gateway prefix of the device, without slashes (LwM2M Gateway 1.0). Empty means
	// none. Formats that carry no object IDs leave it out.
	Prefix string
}

// Decoder reads payloads of one format. A Decoder is reused rather than made anew; one goroutine at a
// time uses it. The zero value of every Decoder below this package is ready.
type Decoder interface {
	// Decode yields the entries of a payload in the payload's order. Everything yielded is void when
	// Decode fails. An error is what yield returned, or a *dm.Error with 4.00 that names the path, or
	// the base where the payload is broken before there is a path.
	//
	// Opaque values share the payload's bytes. The same path does not come twice, except with
	// different times.
	Decode(payload []byte, r Request, yield func(dm.Entry) error) error
}

// PathDecoder reads payloads that name paths without values.
type PathDecoder interface {
	// DecodePaths yields the paths of a payload in the payload's order, repetitions included. Errors
	// are as for Decoder.
	DecodePaths(payload []byte, r Request, yield func(dm.Path) error) error
}

// Schema returns the definition of an object, nil where the device does not have it.
type Schema func(dm.ObjectID) *registry.Object

// Request is what a payload is decoded against.
type Request struct {
	// Base is the path of the request; the payload may name only what lies at or below it. The root
	// is for composites, Send and Bootstrap-Pack.
	Base dm.Path
	// Schema gives the definitions by which values are typed. A resource that it does not define is
	// yielded with the type that the format itself shows (TLV: Opaque), for the data model to skip or
	// to refuse. Nil defines nothing.
	Schema Schema
	// Create says that the payload belongs to a Create: values without an instance ID are yielded
	// below NewInstance.
	Create bool
	// NewInstance is the ID for the instance that a Create payload leaves unnamed.
	NewInstance dm.InstanceID
	// Prefix is the gateway prefix that paths in the payload must carry, without slashes. Empty means
	// none.
	Prefix string
	// Select replaces Prefix for a payload whose names may lie in several devices: it is called with
	// the gateway prefix of each name, empty where the name has none, before the name's path is
	// yielded, and returns an error where no device has that prefix. A name's first segment is a prefix
	// unless it consists of digits. The bytes are valid during the call. Formats without names never
	// call it. The zero value means that Prefix counts.
	Select func(prefix []byte) error
	// Now is what times relative to now are resolved against (RFC 8428 §4.5.3). Zero means time.Now.
	Now time.Time
}
