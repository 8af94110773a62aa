package tls

import (
	stdtls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/lwm2mgen/toolkit/net/internal/pki"
	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// alertOf finds the alert in an error of crypto/tls by its text, because the type of the error is
// not exported. It is nil if there is none.
func alertOf(err error) *socket.AlertError {
	var op *net.OpError
	if !errors.As(err, &op) || op.Err == nil || op.Op != "remote error" && op.Op != "local error" {
		return nil
	}
	text := op.Err.Error()
	for i := range 256 {
		if stdtls.AlertError(i).Error() == text {
			return &socket.AlertError{Level: socket.AlertFatal, Description: socket.Alert(i),
				Received: op.Op == "remote error"}
		}
	}
	return nil
}

// progress says how far a handshake came.
type progress struct {
	chosen   bool // the server has chosen a ciphersuite
	unsuited bool // the server asked for a certificate of other CAs than ours
}

// handshakeError returns why a handshake failed.
func handshakeError(err error, seen *progress) error {
	var refused *pki.Error
	var other stdtls.RecordHeaderError
	alert := alertOf(err)
	switch {
	case errors.As(err, &refused): // crypto/tls sends bad_certificate for every reason
		return fmt.Errorf("handshake: %w", &socket.AlertError{Level: socket.AlertFatal,
			Description: socket.AlertBadCertificate, Err: refused})
	case alert != nil && alert.Received:
		return fmt.Errorf("handshake: %w", seen.withHint(alert, false))
	case alert != nil:
		alert.Err = err
		return fmt.Errorf("handshake: %w", alert)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("handshake: %w: the server closed the connection; it may be no TLS server", socket.ErrReset)
	case errors.As(err, &other) && isSignal(other.RecordHeader[:]):
		return fmt.Errorf("handshake: the server speaks CoAP without TLS: its port is one for coap+tcp")
	case errors.As(err, &other):
		return fmt.Errorf("handshake: the server does not speak TLS (%w)", err)
	}
	return fmt.Errorf("handshake: %w", err)
}

// isSignal reports whether b begins with a signalling message without a token, as a CoAP server
// sends one first (RFC 8323 §5).
func isSignal(b []byte) bool {
	const csm, abort = 0xe1, 0xe5
	extended := map[byte]int{13: 1, 14: 2, 15: 4}[b[0]>>4] // bytes of the length
	at := 1 + extended
	return b[0]&0x0f == 0 && at < len(b) && b[at] >= csm && b[at] <= abort
}

// explainSilence describes what was received from a server that did not complete a handshake in
// time.
func (p *progress) explainSilence(heard bool) string {
	switch {
	case !heard:
		return "the server took the connection and never said anything: it is probably no TLS server"
	case !p.chosen:
		return "the server began to answer and then fell silent"
	}
	return "the server has chosen a ciphersuite and then fell silent: it may be busy, or check our certificate " +
		"elsewhere"
}

// withHint adds to an alert of the server what it probably means. complete says that the handshake
// was complete.
func (p *progress) withHint(a *socket.AlertError, complete bool) error {
	known := secured.Progress{
		Certificate: true, SuiteChosen: p.chosen, NoCertificate: p.unsuited, Complete: complete,
		VersionHint: "it has no version of TLS in common with us",
	}
	if hint := known.Hint(a.Description); hint != "" {
		return fmt.Errorf("%w: %s", a, hint)
	}
	return a
}

// brokenError returns the error of Recv and Send for an error of crypto/tls. Every error but a
// time-out is permanent.
func brokenError(err error) error {
	switch {
	case errors.Is(err, socket.ErrTimeout):
		return socket.ErrTimeout
	// Never wrapped.
	case err == io.EOF, errors.Is(err, socket.ErrClosed), errors.Is(err, socket.ErrReset):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the stream ended without close_notify: it may have been cut off", socket.ErrReset)
	}
	if a := alertOf(err); a != nil {
		if a.Received {
			return fmt.Errorf("%w: the peer ended the TLS connection: %w", socket.ErrReset,
				new(progress).withHint(a, true))
		}
		a.Err = err
		return fmt.Errorf("%w: %w", socket.ErrReset, a)
	}
	return fmt.Errorf("%w: %w", socket.ErrReset, err)
}
