package coap

import "strconv"

// A Code is the code of a message: a class of three bits and a detail of five, written
// class.detail (RFC 7252 §3). The zero Code is that of an Empty message. A code that has no
// constant is written Code(class<<5 | detail).
type Code uint8

// Request methods (RFC 7252 §12.1.1, RFC 8132 §6).
const (
	Empty  Code = 0
	GET    Code = 1
	POST   Code = 2
	PUT    Code = 3
	DELETE Code = 4
	FETCH  Code = 5
	PATCH  Code = 6
	IPATCH Code = 7
)

// Response codes (RFC 7252 §12.1.2, RFC 7959 §6, RFC 8132 §6, RFC 8516).
const (
	Created                  Code = 2<<5 | 1
	Deleted                  Code = 2<<5 | 2
	Valid                    Code = 2<<5 | 3
	Changed                  Code = 2<<5 | 4
	Content                  Code = 2<<5 | 5
	Continue                 Code = 2<<5 | 31
	BadRequest               Code = 4 << 5
	Unauthorized             Code = 4<<5 | 1
	BadOption                Code = 4<<5 | 2
	Forbidden                Code = 4<<5 | 3
	NotFound                 Code = 4<<5 | 4
	MethodNotAllowed         Code = 4<<5 | 5
	NotAcceptable            Code = 4<<5 | 6
	RequestEntityIncomplete  Code = 4<<5 | 8
	Conflict                 Code = 4<<5 | 9
	PreconditionFailed       Code = 4<<5 | 12
	RequestEntityTooLarge    Code = 4<<5 | 13
	UnsupportedContentFormat Code = 4<<5 | 15
	UnprocessableEntity      Code = 4<<5 | 22
	TooManyRequests          Code = 4<<5 | 29
	InternalServerError      Code = 5 << 5
	NotImplemented           Code = 5<<5 | 1
	BadGateway               Code = 5<<5 | 2
	ServiceUnavailable       Code = 5<<5 | 3
	GatewayTimeout           Code = 5<<5 | 4
	ProxyingNotSupported     Code = 5<<5 | 5
)

// Signalling codes of the reliable transports (RFC 8323 §5).
const (
	CSM     Code = 7<<5 | 1
	Ping    Code = 7<<5 | 2
	Pong    Code = 7<<5 | 3
	Release Code = 7<<5 | 4
	Abort   Code = 7<<5 | 5
)

// Class is the class of the code: 0 request, 2 success, 4 client error, 5 server error,
// 7 signalling.
func (c Code) Class() uint8 { return uint8(c >> 5) }

// IsRequest reports whether c is a method, known or not.
func (c Code) IsRequest() bool { return c != Empty && c.Class() == 0 }

// IsResponse reports whether c is a response code, known or not: one of the classes 2 to 5.
func (c Code) IsResponse() bool { return c.Class() >= 2 && c.Class() <= 5 }

// IsSuccess reports whether c is a response of class 2.
func (c Code) IsSuccess() bool { return c.Class() == 2 }

// IsError reports whether c is a response of class 4 or 5.
func (c Code) IsError() bool { return c.Class() == 4 || c.Class() == 5 }

// isSignal reports whether c is a signalling code.
func (c Code) isSignal() bool { return c.Class() == 7 }

// isReserved reports whether no message over UDP may have the code's class.
func (c Code) isReserved() bool { return c.Class() == 1 || c.Class() >= 6 }

// isSafe reports whether c is a method that changes nothing, so that executing it twice is
// harmless.
func (c Code) isSafe() bool { return c == GET || c == FETCH }

// String is the method's name, or class.detail, as in "GET" and "2.05".
func (c Code) String() string {
	switch c {
	case GET:
		return "GET"
	case POST:
		return "POST"
	case PUT:
		return "PUT"
	case DELETE:
		return "DELETE"
	case FETCH:
		return "FETCH"
	case PATCH:
		return "PATCH"
	case IPATCH:
		return "iPATCH"
	}
	d := strconv.Itoa(int(c & 31))
	if len(d) == 1 {
		d = "0" + d
	}
	return strconv.Itoa(int(c.Class())) + "." + d
}
