package dm

import "fmt"

// Code is the reason why an operation failed, as a CoAP response code: class and detail as in 4.04,
// in the byte that CoAP uses (RFC 7252 §3, §12.1.2). Success has no Code.
//
// A Code is an error: a hook or function can return it as it is, and it works as a target of
// errors.Is, as in errors.Is(err, dm.NotFound). The zero value means 5.00.
type Code uint8

// The codes that LwM2M uses (Core 1.2.2 §6, Transport 1.2.2 §6.4).
const (
	BadRequest               Code = 4 << 5    // 4.00: the payload or the arguments are wrong
	Unauthorized             Code = 4<<5 | 1  // 4.01: the server lacks the right
	BadOption                Code = 4<<5 | 2  // 4.02: a critical option is not understood
	Forbidden                Code = 4<<5 | 3  // 4.03: refused for every server
	NotFound                 Code = 4<<5 | 4  // 4.04: no such object, instance, resource or value
	MethodNotAllowed         Code = 4<<5 | 5  // 4.05: the node does not support the operation
	NotAcceptable            Code = 4<<5 | 6  // 4.06: no acceptable format, inconsistent bootstrap
	RequestEntityIncomplete  Code = 4<<5 | 8  // 4.08: a block of the payload is missing
	Conflict                 Code = 4<<5 | 9  // 4.09: the request conflicts with the current state
	PreconditionFailed       Code = 4<<5 | 12 // 4.12: a condition of the request does not hold
	RequestEntityTooLarge    Code = 4<<5 | 13 // 4.13: the payload is too large
	UnsupportedContentFormat Code = 4<<5 | 15 // 4.15: the payload's format is not supported
	InternalServerError      Code = 5 << 5    // 5.00: the device failed
	NotImplemented           Code = 5<<5 | 1  // 5.01: the device does not support the operation
	BadGateway               Code = 5<<5 | 2  // 5.02: a device behind this one failed
	ServiceUnavailable       Code = 5<<5 | 3  // 5.03: the device is busy, try again later
	GatewayTimeout           Code = 5<<5 | 4  // 5.04: a device behind this one did not answer
)

// String returns the code in dotted form, such as "4.04".
func (c Code) String() string { return fmt.Sprintf("%d.%02d", c>>5, c&0x1f) }

// Error returns the code with its meaning, such as "4.04 Not Found".
func (c Code) Error() string {
	if name := c.name(); name != "" {
		return c.String() + " " + name
	}
	return c.String()
}

func (c Code) name() string {
	switch c {
	case BadRequest:
		return "Bad Request"
	case Unauthorized:
		return "Unauthorized"
	case BadOption:
		return "Bad Option"
	case Forbidden:
		return "Forbidden"
	case NotFound:
		return "Not Found"
	case MethodNotAllowed:
		return "Method Not Allowed"
	case NotAcceptable:
		return "Not Acceptable"
	case RequestEntityIncomplete:
		return "Request Entity Incomplete"
	case Conflict:
		return "Conflict"
	case PreconditionFailed:
		return "Precondition Failed"
	case RequestEntityTooLarge:
		return "Request Entity Too Large"
	case UnsupportedContentFormat:
		return "Unsupported Content-Format"
	case InternalServerError:
		return "Internal Server Error"
	case NotImplemented:
		return "Not Implemented"
	case BadGateway:
		return "Bad Gateway"
	case ServiceUnavailable:
		return "Service Unavailable"
	case GatewayTimeout:
		return "Gateway Timeout"
	}
	return ""
}
