package serve

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Refusal is an error whose text is safe to show to the peer.
type Refusal struct {
	Code dm.Code
	Text string
}

// Error returns the text.
func (e *Refusal) Error() string { return e.Text }

// Refuse returns a Refusal.
func Refuse(code dm.Code, text string) error { return &Refusal{code, text} }

// The refusals that management servers and bootstrap servers have in common.
var (
	ErrNoObject = Refuse(dm.NotFound, "the path is not an object of this device")
	ErrNoMethod = Refuse(dm.MethodNotAllowed, "the method is not defined for this path")
	ErrNoFormat = Refuse(dm.UnsupportedContentFormat, "the Content-Format is missing")
	ErrPatience = Refuse(dm.ServiceUnavailable, "another change takes too long")
)

// Explain returns the code for err and appends the diagnostic text (RFC 7252 §5.5.2) to b. The
// cause stays on the device: the peer receives the code, and the path or the text of a Refusal.
func Explain(err error, b []byte) (coap.Code, []byte) {
	var own *Refusal
	if errors.As(err, &own) {
		return coap.Code(own.Code), append(b, own.Text...)
	}
	code := dm.CodeOf(err)
	if !coap.Code(code).IsError() {
		code = dm.InternalServerError // a hook made it up
	}
	var e *dm.Error
	if coap.Code(code).Class() == 4 && errors.As(err, &e) && !e.Path.IsRoot() {
		b = e.Path.Append(b)
	}
	return coap.Code(code), b
}

// ParseID reads an ID of a path: a decimal number 0..65534 without leading zeros.
func ParseID(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	v := uint32(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint32(c-'0')
	}
	return uint16(v), v < 65535
}
