package socket

import (
	"errors"
	"net"
	"os"
	"strconv"
)

// Errors of sockets. Compare them with [errors.Is]; their texts may change.
//
// ErrTimeout is also os.ErrDeadlineExceeded and has Timeout() == true, ErrClosed is also
// net.ErrClosed.
var (
	// ErrTimeout: nothing arrived before the receive deadline.
	ErrTimeout error = &sentinel{text: "timed out", also: os.ErrDeadlineExceeded, timeout: true}
	// ErrClosed: the socket is not connected, or was closed during the call.
	ErrClosed error = &sentinel{text: "socket is closed", also: net.ErrClosed}
	// ErrConnected: Connect on a socket that is connected or connecting.
	ErrConnected error = errors.New("socket is already connected")
	// ErrMessageTooLong: a received datagram was larger than the buffer, which holds its beginning,
	// or a datagram is larger than can be sent.
	ErrMessageTooLong error = errors.New("message too long")
	// ErrBusy: the data cannot be taken over now; none of it was sent.
	ErrBusy error = errors.New("send buffer is full")
	// ErrNotSupported: this implementation can never do what was asked.
	ErrNotSupported error = errors.New("not supported")
	// ErrAddressNotFound: the host name has no usable address, or there is no name service to ask.
	ErrAddressNotFound error = errors.New("address not found")
	// ErrAddressInUse: the local address or port is taken.
	ErrAddressInUse error = errors.New("local address is in use")
	// ErrRefused: no socket listens at the remote address.
	ErrRefused error = errors.New("connection refused")
	// ErrUnreachable: the network has no route to the remote address now.
	ErrUnreachable error = errors.New("network unreachable")
	// ErrReset: the connection is broken; close the socket and connect it again.
	ErrReset error = errors.New("connection broken")
)

type sentinel struct {
	text    string
	also    error
	timeout bool
}

func (e *sentinel) Error() string        { return e.text }
func (e *sentinel) Is(target error) bool { return target == e.also }
func (e *sentinel) Timeout() bool        { return e.timeout }

// Temporary reports whether the error is a time-out, as [net.Error] requires.
func (e *sentinel) Temporary() bool { return e.timeout }

// A SizeError is the error of Send for a datagram that is too long. It is an [ErrMessageTooLong].
type SizeError struct {
	Size  int // bytes passed to Send
	Limit int // bytes that could have been sent; 0 if not known
}

// Error names both sizes.
func (e *SizeError) Error() string {
	s := "message too long: " + strconv.Itoa(e.Size) + " bytes"
	if e.Limit > 0 {
		s += ", at most " + strconv.Itoa(e.Limit) + " can be sent"
	}
	return s
}

// Is makes a SizeError an [ErrMessageTooLong].
func (e *SizeError) Is(target error) bool { return target == ErrMessageTooLong }
