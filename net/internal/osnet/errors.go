// Package osnet is the common half of the sockets over those of the operating system.
package osnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Error wraps an error of package net, or of the system, together with the sentinel of package
// socket for it, if there is one.
func Error(err error) error {
	if err == nil {
		return nil
	}
	if kind := kindOf(err); kind != nil {
		return &netError{kind: kind, cause: err}
	}
	return err
}

func kindOf(err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.Is(err, net.ErrClosed):
		return socket.ErrClosed
	case errors.As(err, &dns):
		return socket.ErrAddressNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil // has no sentinel
	case errors.As(err, &errno):
		return kindOfErrno(errno)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return socket.ErrTimeout
	}
	return nil
}

// commonErrno returns the sentinel of the error numbers that all systems share by name.
func commonErrno(errno syscall.Errno) error {
	switch errno {
	case syscall.ECONNREFUSED:
		return socket.ErrRefused
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EAFNOSUPPORT:
		return socket.ErrUnreachable
	case syscall.EADDRINUSE, syscall.EADDRNOTAVAIL:
		return socket.ErrAddressInUse
	case syscall.EMSGSIZE:
		return socket.ErrMessageTooLong
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ENETRESET:
		return socket.ErrReset
	case syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
		return socket.ErrBusy
	case syscall.ETIMEDOUT:
		return socket.ErrTimeout
	}
	return nil
}

// netError is a cause with its sentinel.
type netError struct {
	kind, cause error
}

func (e *netError) Error() string {
	var op *net.OpError
	if errors.As(e.cause, &op) { // drops operation and addresses, which the caller adds
		return fmt.Sprintf("%v (%v)", e.kind, op.Err)
	}
	return fmt.Sprintf("%v (%v)", e.kind, e.cause)
}

func (e *netError) Unwrap() []error { return []error{e.kind, e.cause} }
