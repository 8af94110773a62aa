package coap

import (
	"errors"
	"fmt"
	"io"
)

// A Source gives the body of a request or a response, in random order and possibly repeatedly,
// but always the same bytes. Its methods are called on the connection's goroutine while a message
// is being made: they must not use the endpoint or its connections.
type Source interface {
	// ReadAt is that of io.ReaderAt.
	ReadAt(p []byte, off int64) (n int, err error)
	// Close is called exactly once, when the body is no longer needed.
	Close() error
}

// A Sink receives the body of a request or a response as a stream. Its methods are called on the
// connection's goroutine.
type Sink interface {
	// Write receives the next bytes of the body. It accepts all of them or returns an error,
	// which ends the transfer; an [Error] chooses the code that the peer is answered with.
	Write(p []byte) (n int, err error)
	// Abort reports that the body will not be completed, and why. It is not called after an
	// error of Write, nor after the last byte was accepted.
	Abort(err error)
}

func readSource(s Source, b []byte, off int64) error {
	n, err := s.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("coap: the source ended %d bytes early: %w", len(b)-n, err)
}

func closeSource(s Source) {
	if s != nil {
		_ = s.Close()
	}
}
