package coap

import (
	"errors"
	"fmt"
	"io"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// explainEnd returns the error of a stream whose peer has ended it before its first message, with
// what that often means. It returns every other error as it is, such as an alert of TLS, which says
// more.
func (s *stream) explainEnd(err error) error {
	var alert *socket.AlertError
	if errors.As(err, &alert) || s.stats.BytesReceived > 0 || !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrReset) {
		return err
	}
	return fmt.Errorf("%w before the peer's first message: it may expect TLS (coaps+tcp)", err)
}

// errNoCSM is the error of a stream whose first message is another one, or none.
var errNoCSM = fmt.Errorf("%w: the first message is not a CSM (RFC 8323 §5.3); the peer is probably no CoAP server",
	ErrFormat)

// errTLS is the error of a stream whose peer answers with TLS.
var errTLS = fmt.Errorf("%w: the peer answers with TLS: its port is one for coaps+tcp", ErrFormat)

// isTLSRecord reports whether b begins with the header of a TLS record: an alert or a handshake
// message of any version (RFC 8446 §5.1).
func isTLSRecord(b []byte) bool {
	const alert, handshake, major = 21, 22, 3
	return len(b) >= 3 && (b[0] == alert || b[0] == handshake) && b[1] == major && b[2] <= 4
}
