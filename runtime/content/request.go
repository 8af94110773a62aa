package content

import (
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Target says what a payload to be encoded is about.
type Target struct {
	// Base is the path of the request that the payload answers or belongs to. Only values at or
	// below it are encoded. Composites, Send and Bootstrap-Pack have the root as their base.
	Base dm.Path
	// Root is the alternate path of the device, such as "/lwm2m", with which names in SenML and
	// SenML-ETCH begin (Transport 1.2.1 §6.4.1). Payloads of the bootstrap interface never have
	// one. The zero value means none. The other formats leave it out.
	Root string
	// Prefix is the gateway prefix of the device, without slashes (LwM2M Gateway 1.0). In a name it
	// follows Root. The zero value means no prefix. Formats that do not name objects leave it out.
	Prefix string
}

// Request says what a payload is decoded against.
type Request struct {
	// Base is the path of the request. The payload may only name paths at or below it. Composites,
	// Send and Bootstrap-Pack have the root as their base.
	Base dm.Path
	// Schema returns the definitions that give values their types. A resource without a definition
	// is yielded with the type that the format itself shows (TLV: Opaque), for the data model to
	// skip or to refuse. The zero value means no definitions.
	Schema Schema
	// Create says that the payload belongs to a Create: values without an instance ID are yielded
	// below NewInstance.
	Create bool
	// NewInstance is the ID for the instance that a Create payload leaves unnamed.
	NewInstance dm.InstanceID
	// Root is the alternate path of the device, such as "/lwm2m". Names in SenML and SenML-ETCH may
	// begin with it, and need not (Transport 1.2.1 §6.4.1). The zero value means none, as in
	// payloads of the bootstrap interface.
	Root string
	// Prefix is the gateway prefix that paths in the payload must have, without slashes. In a name
	// it follows Root. The zero value means no prefix.
	Prefix string
	// Select replaces Prefix for a payload whose names may belong to several devices. It is called
	// with the gateway prefix of each name, before the path of the name is yielded, and returns an
	// error if no device has the prefix. The prefix is empty for a name without one; the first
	// segment of a name is a prefix unless it consists of digits. The bytes are valid during the
	// call. Formats without names do not call Select. The zero value means that Prefix counts.
	Select func(prefix []byte) error
	// Now is the time to which relative times in the payload refer (RFC 8428 §4.5.3). The zero
	// value means time.Now.
	Now time.Time
}

// Schema returns the definition of an object, or nil for an object that the device does not have.
type Schema func(dm.ObjectID) *registry.Object
