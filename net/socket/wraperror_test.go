//go:build unix

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestWrapError(t *testing.T) {
	in := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, c := range []struct{ err, want error }{
		{in(syscall.ECONNREFUSED), socket.ErrRefused},
		{in(syscall.ENETUNREACH), socket.ErrUnreachable},
		{in(syscall.EHOSTUNREACH), socket.ErrUnreachable},
		{in(syscall.EADDRINUSE), socket.ErrAddressInUse},
		{in(syscall.EADDRNOTAVAIL), socket.ErrAddressInUse},
		{in(syscall.EMSGSIZE), socket.ErrMessageTooLong},
		{in(syscall.ECONNRESET), socket.ErrReset},
		{in(syscall.EPIPE), socket.ErrReset},
		{in(syscall.ENOBUFS), socket.ErrBusy},
		{in(syscall.ETIMEDOUT), socket.ErrTimeout},
		{&net.OpError{Op: "read", Err: net.ErrClosed}, socket.ErrClosed},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, socket.ErrTimeout},
		{&net.DNSError{Err: "no such host", Name: "x"}, socket.ErrAddressNotFound},
		{fmt.Errorf("dial: %w", context.Canceled), context.Canceled},
		{io.EOF, io.EOF},
	} {
		got := socket.WrapError(c.err)
		if !errors.Is(got, c.want) || !errors.Is(got, c.err) {
			t.Errorf("%v became %v, want %v with the cause kept", c.err, got, c.want)
		}
	}
	for _, err := range []error{socket.ErrRefused, fmt.Errorf("modem: %w", socket.ErrClosed)} {
		if got := socket.WrapError(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if socket.WrapError(nil) != nil {
		t.Error("nothing became an error")
	}
	if s := socket.WrapError(in(syscall.ECONNREFUSED)).Error(); strings.Contains(s, "dial") || !strings.Contains(s, "connect") {
		t.Errorf("text: %s", s)
	}
}
