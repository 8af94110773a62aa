package download

import (
	"crypto/tls"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Kind says why a download has failed, in the terms of the objects that report it. The comment of
// each names the Update Result of the Firmware Update object (/5/0/5).
type Kind uint8

// The kinds of errors.
const (
	// Failed is every reason that no other kind names, such as a sink that cannot write, or a
	// server that is not trusted. Result 8.
	Failed Kind = iota
	// NoSpace means that the storage is full, or that the content is larger than [Config.MaxSize].
	// Result 2.
	NoSpace
	// OutOfMemory means that a sink is out of memory. Result 3.
	OutOfMemory
	// ConnectionLost means that the retries have ended without progress. Result 4.
	ConnectionLost
	// Inconsistent means that the server contradicts itself: it sends more or less than it has
	// announced, or the content changes again and again. Result 5.
	Inconsistent
	// UnsupportedType means that the content has an encoding or a type that was not asked for.
	// Result 6.
	UnsupportedType
	// InvalidURI means that the URI is not valid, that the server has no such content, or that it
	// redirects to where a download must not go. Result 7.
	InvalidURI
	// UnsupportedProtocol means that no dialer serves the scheme of the URI. Result 9.
	UnsupportedProtocol
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Failed:
		return "failed"
	case NoSpace:
		return "not enough storage"
	case OutOfMemory:
		return "out of memory"
	case ConnectionLost:
		return "connection lost"
	case Inconsistent:
		return "inconsistent content"
	case UnsupportedType:
		return "unsupported type"
	case InvalidURI:
		return "invalid URI"
	case UnsupportedProtocol:
		return "unsupported protocol"
	}
	return "unknown"
}

// Error is why a download has failed. A [Sink] may return one to choose the kind.
type Error struct {
	Kind Kind
	// URI is the URI without its query, which may hold a token. The zero value means that the error
	// is not about a URI.
	URI string
	// Offset is how many bytes had been received.
	Offset int64
	// Err is the cause.
	Err error
}

// Error returns the kind and the cause.
func (e *Error) Error() string {
	text := "download"
	if e.URI != "" {
		text += " " + e.URI
	}
	if e.Offset > 0 {
		text += fmt.Sprintf(" at byte %d", e.Offset)
	}
	text += ": " + e.Kind.String()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrCancelled is the outcome of a download that the caller has cancelled.
	ErrCancelled = errors.New("download: cancelled")
	// ErrClosed means that the client is closed.
	ErrClosed = errors.New("download: the client is closed")
	// ErrShort is what [Sink.Truncate] returns if the sink has fewer bytes: the download then
	// starts from the beginning.
	ErrShort = errors.New("download: the sink holds less than the record says")
)

// errStalled is the cause of an attempt that has received nothing for [Config.IdleTimeout].
var errStalled = errors.New("the server has stopped sending")

// fault returns an error that ends the download.
func fault(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Err: fmt.Errorf(format, args...)}
}

// transient is an error after which the download tries again.
type transient struct {
	kind  Kind          // of the error if the retries end
	after time.Duration // the server asks for this pause
	// stalled is true after too little has arrived in too long a time.
	stalled bool
	err     error
}

func (t *transient) Error() string { return t.err.Error() }
func (t *transient) Unwrap() error { return t.err }

// retryable returns an error after which the download tries again.
func retryable(k Kind, format string, args ...any) error {
	return &transient{kind: k, err: fmt.Errorf(format, args...)}
}

// isUntrusted reports whether a connection has failed because one side does not trust the other, or
// because they agree on no security.
func isUntrusted(err error) bool {
	if v := (*tls.CertificateVerificationError)(nil); errors.As(err, &v) {
		return true
	}
	var alert *socket.AlertError
	if !errors.As(err, &alert) {
		return false
	}
	switch a := alert.Description; a {
	case socket.AlertDecryptError, socket.AlertProtocolVersion, socket.AlertInsufficientSecurity, socket.AlertUnrecognizedName,
		socket.AlertUnknownPSKIdentity, socket.AlertCertificateRequired:
		return true
	default:
		return a >= socket.AlertHandshakeFailure && a <= socket.AlertAccessDenied && a != socket.AlertIllegalParameter
	}
}

// sinkError is the error of a sink, or of the function that saves the record.
func sinkError(what string, err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return &Error{Kind: own.Kind, Err: fmt.Errorf("%s: %w", what, own.Err)}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault(NoSpace, "%s: %w", what, err)
	case errors.Is(err, syscall.ENOMEM):
		return fault(OutOfMemory, "%s: %w", what, err)
	}
	return fault(Failed, "%s: %w", what, err)
}
