package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// WrapError wraps an error of package net, or of the operating system, together with the sentinel
// of this package that it stands for. It returns an error without one, and one that already is a
// sentinel, as it is.
func WrapError(err error) error {
	if err == nil || isSentinel(err) {
		return err
	}
	if kind := kindOf(err); kind != nil {
		return &netError{kind: kind, cause: err}
	}
	return err
}

// isSentinel reports whether err wraps an error of this package.
func isSentinel(err error) bool {
	for _, s := range [...]error{ErrTimeout, ErrClosed, ErrConnected, ErrMessageTooLong, ErrBusy, ErrNotSupported,
		ErrAddressNotFound, ErrAddressInUse, ErrRefused, ErrUnreachable, ErrReset} {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

func kindOf(err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case errors.As(err, &dns):
		return ErrAddressNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil // has no sentinel
	case errors.As(err, &errno):
		return kindOfErrno(errno)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	}
	return nil
}

// commonErrno returns the sentinel of the error numbers that all systems share by name.
func commonErrno(errno syscall.Errno) error {
	switch errno {
	case syscall.ECONNREFUSED:
		return ErrRefused
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EAFNOSUPPORT:
		return ErrUnreachable
	case syscall.EADDRINUSE, syscall.EADDRNOTAVAIL:
		return ErrAddressInUse
	case syscall.EMSGSIZE:
		return ErrMessageTooLong
	case syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ENETRESET:
		return ErrReset
	case syscall.EAGAIN, syscall.ENOBUFS, syscall.ENOMEM:
		return ErrBusy
	case syscall.ETIMEDOUT:
		return ErrTimeout
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
