package coap

import (
	"errors"
	"fmt"
)

// A Layer protects requests and responses between the exchange layer and the codec. It is the
// place for object security, such as OSCORE (RFC 8613). Set it in [ConnConfig].
//
// A Layer is given a message in its decoded form and replaces its Code, Options and Payload. It
// must not change Type, MessageID and Token, which the message layer sets. A protected request must
// still have the code of a request, and a protected response the code of a response (as in RFC 8613
// §4.2), because the message layer routes by it.
//
//   - Each message is protected once, directly before it is sent for the first time, so that
//     sequence numbers follow the order of sending. Retransmissions, and responses to repeated
//     requests, repeat the same bytes.
//   - Each block of a block-wise transfer is a message of its own (inner block-wise transfer,
//     RFC 8613 §4.1.3.4.1). A protected message is never split: [Layer.Overhead] makes blocks
//     smaller instead. Outer block-wise transfer, which only proxies begin, is not reassembled;
//     a Layer refuses such a message.
//   - De-duplication works on the outer message, before Unprotect: a Layer sees no repetition
//     with the same message ID.
//   - Empty messages (acknowledgements, resets, pings) and the signals of RFC 8323 are not
//     protected.
//
// All methods are called on the connection's goroutine and must not use the connection.
type Layer interface {
	// Protect protects a request of this endpoint. It must not change the bytes that the
	// message refers to: it replaces them. What it puts in their place must stay unchanged
	// until the next call of Protect. With an error the request is not sent, and the error is
	// its outcome. The Binding unprotects the responses to the request, notifications included;
	// nil means that they are not protected.
	Protect(request *Message) (Binding, error)
	// Unprotect verifies a request of the peer and restores the message that the peer
	// protected. It may overwrite the bytes of the message. What it puts in their place must
	// stay unchanged until the next call of Unprotect, whatever is protected in between. With
	// an [Error] the request is answered with its code, unprotected and with Max-Age 0
	// (RFC 8613 §8.2); with any other error it is ignored. The Binding protects the responses
	// to the request, notifications included; nil means that they are sent unprotected.
	Unprotect(request *Message) (Binding, error)
	// Overhead is the largest number of bytes by which Protect enlarges an encoded message, of a
	// request or a response. It is called once for each connection.
	Overhead() int
}

// A Binding ties responses to the request that a [Layer] protected or unprotected: for OSCORE
// the security context with the key identifier and the Partial IV of the request. The exchange
// layer keeps it as long as responses are possible, that is for the life of an observation. The
// rules for memory are those of the Layer.
type Binding interface {
	// Protect protects a response to the peer's request. It is called more than once for a
	// request that began an observation. With an error the response is not sent.
	Protect(response *Message) error
	// Unprotect verifies a response to a request of this endpoint and restores the message
	// that the peer protected. With an error the response is ignored, and the request still
	// waits. To let an unprotected error response pass, return nil and leave the message as
	// it is.
	Unprotect(response *Message) error
}

// A protector protects a message before it is sent. A nil protector leaves it as it is.
type protector func(*Message) error

// protectorOf is the protector of responses with this binding.
func protectorOf(b Binding) protector {
	if b == nil {
		return nil
	}
	return b.Protect
}

// errRefused says that a Layer did not accept a response.
var errRefused = errors.New("coap: response refused by the layer")

// apply protects m and says in its error that this failed.
func (p protector) apply(m *Message) error {
	if err := p(m); err != nil {
		return fmt.Errorf("coap: protecting a message: %w", err)
	}
	return nil
}
