package content

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Operation is the operation that a payload belongs to. It decides which formats may carry the
// payload.
type Operation uint8

// The operations whose payloads have a Content-Format.
const (
	// Read is the response to a Read, an Observe or a Bootstrap-Read, and the notification of an
	// Observe.
	Read Operation = iota
	// Write is the payload of a Write or a Bootstrap-Write.
	Write
	// Create is the payload of a Create.
	Create
	// Composite is the response to a Read-Composite or an Observe-Composite, and its notification.
	Composite
	// CompositePaths is the payload of a Read-Composite or an Observe-Composite: paths without
	// values.
	CompositePaths
	// WriteComposite is the payload of a Write-Composite.
	WriteComposite
	// Send is the payload of a Send.
	Send
	// BootstrapPack is the response to a Bootstrap-Pack-Request.
	BootstrapPack
	// Discover is the response to a Discover or a Bootstrap-Discover.
	Discover
	// Register is the payload of a Register or an Update.
	Register
	// Execute is the payload of an Execute: its arguments.
	Execute
)

// String returns the operation's name as LwM2M spells it.
func (o Operation) String() string {
	switch o {
	case Read:
		return "Read"
	case Write:
		return "Write"
	case Create:
		return "Create"
	case Composite:
		return "Read-Composite"
	case CompositePaths:
		return "Read-Composite request"
	case WriteComposite:
		return "Write-Composite"
	case Send:
		return "Send"
	case BootstrapPack:
		return "Bootstrap-Pack"
	case Discover:
		return "Discover"
	case Register:
		return "Register"
	case Execute:
		return "Execute"
	}
	return "Operation(invalid)"
}

// isResponse reports whether the payload is the response to a request.
func (o Operation) isResponse() bool {
	return o == Read || o == Composite || o == BootstrapPack || o == Discover
}

// Carries reports whether f may carry the payload of an operation on a node of the given level
// (Core 1.2.2 §6.3, §6.4, §7.4). Operations without a path (composites, Send, Register,
// Bootstrap-Pack) ignore the level. Whether a format of one value fits also depends on the
// resource: the encoder refuses a resource that has resource instances with 4.06.
func (f Format) Carries(op Operation, level dm.Level) bool {
	switch f.Canonical() {
	case Text:
		return op == Execute || single(op, level)
	case Opaque, CBOR:
		return single(op, level)
	case Link:
		return op == Discover || op == Register
	case TLV, LwM2MJSON:
		return addressed(op, level)
	case SenMLJSON, SenMLCBOR, LwM2MCBOR:
		switch op {
		case Composite, CompositePaths, WriteComposite, Send, BootstrapPack:
			return true
		}
		return addressed(op, level)
	case SenMLETCHJSON, SenMLETCHCBOR:
		return op == CompositePaths || op == WriteComposite
	}
	return false
}

// single reports whether a format of one value fits.
func single(op Operation, level dm.Level) bool {
	return (op == Read || op == Write) && level >= dm.ResourceLevel
}

// addressed reports whether a format fits whose payload is about nodes below the path of the
// request.
func addressed(op Operation, level dm.Level) bool {
	switch op {
	case Read, Write:
		return level >= dm.ObjectLevel
	case Create:
		return level == dm.ObjectLevel
	}
	return false
}

// Check returns a *dm.Error if f may not carry the payload of an operation on the node p: 4.06 for
// a response, whose format the server asks for with Accept, and 4.15 for a payload that the server
// sends (Transport 1.2.2 §6.4).
func Check(f Format, op Operation, p dm.Path) error {
	if f.Carries(op, p.Level()) {
		return nil
	}
	code := dm.UnsupportedContentFormat
	if op.isResponse() {
		code = dm.NotAcceptable
	}
	if f.Canonical().name() == "" {
		return &dm.Error{Code: code, Path: p, Err: fmt.Errorf("%v is not a format of LwM2M", f)}
	}
	return &dm.Error{Code: code, Path: p, Err: fmt.Errorf("%v cannot carry a %v of this node", f, op)}
}
